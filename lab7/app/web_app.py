"""The web application: which function answers which address."""

import secrets
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from app.prediction_service import PredictionService
from lab_kit.html_page import template
from lab_kit.same_origin import ServerNames
from lab_kit.serving import schemas
from lab_kit.serving.answers import (
    BusyMiddleware,
    HeadMiddleware,
    MetricsMiddleware,
    WholeFiles,
    described,
    error_handlers,
)
from lab_kit.serving.limits import OVERHEAD_BYTES, BodyReceiver
from lab_kit.serving.request_body import check_is_json, check_is_picture, max_body_bytes, parse_json, parse_picture
from lab_kit.web_security import SecurityMiddleware, page_headers

PAGE = Path(__file__).with_name("web_page.html")
STATIC = Path(fastapi_offline.__file__).with_name("static")  # Swagger UI, which works without a network
REF = "#/components/schemas/{model}"
DOCS_CSP = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "script-src 'nonce-{nonce}' 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(service: PredictionService, names: ServerNames) -> FastAPI:
    """Create the application of a prediction service.

    Args:
        service: answers the requests.
        names: the names under which the server is reached.
    """
    card, limits, receiver = service.card, service.limits, BodyReceiver(service.limits)
    what = {"character": "one character", "line": "lines of text", "picture": "one object"}[card.kind]
    app = FastAPI(
        title="Text recognizer",
        version=card.digest,
        description=f"Reads {what} in a picture, with {card.model_class} trained on {card.data_class}. "
        "The version is the digest of the model. [The page to write on](./)\n\n"
        "From a terminal: `curl -F picture=@letter.png ADDRESS/predict`",
        servers=[{"url": "./"}],  # where the description is: a proxy may serve it below a path
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it redirects to an address that may be wrong in front of a proxy
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=error_handlers(service.metrics),
        responses=described(403, 500),
    )
    app.openapi = lambda: _description(app, card)

    @app.get("/", summary="The web page to write on", response_description="The page.", response_class=HTMLResponse)
    async def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(template(PAGE).render(nonce=nonce), headers=page_headers(nonce))

    @app.get(
        "/docs", summary="This description as a web page", response_description="The page.", response_class=HTMLResponse
    )
    async def docs() -> Response:
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(_docs_page(app.title, nonce), headers=page_headers(nonce, DOCS_CSP))

    @app.get("/openapi.json", summary="This description", response_description="This description.")
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    @app.get("/model", summary="Information about the model", response_description="Information about the model.")
    async def model() -> schemas.Model:
        return service.model()

    @app.get(
        "/health",
        summary="Health check",
        response_description="Health check.",
        response_model=schemas.Health,
        responses={503: {"model": schemas.Health, "description": "The server is shutting down."}},
    )
    async def health() -> Response:
        return JSONResponse(service.health().model_dump(), 503 if service.closing else 200)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_description="Metrics for Prometheus.",
        response_class=PlainTextResponse,
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=1.0.0; charset=utf-8")

    @app.post(
        "/predict",
        summary="Read a picture",
        response_description="The reading.",
        description="The picture must be JPEG, PNG, WebP, GIF or BMP (its content counts, not its name), of at most "
        f"{limits.max_bytes / 1e6:g} MB and {limits.max_pixels / 1e6:g} megapixels, dark on light or light on dark. "
        "With `?preview=true`, the answer shows how the picture was read.",
        response_model=schemas.Reading,
        responses=described(400, 408, 413, 415, 422, 429, 503),
        openapi_extra=_body(
            {
                "image/*": {"type": "string", "contentMediaType": "image/*"},
                "multipart/form-data": _ref(schemas.PictureForm),
                "application/json": _ref(schemas.Picture),
            }
        ),
    )
    async def predict(request: Request, preview: bool = False) -> Response:
        check_is_picture(request)
        async with receiver.receive(request, max_body_bytes(request, limits)) as body:
            picture = await parse_picture(request, body)
            if picture.keep:
                service.check_has_store()
            return _json(await service.predict(picture, request.receive, preview))

    @app.post(
        "/correct",
        summary="Correct or confirm a reading",
        response_description="The label is on disk.",
        description="Stores what a picture shows: a new picture, or one that was kept before (`id`). A label equal "
        "to the reading confirms it. The answer is sent when the label is on disk.",
        response_model=schemas.Kept,
        responses=described(400, 404, 408, 413, 415, 422, 429, 503),
        openapi_extra=_body({"application/json": _ref(schemas.Correction)}),
    )
    async def correct(request: Request) -> Response:
        check_is_json(request)
        service.check_has_store()
        async with receiver.receive(request, max_body_bytes(request, limits)) as body:
            return _json(await service.correct(parse_json(body, schemas.Correction), request.receive))

    @app.post(
        "/forget",
        summary="Delete a picture that was kept",
        response_description="The picture is deleted.",
        description="Deletes the picture, its reading and its correction from the disk.",
        response_model=schemas.Forgotten,
        responses=described(400, 404, 408, 413, 415, 422, 429, 503),
        openapi_extra=_body({"application/json": _ref(schemas.Which)}),
    )
    async def forget(request: Request) -> Response:
        check_is_json(request)
        async with receiver.receive(request, OVERHEAD_BYTES) as body:
            service.check_has_store()
            return _json(await service.forget(parse_json(body, schemas.Which)))

    app.routes.extend(_drift_routes(service))
    app.mount("/static", WholeFiles(directory=STATIC), name="static")

    def count_refusal(status: int) -> None:
        service.metrics.count_rejection("forbidden" if status == 403 else "malformed")

    busy = {"address": "/predict", "busy": lambda: service.reader.full and not service.closing}
    app.add_middleware(BusyMiddleware, metrics=service.metrics, **busy)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(SecurityMiddleware, names=names, refused=count_refusal)
    app.add_middleware(MetricsMiddleware, metrics=service.metrics, routes=[route.path for route in app.routes])
    return app


def _drift_routes(service: PredictionService) -> list[BaseRoute]:
    """Return the routes of the drift page, which compares the kept pictures with the training data."""
    if service.store is None:
        return []
    from lab_kit.feedback import drift_page

    return drift_page.routes(service.store, service.card.digest, service.card.reference)


def _docs_page(title: str, nonce: str) -> str:
    """Return Swagger UI's page with relative addresses, so that it works below a path."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url="static/swagger-ui-bundle.js",
        swagger_css_url="static/swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    return page.body.decode().replace("<script>", f'<script nonce="{nonce}">')


def _description(app: FastAPI, card: Any) -> dict[str, Any]:
    """Return the OpenAPI description, with what requests hold, and which labels the model can learn."""
    if app.openapi_schema is None:
        description = FastAPI.openapi(app)
        models = (schemas.Picture, schemas.PictureForm, schemas.Correction, schemas.Which, schemas.Error)
        found = models_json_schema([(model, "validation") for model in models], ref_template=REF)[1]["$defs"]
        components = description["components"]["schemas"] | found
        for name in ("Correction", "Kept"):
            components[name]["properties"]["label"] |= schemas.label_schema(card)
        description["components"]["schemas"] = components
        app.openapi_schema = description
    return app.openapi_schema


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def _body(kinds: dict[str, Any]) -> dict[str, Any]:
    content = {kind: {"schema": schema} for kind, schema in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}
