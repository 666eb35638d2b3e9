"""The server's description for programs (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0), written out."""

from typing import Any

from text_recognizer.shipping.model_card import ModelCard
from text_recognizer.web.limits import Limits

_ERRORS = {
    "400": "The request makes no sense: broken JSON, a broken form, or no picture in it.",
    "403": "Another page has asked in a visitor's name, or the server was called by a wrong name.",
    "404": "There is no such address, or no such picture.",
    "405": "The address does not take this method.",
    "408": "The request took too long to arrive.",
    "413": "Too many bytes or pixels.",
    "415": "Not a picture, or not sent in one of the ways below.",
    "422": "Understood, but impossible: nothing is written in the picture, or an entry has a wrong value.",
    "429": "Too many requests just now: ask again after `Retry-After` seconds.",
    "500": "A defect of the server.",
    "503": "The server is being shut down, cannot write to its disk, or the picture takes too long.",
}
_ALWAYS = ("403", "500")


def description(card: ModelCard, limits: Limits) -> dict[str, Any]:
    """Return the description of a server.

    Args:
        card: of the model that it reads with.
        limits: what it accepts.
    """
    what = {"character": "one character", "line": "a line of text", "picture": "one thing"}[card.kind]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Text recognizer",
            "version": card.digest,
            "description": f"Reads {what} in a picture, with {card.model_class} trained on {card.data_class}. "
            "The version is the digest of the model.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/predict": {"post": _predict(limits)},
            "/correct": {"post": _correct()},
            "/forget": {"post": _forget()},
            "/model": {"get": _get("What there is to know of the model", "Model")},
            "/health": {"get": _health()},
            "/metrics": {"get": _text("Figures of this server, for Prometheus", "text/plain")},
            "/openapi.json": {"get": _get("This description", None)},
            "/docs": {"get": _text("This description, to be read by people", "text/html")},
            "/": {"get": _text("The page to write on", "text/html")},
        },
        "components": {"schemas": _schemas(card)},
    }


def _predict(limits: Limits) -> dict[str, Any]:
    return {
        "summary": "Read a picture",
        "description": "The picture is JPEG, PNG, WebP, GIF or BMP, by its content and not its name, of at most "
        f"{limits.bytes / 1e6:g} MB and {limits.pixels / 1e6:g} megapixels. Dark on light or light on dark.",
        "operationId": "predict",
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}},
                "multipart/form-data": {"schema": _ref("PictureForm")},
                "application/json": {"schema": _ref("Picture")},
            },
        },
        "responses": _answers("Reading", "What was read.", "400", "408", "413", "415", "422", "429", "503"),
    }


def _correct() -> dict[str, Any]:
    return {
        "summary": "Say what a picture shows",
        "description": "Keeps a picture with what it shows, or notes it of one that was kept before. Equal to what was "
        "read, it confirms the reading. When this is answered, it is on disk.",
        "operationId": "correct",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Correction")}}},
        "responses": _answers("Kept", "It is on disk.", "400", "404", "408", "413", "415", "422", "429", "503"),
    }


def _forget() -> dict[str, Any]:
    return {
        "summary": "Forget a picture that was kept",
        "description": "Removes the picture, its reading and its correction from the disk.",
        "operationId": "forget",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Which")}}},
        "responses": _answers("Forgotten", "It is gone.", "400", "404", "408", "413", "415", "422", "429", "503"),
    }


def _health() -> dict[str, Any]:
    found = _get("Whether it works", "Health")
    closing = {"description": "It is being shut down.", "content": {"application/json": {"schema": _ref("Health")}}}
    return found | {"responses": found["responses"] | {"503": closing}}


def _get(summary: str, schema: str | None) -> dict[str, Any]:
    return {"summary": summary, "operationId": _name(summary), "responses": _answers(schema, summary + ".")}


def _text(summary: str, kind: str) -> dict[str, Any]:
    answer = {"description": summary + ".", "content": {kind: {"schema": {"type": "string"}}}}
    return {"summary": summary, "operationId": _name(summary), "responses": _errors(_ALWAYS) | {"200": answer}}


