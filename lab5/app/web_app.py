"""The web application: which function answers which address."""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from app.prediction_service import PredictionService
from lab_kit.html_page import template
from lab_kit.same_origin import ServerNames
from lab_kit.serving import requests
from lab_kit.serving.api_description import describe_api
from lab_kit.serving.docs_page import docs_page
from lab_kit.serving.limits import OVERHEAD_BYTES, BodyReceiver, RequestError, too_busy
from lab_kit.serving.security import SecurityMiddleware, error_handlers

PAGE = Path(__file__).with_name("web_page.html")
PAGE_CSP = (
    "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; style-src 'nonce-{nonce}'; "
    "script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(service: PredictionService, names: ServerNames) -> Starlette:
    """Create the Starlette application of a prediction service.

    Args:
        service: answers the requests.
        names: the names under which the server is reached.
    """
    api = describe_api(service.card, service.limits)
    docs = docs_page(api)
    receiver = BodyReceiver(service.limits)

    async def start_page(request: Request) -> Response:
        return _page(lambda nonce: template(PAGE).render(nonce=nonce))

    async def show_docs(request: Request) -> Response:
        return _page(lambda nonce: docs.replace("{{nonce}}", nonce))

    async def openapi(request: Request) -> Response:
        return JSONResponse(api)

    async def model(request: Request) -> Response:
        return JSONResponse(service.model())

    async def health(request: Request) -> Response:
        return JSONResponse(service.health(), 503 if service.closing else 200)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=1.0.0; charset=utf-8")

    async def predict(request: Request) -> Response:
        content_type = request.headers.get("content-type", "")
        requests.check_content_type(content_type)
        if service.reader.full:
            raise too_busy()  # before the body is received
        preview = request.query_params.get("preview") == "true"
        async with receiver.receive(request, requests.max_body_bytes(content_type, service.limits)) as body:
            parse = partial(requests.parse_predict_request, content_type, body)
            return JSONResponse(await service.predict(parse, request.receive, preview))

    async def correct(request: Request) -> Response:
        async with receiver.receive(request, requests.max_body_bytes(_json_only(request), service.limits)) as body:
            return JSONResponse(await service.correct(partial(requests.parse_json, body), request.receive))

    async def forget(request: Request) -> Response:
        _json_only(request)
        async with receiver.receive(request, OVERHEAD_BYTES) as body:
            return JSONResponse(await service.forget(partial(requests.parse_json, body)))

    routes = [
        Route("/", start_page),
        Route("/docs", show_docs),
        Route("/openapi.json", openapi),
        Route("/model", model),
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/predict", predict, methods=["POST"]),
        Route("/correct", correct, methods=["POST"]),
        Route("/forget", forget, methods=["POST"]),
        *_drift_routes(service),
    ]
    addresses = [route.path for route in routes]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityMiddleware, metrics=service.metrics, routes=addresses, names=names)],
        exception_handlers=error_handlers(service.metrics),
    )
    app.router.redirect_slashes = False  # it redirects to an address that may be wrong in front of a proxy
    return app


def _drift_routes(service: PredictionService) -> list[Route]:
    """Return the routes of the drift page, which compares the kept pictures with the training data."""
    if service.store is None:
        return []
    from lab_kit.feedback import drift_page

    return drift_page.routes(service.store, service.card.digest, service.card.reference)


def _page(with_nonce: Callable[[str], str]) -> Response:
    """Answer with an HTML page; the browser runs only the styles and scripts that have its nonce."""
    nonce = secrets.token_urlsafe(16)
    headers = {"Content-Security-Policy": PAGE_CSP.format(nonce=nonce)}
    return HTMLResponse(with_nonce(nonce), headers=headers)


def _json_only(request: Request) -> str:
    """Return the content type of a request; raise RequestError (415) unless it is JSON."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "Send this request as application/json.", "type")
    return content_type
