"""Parse request bodies: a picture can be sent as a form, as JSON, or as the picture file itself.

The picture itself is not decoded here. Parsing takes time proportional to the size of the body, whatever is in it.
"""

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from python_multipart.multipart import parse_options_header

from lab_kit.serving.limits import BASE64_CHARACTERS_PER_BYTE, OVERHEAD_BYTES, RequestError, RequestLimits

MAX_FORM_PARTS = 20  # our page sends three
MAX_JSON_ITEMS = 1_000  # commas and brackets of a JSON text: our requests have a few, and base64 has none
MAX_BOUNDARY_LENGTH = 70  # characters (RFC 2046)
ACCEPTED_TYPES = "as multipart/form-data with a file `picture`, as image/png (or another image type), or as JSON"

PictureSource = Literal["pen", "photo"]


@dataclass(frozen=True)
class PredictRequest:
    """The fields of a request.

    Args:
        picture: the bytes of the picture file.
        keep: whether the server may keep the picture.
        how: `pen` if it was written on the page, `photo` if it is a photo.
        label: what the picture shows, according to the user.
        id: the id of a picture that was kept before.
    """

    picture: bytes | None = None
    keep: bool = False
    how: PictureSource = "photo"
    label: str | None = None
    id: str | None = None


def max_body_bytes(content_type: str, limits: RequestLimits) -> int:
    """Return how many bytes a request body of this content type may have."""
    if _media_type(content_type) == "application/json":
        return int(limits.max_bytes * BASE64_CHARACTERS_PER_BYTE) + OVERHEAD_BYTES
    return limits.max_bytes + (OVERHEAD_BYTES if _media_type(content_type) == "multipart/form-data" else 0)


def check_content_type(content_type: str) -> None:
    """Check that a body of this content type can hold a picture.

    Raises:
        RequestError: it cannot (415).
    """
    media_type = _media_type(content_type)
    if media_type not in ("application/json", "multipart/form-data") and not media_type.startswith("image/"):
        instead = f", not as {media_type[:60]}" if media_type else ""
        raise RequestError(415, f"Send the picture {ACCEPTED_TYPES}{instead}.", "type")


def parse_predict_request(content_type: str, body: bytes) -> PredictRequest:
    """Parse a request body that must contain a picture.

    Raises:
        RequestError: it is malformed or has no picture (400), a field has a wrong value (422), or the content type is
            wrong (415).
    """
    check_content_type(content_type)
    media_type = _media_type(content_type)
    if media_type.startswith("image/"):
        request = PredictRequest(body)
    else:
        request = parse_json(body) if media_type == "application/json" else _parse_form(content_type, body)
    if request.picture is None:
        raise RequestError(400, f"The request has no picture. Send one {ACCEPTED_TYPES}.", "malformed")
    return request


def parse_json(body: bytes) -> PredictRequest:
    """Parse a request body that is a JSON object.

    Raises:
        RequestError: it is not a JSON object (400), or a field has a wrong value (422).
    """
    # Before it is parsed: nested lists take 30 times the memory of their text.
    if sum(body.count(sign) for sign in (b"[", b"{", b",")) > MAX_JSON_ITEMS:
        raise RequestError(400, "The JSON has too many parts: a request needs only a few fields.", "malformed")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is not valid JSON.", "malformed") from None
    if not isinstance(content, dict):
        raise RequestError(400, 'The JSON must be an object, such as {"picture": "..."}.', "malformed")
    request = PredictRequest()
    for name, value in content.items():
        request = _with_field(request, name, value)
    return request


def _with_field(request: PredictRequest, name: str, value: Any) -> PredictRequest:
    match name, value:
        case "picture", str():
            return replace(request, picture=_decode_base64(value))
        case "keep", bool():
            return replace(request, keep=value)
        case "how", "pen" | "photo":
            return replace(request, how=value)
        case (("label" | "id"), str()):
            return replace(request, **{name: value})
        case (("picture" | "keep" | "how" | "label" | "id"), _):
            wanted = {"keep": "true or false", "how": '"pen" or "photo"'}.get(name, "a string")
            raise RequestError(422, f"`{name}` must be {wanted}.", "invalid")
    return request  # other fields are ignored: a newer version may use them


def _decode_base64(text: str) -> bytes:
    """Decode base64 or a base64 data URL, with or without padding at the end."""
    start, comma, rest = text.partition(",")
    if comma and not (start.startswith("data:") and start.endswith(";base64")):
        raise RequestError(400, "`picture` must be base64 or a base64 data URL: data:image/png;base64,...", "malformed")
    characters = "".join((rest if comma else text).split())
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(400, "`picture` is not valid base64.", "malformed") from None


def _parse_form(content_type: str, body: bytes) -> PredictRequest:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= MAX_BOUNDARY_LENGTH:
        raise RequestError(400, "The form has no boundary, or an invalid one.", "malformed")
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_FORM_PARTS + 2)
    if len(parts) > MAX_FORM_PARTS + 1:
        raise RequestError(400, f"The form has more than {MAX_FORM_PARTS} parts.", "malformed")
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise RequestError(400, "The form is malformed or incomplete.", "malformed")
    request = PredictRequest()
    for part in parts[:-1]:
        header, separator, content = part.partition(b"\r\n\r\n")
        if not separator or len(header) > OVERHEAD_BYTES:
            raise RequestError(
                400, "The form is malformed: a part has no header, or one that is too long.", "malformed"
            )
        name = _field_name(header)
        if name == "picture":
            request = replace(request, picture=content)
        elif name == "keep":
            request = _with_field(request, name, {b"true": True, b"false": False}.get(content.strip().lower()))
        elif name in ("how", "label", "id"):
            request = _with_field(request, name, content[:OVERHEAD_BYTES].decode("utf-8", "replace").strip())
    return request


def _field_name(header: bytes) -> str:
    """Return the field name in the header of a form part."""
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            return parse_options_header(value.strip())[1].get(b"name", b"").decode("utf-8", "replace")
    return ""


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