def _name(summary: str) -> str:
    """Return a name that programs can give to a function."""
    words = "".join(sign if sign.isalnum() else " " for sign in summary).split()
    return words[0].lower() + "".join(word.capitalize() for word in words[1:])


def _answers(schema: str | None, words: str, *errors: str) -> dict[str, Any]:
    content = {"schema": {"type": "object"} if schema is None else _ref(schema)}
    good = {"200": {"description": words, "content": {"application/json": content}}}
    return good | _errors((*errors, *_ALWAYS))


def _errors(numbers: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for number in sorted(numbers):
        found[number] = {
            "description": _ERRORS[number],
            "content": {"application/json": {"schema": _ref("Error")}},
        }
        if number in ("429", "503"):
            about = {"description": "Seconds after which to ask again.", "schema": {"type": "integer", "minimum": 1}}
            found[number]["headers"] = {"Retry-After": about}
    return found


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(card: ModelCard) -> dict[str, Any]:
    """Return the shapes of everything that is sent and answered."""
    text, share = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
    base64 = text | {
        "contentEncoding": "base64",
        "description": "The file in base64, or a data URL of it: data:image/png;base64,...",
    }
    identity = text | {"description": "As it was answered when the picture was kept."}
    how = {"enum": ["pen", "photo"], "default": "photo", "description": "Written on a page, or photographed."}
    keep = {"type": "boolean", "default": False, "description": "Keep the picture: only with its writer's consent."}
    label = text | {"description": "What the picture shows."}
    if card.kind == "line":
        label |= {"minLength": 1, "maxLength": card.output_dims[0]}
    else:
        label |= {"enum": list(card.choices)}
    guess = _object({"text": text, "confidence": share})
    return {
        "Error": _object({"error": text | {"description": "What is wrong and what to do, in one line."}}),
        "Picture": _object({"picture": base64, "keep": keep, "how": how}, "picture"),
        "PictureForm": _object(
            {
                "picture": text | {"contentMediaType": "image/*", "description": "The file."},
                "keep": keep,
                "how": how,
            },
            "picture",
        ),
        "Reading": _object(
            {
                "text": text,
                "confidence": share,
                "guesses": {"type": "array", "items": guess, "minItems": 1, "maxItems": 5, "description": "Best first"},
                "seen": text | {"description": "What the network saw, as a data URL of a PNG."},
                "milliseconds": {"type": "number", "minimum": 0, "description": "Of unpacking and reading."},
                "model": text | {"description": "The digest of the model."},
                "id": identity | {"description": "Of the picture, if it was kept."},
            },
            *("text", "confidence", "guesses", "seen", "milliseconds", "model"),
        ),
        "Correction": _object({"id": identity, "picture": base64, "how": how, "label": label}, "label")
        | {"oneOf": [{"required": ["id"]}, {"required": ["picture"]}]},
        "Kept": _object({"id": identity, "label": label, "kept": {"const": True}}),
        "Which": _object({"id": identity}),
        "Forgotten": _object({"id": identity, "forgotten": {"const": True}}),
        "Model": _object(
            {
                "kind": {"enum": ["character", "line", "picture"]},
                "classes": {"type": "array", "items": text, "description": "In the order of the network's outputs."},
                "choices": {"type": "array", "items": text, "description": "Classes, or characters, of an answer."},
                "longest": {"type": "integer", "minimum": 1, "description": "Characters of an answer."},
                "input_dims": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
                "model_class": text,
                "data_class": text,
                "source": text | {"description": "Which data it has learned from."},
                "figures": {"type": "object", "additionalProperties": {"type": "number"}},
                "created": text | {"format": "date-time"},
                "digest": text,
                "backend": {"enum": ["onnx", "int8", "torch"]},
                "feedback": {"type": "boolean", "description": "Whether pictures can be kept."},
                "limits": _object({"bytes": {"type": "integer"}, "pixels": {"type": "integer"}}),
            }
        ),
        "Health": _object(
            {
                "status": {"enum": ["ok", "closing"]},
                "model": text,
                "queue": {"type": "integer", "minimum": 0, "description": "Pictures that wait for their turn."},
                "in_progress": {"type": "integer", "minimum": 0, "description": "Pictures not answered yet."},
            }
        ),
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required or properties)}
