"""What the web service is sent, and what it answers: typed models, from which its description is made."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from lab_kit.serving.limits import RequestError

ACCEPTED_TYPES = "as multipart/form-data with a file `picture`, as image/png (or another image type), or as JSON"


def _decode_base64(text: object) -> bytes:
    """Decode base64 or a base64 data URL, with or without padding at the end."""
    if not isinstance(text, str):
        raise PydanticKnownError("string_type")
    start, comma, rest = text.partition(",")
    if comma and not (start.startswith("data:") and start.endswith(";base64")):
        raise PydanticCustomError("base64", "`picture` must be base64 or a base64 data URL: data:image/png;base64,...")
    characters = "".join((rest if comma else text).split())
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError("base64", "`picture` is not valid base64.") from None


Share = Annotated[float, Field(ge=0, le=1)]
Identity = Annotated[str, Field(description="The id from the answer when the picture was kept.")]
Label = Annotated[str, Field(description="What the picture shows.")]
How = Annotated[Literal["pen", "photo"], Field(description="Written on the web page, or a photo.")]
Base64Picture = Annotated[
    bytes,
    BeforeValidator(_decode_base64),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "The picture file in base64, or as a base64 data URL: data:image/png;base64,...",
        }
    ),
]
PictureFile = Annotated[
    bytes, WithJsonSchema({"type": "string", "contentMediaType": "image/*", "description": "The picture file."})
]
KEEP = "Keep the picture. Only with the consent of its writer."


class Picture(BaseModel):
    """A picture to read, as JSON."""

    picture: Base64Picture
    keep: Annotated[StrictBool, Field(description=KEEP)] = False
    how: How = "photo"


class PictureForm(BaseModel):
    """A picture to read, as a form or by itself."""

    picture: PictureFile
    keep: Annotated[bool, Field(description=KEEP)] = False
    how: How = "photo"


class Correction(BaseModel, json_schema_extra={"oneOf": [{"required": ["id"]}, {"required": ["picture"]}]}):
    """What a picture shows: one that was kept before, or a new one."""

    id: Identity = ""
    picture: Base64Picture = b""
    how: How = "photo"
    label: Label

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.model_fields_set & {"id"}) == bool(self.model_fields_set & {"picture"}):
            raise PydanticCustomError("either", "Send either the `id` of a picture that was kept, or a `picture`.")
        return self


class Which(BaseModel):
    """A picture that was kept before."""

    id: Identity


class Error(BaseModel):
    """The answer to a request that is not accepted."""

    error: str = Field(description="What is wrong and what to do, in one line.")


class Guess(BaseModel):
    """One of the texts that a picture may show."""

    text: str
    confidence: Share


class Line(BaseModel):
    """A line of a page."""

    text: str
    confidence: Share
    corners: list[tuple[Share, Share]] = Field(
        min_length=4,
        max_length=4,
        description="Of its box, clockwise from the upper left: from the left and from the top of the picture, as "
        "shares of its width and its height.",
    )


class Reading(BaseModel):
    """The answer of `/predict`."""

    text: str
    confidence: Share
    guesses: list[Guess] = Field(min_length=1, max_length=5, description="The best first.")
    lines: list[Line] | None = Field(None, description="Of a page, in the order in which they are read.")
    seen: str = Field(
        description="The input of the network, as a data URL of a PNG; of a page, its lines one below the other."
    )
    preview: str | None = Field(
        None, description="The picture as it was read, small, as a data URL of a PNG. With `?preview=true`."
    )
    milliseconds: float = Field(ge=0, description="Time for decoding and reading the picture.")
    model: str = Field(description="The digest of the model.")
    id: str | None = Field(None, description="The id of the picture, if it was kept.")


class Kept(BaseModel):
    """The answer of `/correct`."""

    id: Identity
    label: Label
    kept: Literal[True] = True


class Forgotten(BaseModel):
    """The answer of `/forget`."""

    id: Identity
    forgotten: Literal[True] = True


class Limits(BaseModel):
    """The limits of one picture."""

    bytes: int
    pixels: int


class Model(BaseModel, protected_namespaces=()):
    """The answer of `/model`."""

    kind: Literal["character", "line", "picture"]
    classes: list[str] = Field(description="In the order of the network's outputs.")
    choices: list[str] = Field(description="Classes, or characters, that an answer can have.")
    longest: int = Field(ge=1, description="Maximum number of characters of an answer.")
    input_dims: tuple[int, int, int]
    model_class: str
    data_class: str
    source: str = Field(description="The training data.")
    figures: dict[str, float]
    created: str = Field(json_schema_extra={"format": "date-time"})
    digest: str
    backend: Literal["onnx", "int8", "torch"]
    feedback: bool = Field(description="Whether pictures can be kept.")
    limits: Limits


class Health(BaseModel):
    """The answer of `/health`."""

    status: Literal["ok", "closing"]
    model: str
    queue: int = Field(ge=0, description="Pictures in the queue.")
    in_progress: int = Field(ge=0, description="Pictures that are not answered yet.")


def refusal(error: ValidationError) -> RequestError:
    """Return what is wrong with a request that does not fit its model."""
    first = error.errors(include_url=False, include_input=False)[0]
    kind, field = first["type"], str(first["loc"][0]) if first["loc"] else ""
    if kind == "json_invalid":
        return RequestError(400, "The body is not valid JSON.", "malformed")
    if kind == "model_type":
        return RequestError(400, 'The JSON must be an object, such as {"picture": "..."}.', "malformed")
    if kind == "base64":
        return RequestError(400, first["msg"], "malformed")
    if kind == "missing" and field == "picture":
        return RequestError(400, f"The request has no picture. Send one {ACCEPTED_TYPES}.", "malformed")
    if kind in ("missing", "either"):
        return RequestError(422, first["msg"] if kind == "either" else f"`{field}` is missing.", "invalid")
    wanted = {"keep": "true or false", "how": '"pen" or "photo"'}.get(field, "a string")
    return RequestError(422, f"`{field}` must be {wanted}.", "invalid")


def label_schema(card: Any) -> dict[str, Any]:
    """Return what the description says of labels besides: what the model of this card can learn."""
    if card.kind == "line":
        return {"minLength": 1, "maxLength": card.output_dims[0]}
    return {"enum": list(card.choices)}
