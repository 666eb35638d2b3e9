"""What both web servers of this project, of the reviewer and of the reader, do for the safety of those who use them."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab_kit.same_origin import ServerNames

# A browser must not guess the type of an answer, run it, show it in a frame, or give it to other pages.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
PAGE_CSP = (
    "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; style-src 'nonce-{nonce}'; "
    "script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAX_HEADER_BYTES = 32_000  # browsers send some hundreds


def page_headers(nonce: str, policy: str = PAGE_CSP) -> dict[str, str]:
    """Return the headers of a page: the browser runs only the styles and scripts that have its nonce."""
    return {"Content-Security-Policy": policy.format(nonce=nonce)}


class SecurityMiddleware:
    """ASGI middleware that refuses requests of other web pages, and sets the security headers.

    Another web page in the user's browser must neither send anything in the user's name nor look at anything, but for
    a link to the page (see `same_origin`).

    Args:
        app: the application.
        names: the names of the server.
        refused: is told the status of each refusal.
    """

    def __init__(self, app: ASGIApp, names: ServerNames, refused: Callable[[int], None] = lambda status: None) -> None:
        self._app, self._names, self._refused = app, names, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] += [pair for pair in _SECURITY_HEADERS if pair[0] not in given]
            await send(message)

        if rejection := self._rejection(scope):
            status, message = rejection
            self._refused(status)
            await JSONResponse({"error": f"Refused: {message}."}, status)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _rejection(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status code and the reason if the request must be refused, else None."""
        if scope["http_version"] not in ("1.0", "1.1"):
            return 400, "this server supports only HTTP 1.0 and 1.1"
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return 431, f"the header of a request may have at most {MAX_HEADER_BYTES:,} bytes"
        headers = Headers(scope=scope)
        wrong = self._names.wrong_host(headers)
        is_link = scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not wrong and not is_link:
            wrong = self._names.wrong_origin(headers)
        return (403, wrong) if wrong else None


_SECURITY_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]  # as in ASGI
