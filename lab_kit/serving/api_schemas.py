"""The JSON schemas of all requests and answers in the API description."""

from typing import Any


def json_schemas(card: Any) -> dict[str, Any]:
    """Return the JSON schemas of all requests and answers, by name.

    Args:
        card: the model card; used are `kind`, `choices` and `output_dims`.
    """
    text, share = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
    base64 = text | {
        "contentEncoding": "base64",
        "description": "The picture file in base64, or as a base64 data URL: data:image/png;base64,...",
    }
    identity = text | {"description": "The id from the answer when the picture was kept."}
    how = {"enum": ["pen", "photo"], "default": "photo", "description": "Written on the web page, or a photo."}
    keep = {
        "type": "boolean",
        "default": False,
        "description": "Keep the picture. Only with the consent of its writer.",
    }
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
                "picture": text | {"contentMediaType": "image/*", "description": "The picture file."},
                "keep": keep,
                "how": how,
            },
            "picture",
        ),
        "Reading": _object(
            {
                "text": text,
                "confidence": share,
                "guesses": {
                    "type": "array",
                    "items": guess,
                    "minItems": 1,
                    "maxItems": 5,
                    "description": "The best first.",
                },
                "seen": text | {"description": "The input of the network, as a data URL of a PNG."},
                "preview": text
                | {"description": "The picture as it was read, small, as a data URL of a PNG. With `?preview=true`."},
                "milliseconds": {
                    "type": "number",
                    "minimum": 0,
                    "description": "Time for decoding and reading the picture.",
                },
                "model": text | {"description": "The digest of the model."},
                "id": identity | {"description": "The id of the picture, if it was kept."},
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
                "choices": {
                    "type": "array",
                    "items": text,
                    "description": "Classes, or characters, that an answer can have.",
                },
                "longest": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "Maximum number of characters of an answer.",
                },
                "input_dims": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
                "model_class": text,
                "data_class": text,
                "source": text | {"description": "The training data."},
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
                "queue": {"type": "integer", "minimum": 0, "description": "Pictures in the queue."},
                "in_progress": {"type": "integer", "minimum": 0, "description": "Pictures that are not answered yet."},
            }
        ),
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required or properties)}
