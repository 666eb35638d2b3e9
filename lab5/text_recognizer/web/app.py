"""The application: which address does what."""

import secrets
from collections.abc import Collection
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from text_recognizer.web import submission
from text_recognizer.web.docs_page import docs_page
from text_recognizer.web.guard import Guard, in_words
from text_recognizer.web.limits import AROUND, Inbox, Refusal, busy
from text_recognizer.web.openapi import description
from text_recognizer.web.service import Service

PAGE = Path(__file__).with_name("page.html")
ONLY_THE_PAGE_RUNS = (
    "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; style-src 'nonce-{nonce}'; "
    "script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def app(service: Service, names: Collection[str] | None = None) -> Starlette:
    """Return a service as an application.

    Args:
        service: does what is asked.
        names: by which this machine may be called; None for any.
    """
    page = PAGE.read_text(encoding="utf-8")
    about = description(service.card, service.limits)
    docs = docs_page(about)
    inbox = Inbox(service.limits)

    async def show(request: Request) -> Response:
        return _page(page)

    async def show_docs(request: Request) -> Response:
        return _page(docs)

    async def openapi(request: Request) -> Response:
        return JSONResponse(about)

    async def model(request: Request) -> Response:
        return JSONResponse(service.model())

    async def health(request: Request) -> Response:
        return JSONResponse(service.health(), 503 if service.closing else 200)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=1.0.0; charset=utf-8")

    async def predict(request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        submission.check_type(kind)
        if service.reader.full:
            raise busy()  # before it has been received
        async with inbox.body(request, submission.longest(kind, service.limits)) as body:
            return JSONResponse(await service.predict(partial(submission.with_picture, kind, body), request.receive))

    async def correct(request: Request) -> Response:
        async with inbox.body(request, submission.longest(_json_only(request), service.limits)) as body:
            return JSONResponse(await service.correct(partial(submission.from_json, body), request.receive))

    async def forget(request: Request) -> Response:
        _json_only(request)
        async with inbox.body(request, AROUND) as body:
            return JSONResponse(await service.forget(partial(submission.from_json, body)))

    routes = [
        Route("/", show),
        Route("/docs", show_docs),
        Route("/openapi.json", openapi),
        Route("/model", model),
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/predict", predict, methods=["POST"]),
        Route("/correct", correct, methods=["POST"]),
        Route("/forget", forget, methods=["POST"]),
        *_drift(service),
    ]
    addresses = [route.path for route in routes]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, metrics=service.metrics, routes=addresses, names=names)],
        exception_handlers=in_words(service.metrics),
    )


def _drift(service: Service) -> list[Route]:
    """Return the pages that compare what was kept with what the model has learned from."""
    if service.store is None:
        return []
    from text_recognizer.feedback import drift_page

    return drift_page.routes(service.store, service.card)


def _page(text: str) -> Response:
    """Answer with a page of ours, of which alone the styles and scripts are let run."""
    nonce = secrets.token_urlsafe(16)
    rules = {"Content-Security-Policy": ONLY_THE_PAGE_RUNS.format(nonce=nonce)}
    return HTMLResponse(text.replace("{{nonce}}", nonce), headers=rules)


def _json_only(request: Request) -> str:
    """Return the content type of a request, if it is JSON."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "This is sent as application/json.", "type")
    return kind
