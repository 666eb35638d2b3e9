"""Count all requests, and answer errors as JSON."""

import time
from collections.abc import Callable, Collection, Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab_kit.errors import UserError
from lab_kit.photo.open_picture import NotAPicture, TooLarge
from lab_kit.serving.limits import RequestError, too_busy
from lab_kit.serving.metrics import Metrics
from lab_kit.web_security import SECURITY_HEADERS

ERRORS = {
    400: "Malformed request: invalid JSON, an invalid form, or no picture.",
    403: "The request comes from another web page, or uses a host name that is not allowed.",
    404: "There is no such address, or no such picture.",
    405: "The address does not accept this method.",
    408: "The request stopped arriving, or came too slowly.",
    413: "Too many bytes or pixels.",
    415: "The body is not a picture, or the content type is not one of those below.",
    422: "The request is well-formed, but nothing is written in the picture, or a field has a wrong value.",
    429: "The server is too busy. Try again after `Retry-After` seconds.",
    500: "Internal error of the server.",
    503: "The server is shutting down, cannot write to its disk, or the picture takes too long.",
}
RETRY = {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}}
STATUS_MESSAGES = {
    404: "There is no such address. The page docs lists all addresses.",
    405: "This address does not accept {method}. The page docs says what it accepts.",
}


def described(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return what FastAPI's description says of these error statuses."""
    # Not as `model`: of a page, FastAPI would say that errors are HTML, too.
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"content": content, "description": ERRORS[status]}
        | ({"headers": {"Retry-After": RETRY}} if status in (429, 503) else {})
        for status in statuses
    }


class MetricsMiddleware:
    """ASGI middleware that counts and times all requests.

    Args:
        app: the application.
        metrics: where they are counted.
        routes: addresses that are counted one by one; all others are counted together.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str]) -> None:
        self._app, self._metrics, self._routes = app, metrics, frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self._metrics.count_request_start()
        try:
            await self._app(scope, receive, send_and_see)
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.count_request_end(route, status, time.perf_counter() - start)


class HeadMiddleware:
    """ASGI middleware that answers HEAD as GET; the server leaves out the body.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        await self._app(scope | {"method": "GET"} if scope.get("method") == "HEAD" else scope, receive, send)


class WholeFiles(StaticFiles):
    """Files that are always sent whole, so that a wrong `Range` is no error of its own kind."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__(scope | {"headers": headers}, receive, send)


class BusyMiddleware:
    """ASGI middleware that refuses requests to an address while it is busy, before anything is done for them.

    Thousands of refusals a second must leave time for what is read meanwhile.

    Args:
        app: the application.
        metrics: where refusals are counted.
        address: the path of the address.
        busy: whether it is busy.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, address: str, busy: Callable[[], bool]) -> None:
        self._app, self._metrics, self._address, self._busy = app, metrics, address, busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        app = self._app
        if scope["type"] == "http" and scope["path"] == self._address and scope["method"] == "POST" and self._busy():
            app = _refusal(self._metrics, too_busy())
        await app(scope, receive, send)


def _answer(
    metrics: Metrics, status: int, message: str, reason: str, headers: Mapping[str, str] | None = None
) -> Response:
    metrics.count_rejection(reason)
    # Of a defect, Starlette sends the answer past the SecurityMiddleware: its headers are set here, too.
    return JSONResponse({"error": " ".join(message.split())}, status, headers=SECURITY_HEADERS | dict(headers or {}))


def _refusal(metrics: Metrics, error: RequestError) -> Response:
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _answer(metrics, error.status, error.message, error.reason, headers)


def error_handlers(metrics: Metrics) -> dict[type[Exception], object]:
    """Return handlers that answer each kind of error with its status code and `{"error": "..."}`.

    They are coroutines, because Starlette runs plain functions in a thread, which takes longer than all the rest.
    """

    async def request_error(request: Request, error: RequestError) -> Response:
        return _refusal(metrics, error)

    async def user_error(request: Request, error: UserError) -> Response:
        status = 413 if isinstance(error, TooLarge) else 415 if isinstance(error, NotAPicture) else 422
        reason = {413: "too large", 415: "no picture", 422: "unreadable"}[status]
        return _answer(metrics, status, str(error), reason)

    async def wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        wrong = "must be true or false" if first["type"] == "bool_parsing" else f"is wrong: {first['msg']}"
        return _answer(metrics, 422, f"`{first['loc'][-1]}` in the address {wrong}.", "invalid")

    async def http_error(request: Request, error: HTTPException) -> Response:
        message = STATUS_MESSAGES.get(error.status_code, error.detail).format(method=request.method[:20])
        return _answer(metrics, error.status_code, message, f"status {error.status_code}", error.headers)

    async def defect(request: Request, error: Exception) -> Response:
        return _answer(metrics, 500, "Internal error of the server. Its log has the details.", "defect")

    return {
        RequestError: request_error,
        UserError: user_error,
        RequestValidationError: wrong_parameter,
        HTTPException: http_error,
        Exception: defect,
    }
