"""The OpenAPI 3.1 description of the server's addresses (https://spec.openapis.org/oas/v3.1.0)."""

from typing import Any

from lab_kit.serving.api_schemas import json_schemas
from lab_kit.serving.limits import RequestLimits

_ERRORS = {
    "400": "Malformed request: invalid JSON, an invalid form, or no picture.",
    "403": "The request comes from another web page, or uses a host name that is not allowed.",
    "404": "There is no such address, or no such picture.",
    "405": "The address does not accept this method.",
    "408": "The request stopped arriving, or came too slowly.",
    "413": "Too many bytes or pixels.",
    "415": "The body is not a picture, or the content type is not one of those below.",
    "422": "The request is well-formed, but nothing is written in the picture, or a field has a wrong value.",
    "429": "The server is too busy. Try again after `Retry-After` seconds.",
    "500": "Internal error of the server.",
    "503": "The server is shutting down, cannot write to its disk, or the picture takes too long.",
}
_ERRORS_OF_ALL_ROUTES = ("403", "500")


def describe_api(card: Any, limits: RequestLimits) -> dict[str, Any]:
    """Return the OpenAPI description of a server.

    Args:
        card: the model card; used are `kind`, `digest`, `model_class`, `data_class`, `output_dims` and `choices`.
        limits: the limits for requests.
    """
    what = {"character": "one character", "line": "a line of text", "picture": "one object"}[card.kind]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Text recognizer",
            "version": card.digest,
            "description": f"Reads {what} in a picture, with {card.model_class} trained on {card.data_class}. "
            "The version is the digest of the model.",
        },
        "servers": [{"url": "./"}],  # where this description is: a proxy may serve it below a path
        "paths": {
            "/predict": {"post": _predict(limits)},
            "/correct": {"post": _correct()},
            "/forget": {"post": _forget()},
            "/model": {"get": _get("Information about the model", "Model")},
            "/health": {"get": _health()},
            "/metrics": {"get": _text("Metrics for Prometheus", "text/plain")},
            "/openapi.json": {"get": _get("This description", None)},
            "/docs": {"get": _text("This description as a web page", "text/html")},
            "/": {"get": _text("The web page to write on", "text/html")},
        },
        "components": {"schemas": json_schemas(card)},
    }


def _predict(limits: RequestLimits) -> dict[str, Any]:
    return {
        "summary": "Read a picture",
        "description": "The picture must be JPEG, PNG, WebP, GIF or BMP (its content counts, not its name), of at most "
        f"{limits.max_bytes / 1e6:g} MB and {limits.max_pixels / 1e6:g} megapixels, dark on light or light on dark. "
        "With `?preview=true`, the answer shows how the picture was read.",
        "operationId": "predict",
        "parameters": [
            {
                "name": "preview",
                "in": "query",
                "description": "Whether the answer has a `preview` of the picture.",
                "schema": {"type": "boolean", "default": False},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}},
                "multipart/form-data": {"schema": _ref("PictureForm")},
                "application/json": {"schema": _ref("Picture")},
            },
        },
        "responses": _responses("Reading", "The reading.", "400", "408", "413", "415", "422", "429", "503"),
    }


def _correct() -> dict[str, Any]:
    return {
        "summary": "Correct or confirm a reading",
        "description": "Stores what a picture shows: a new picture, or one that was kept before (`id`). A label equal "
        "to the reading confirms it. The answer is sent when the label is on disk.",
        "operationId": "correct",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Correction")}}},
        "responses": _responses(
            "Kept", "The label is on disk.", "400", "404", "408", "413", "415", "422", "429", "503"
        ),
    }


def _forget() -> dict[str, Any]:
    return {
        "summary": "Delete a picture that was kept",
        "description": "Deletes the picture, its reading and its correction from the disk.",
        "operationId": "forget",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Which")}}},
        "responses": _responses(
            "Forgotten", "The picture is deleted.", "400", "404", "408", "413", "415", "422", "429", "503"
        ),
    }


def _health() -> dict[str, Any]:
    result = _get("Health check", "Health")
    closing = {
        "description": "The server is shutting down.",
        "content": {"application/json": {"schema": _ref("Health")}},
    }
    return result | {"responses": result["responses"] | {"503": closing}}


def _get(summary: str, schema: str | None) -> dict[str, Any]:
    return {"summary": summary, "operationId": _name(summary), "responses": _responses(schema, summary + ".")}


def _text(summary: str, kind: str) -> dict[str, Any]:
    answer = {"description": summary + ".", "content": {kind: {"schema": {"type": "string"}}}}
    return {
        "summary": summary,
        "operationId": _name(summary),
        "responses": _errors(_ERRORS_OF_ALL_ROUTES) | {"200": answer},
    }


def _name(summary: str) -> str:
    """Return a summary in camelCase, as an operation id."""
    words = "".join(sign if sign.isalnum() else " " for sign in summary).split()
    return words[0].lower() + "".join(word.capitalize() for word in words[1:])


def _responses(schema: str | None, words: str, *errors: str) -> dict[str, Any]:
    content = {"schema": {"type": "object"} if schema is None else _ref(schema)}
    good = {"200": {"description": words, "content": {"application/json": content}}}
    return good | _errors((*errors, *_ERRORS_OF_ALL_ROUTES))


def _errors(statuses: tuple[str, ...]) -> dict[str, Any]:
    result = {}
    for status in sorted(statuses):
        result[status] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": _ref("Error")}},
        }
        if status in ("429", "503"):
            header = {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}}
            result[status]["headers"] = {"Retry-After": header}
    return result


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
