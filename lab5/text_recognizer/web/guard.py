"""Around every answer: who may ask, what a browser may do with the answer, how long it took, and errors in words."""

import time
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from text_recognizer.errors import UserError
from text_recognizer.photo.open_picture import NotAPicture, TooLarge
from text_recognizer.web.limits import Refusal
from text_recognizer.web.metrics import Metrics

# What a browser must not do with what it gets from here: guess its type, run it, frame it, or give it to other pages.
SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
_SAFETY = [(name.lower().encode(), value.encode()) for name, value in SAFETY.items()]  # as ASGI has them
LONGEST_HEAD = 32_000  # bytes; browsers send some hundreds
STATUS_WORDS = {
    404: "There is nothing here. What there is: /docs",
    405: "This address does not take {method}. What it takes: /docs",
}


class Guard:
    """Lets through who may ask, and sees every answer off.

    A page of someone else, open in a visitor's browser, must not send pictures or corrections in the visitor's name:
    browsers say where a request comes from (`Origin`, `Sec-Fetch-Site`), programs say nothing and are let through.

    Args:
        inner: the application.
        metrics: where requests are counted.
        routes: addresses that are counted by their names; all others are counted together.
        names: what this machine may be called; None for any name. A server for this machine alone knows its names, and
            another page cannot reach it under a name of its own that leads to 127.0.0.1 (DNS rebinding).
    """

    def __init__(
        self, inner: ASGIApp, metrics: Metrics, routes: Collection[str], names: Collection[str] | None
    ) -> None:
        self._inner, self._metrics, self._routes, self._names = inner, metrics, frozenset(routes), names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says it."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                message["headers"] += [pair for pair in _SAFETY if pair[0] not in given]
            await send(message)

        self._metrics.begin()
        try:
            if refusal := self._refusal(scope):
                number, words = refusal
                self._metrics.reject("forbidden" if number == 403 else "malformed")
                await JSONResponse({"error": f"Refused: {words}."}, number)(scope, receive, sent)
            else:
                await self._inner(scope, receive, sent)
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.end(route, status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason with which a request is refused, if it is."""
        if scope["http_version"] not in ("1.0", "1.1"):
            return 400, "this server speaks HTTP 1.1"
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEAD:
            return 431, f"the head of a request may have {LONGEST_HEAD:,} bytes"
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._names is not None and host not in self._names and host.rpartition(":")[0] not in self._names:
            return 403, f"this server is at {min(self._names)} only"
        if scope["method"] in ("GET", "HEAD"):
            return None
        from_here = headers.get("origin", f"http://{host}").partition("://")[2] == host
        if not from_here or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "another page has asked"
        return None


def in_words(metrics: Metrics) -> dict[type[Exception], object]:
    """Return handlers that answer each kind of error with its status and `{"error": "..."}`.

    They are coroutines since Starlette gives plain functions to a thread, which takes longer than all the rest.
    """

    async def refused(request: Request, error: Refusal) -> Response:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return refuse(error.status, error.message, error.reason, headers)

    async def unusable(request: Request, error: UserError) -> Response:
        status = 413 if isinstance(error, TooLarge) else 415 if isinstance(error, NotAPicture) else 422
        reason = {413: "too large", 415: "no picture", 422: "unreadable"}[status]
        return refuse(status, str(error), reason)

    async def unknown(request: Request, error: HTTPException) -> Response:
        words = STATUS_WORDS.get(error.status_code, error.detail).format(method=request.method[:20])
        return refuse(error.status_code, words, f"status {error.status_code}", error.headers)

    async def broken(request: Request, error: Exception) -> Response:
        return refuse(500, "Something is wrong with this server; what, is in its log.", "defect")

    def refuse(status: int, message: str, reason: str, headers: dict[str, str] | None = None) -> Response:
        metrics.reject(reason)
        # This answer is given outside of the Guard's own where the error is a defect.
        return JSONResponse({"error": " ".join(message.split())}, status, headers=SAFETY | dict(headers or {}))

    return {Refusal: refused, UserError: unusable, HTTPException: unknown, Exception: broken}
