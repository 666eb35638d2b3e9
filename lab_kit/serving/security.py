"""Security of a web server: refuse requests of other web pages, set security headers, and answer errors as JSON."""

import time
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab_kit.errors import UserError
from lab_kit.photo.open_picture import NotAPicture, TooLarge
from lab_kit.same_origin import ServerNames
from lab_kit.serving.limits import RequestError
from lab_kit.serving.metrics import Metrics

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
_SECURITY_HEADERS = [
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
]  # in the form that ASGI uses
MAX_HEADER_BYTES = 32_000  # browsers send some hundreds
STATUS_MESSAGES = {
    404: "There is no such address. The page docs lists all addresses.",
    405: "This address does not accept {method}. The page docs says what it accepts.",
}


class SecurityMiddleware:
    """ASGI middleware that refuses requests of other web pages, adds security headers, and measures all requests.

    Another web page in the user's browser must not send pictures or corrections in the user's name (see `same_origin`).

    Args:
        app: the application.
        metrics: where requests are counted.
        routes: addresses that are counted one by one; all others are counted together.
        names: the names of the server.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str], names: ServerNames) -> None:
        self._app, self._metrics, self._routes, self._names = app, metrics, frozenset(routes), names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                message["headers"] += [pair for pair in _SECURITY_HEADERS if pair[0] not in given]
            await send(message)

        self._metrics.count_request_start()
        try:
            if rejection := self._rejection(scope):
                code, message = rejection
                self._metrics.count_rejection("forbidden" if code == 403 else "malformed")
                await JSONResponse({"error": f"Refused: {message}."}, code)(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.count_request_end(route, status, time.perf_counter() - start)

    def _rejection(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status code and the reason if the request must be refused, else None."""
        if scope["http_version"] not in ("1.0", "1.1"):
            return 400, "this server supports only HTTP 1.0 and 1.1"
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return 431, f"the header of a request may have at most {MAX_HEADER_BYTES:,} bytes"
        headers = Headers(scope=scope)
        wrong = self._names.wrong_host(headers)
        if not wrong and scope["method"] not in ("GET", "HEAD"):
            wrong = self._names.wrong_origin(headers)
        return (403, wrong) if wrong else None


def error_handlers(metrics: Metrics) -> dict[type[Exception], object]:
    """Return handlers that answer each kind of error with its status code and `{"error": "..."}`.

    They are coroutines, because Starlette runs plain functions in a thread, which takes longer than all the rest.
    """

    async def request_error(request: Request, error: RequestError) -> Response:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return answer(error.status, error.message, error.reason, headers)

    async def user_error(request: Request, error: UserError) -> Response:
        status = 413 if isinstance(error, TooLarge) else 415 if isinstance(error, NotAPicture) else 422
        reason = {413: "too large", 415: "no picture", 422: "unreadable"}[status]
        return answer(status, str(error), reason)

    async def http_error(request: Request, error: HTTPException) -> Response:
        message = STATUS_MESSAGES.get(error.status_code, error.detail).format(method=request.method[:20])
        return answer(error.status_code, message, f"status {error.status_code}", error.headers)

    async def defect(request: Request, error: Exception) -> Response:
        return answer(500, "Internal error of the server. Its log has the details.", "defect")

    def answer(status: int, message: str, reason: str, headers: dict[str, str] | None = None) -> Response:
        metrics.count_rejection(reason)
        # Of a defect, Starlette sends the answer past the SecurityMiddleware: the headers are set here, too.
        return JSONResponse(
            {"error": " ".join(message.split())}, status, headers=SECURITY_HEADERS | dict(headers or {})
        )

    return {RequestError: request_error, UserError: user_error, HTTPException: http_error, Exception: defect}
