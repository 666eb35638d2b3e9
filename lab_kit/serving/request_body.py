"""Parse the bodies of requests: a picture can be sent as a form, as JSON, or as the picture file itself.

The picture is not decoded here. Parsing takes time proportional to the size of the body, whatever is in it.
"""

from collections.abc import AsyncIterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from lab_kit.serving.limits import BASE64_CHARACTERS_PER_BYTE, OVERHEAD_BYTES, RequestError, RequestLimits
from lab_kit.serving.schemas import ACCEPTED_TYPES, Picture, PictureForm, refusal

MAX_FORM_PARTS = 20  # our page sends three
MAX_JSON_ITEMS = 1_000  # commas and brackets of a JSON text: our requests have a few, and base64 has none

Parsed = TypeVar("Parsed", bound=BaseModel)


def media_type(request: Request) -> str:
    """Return the type of a request's body, such as image/png."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_is_picture(request: Request) -> None:
    """Raise RequestError (415) unless the body can hold a picture."""
    kind = media_type(request)
    if kind not in ("application/json", "multipart/form-data") and not kind.startswith("image/"):
        instead = f", not as {kind[:60]}" if kind else ""
        raise RequestError(415, f"Send the picture {ACCEPTED_TYPES}{instead}.", "type")


def check_is_json(request: Request) -> None:
    """Raise RequestError (415) unless the body is JSON."""
    if media_type(request) != "application/json":
        raise RequestError(415, "Send this request as application/json.", "type")


def max_body_bytes(request: Request, limits: RequestLimits) -> int:
    """Return how many bytes the body of a request with a picture may have."""
    if media_type(request) == "application/json":
        return int(limits.max_bytes * BASE64_CHARACTERS_PER_BYTE) + OVERHEAD_BYTES
    return limits.max_bytes + (OVERHEAD_BYTES if media_type(request) == "multipart/form-data" else 0)


async def parse_picture(request: Request, body: bytes) -> Picture | PictureForm:
    """Return the picture in a body; raises RequestError if it is malformed or has none (400), or is wrong (422)."""
    kind = media_type(request)
    if kind == "application/json":
        return parse_json(body, Picture)
    fields = {"picture": body} if kind.startswith("image/") else await _form_fields(request, body)
    try:
        return PictureForm.model_validate(fields)
    except ValidationError as error:
        raise refusal(error) from None


def parse_json(body: bytes, model: type[Parsed]) -> Parsed:
    """Return a JSON body as a model; raises RequestError if it is no JSON object (400), or a field is wrong (422)."""
    # Before it is parsed: nested lists take 30 times the memory of their text.
    if sum(body.count(sign) for sign in (b"[", b"{", b",")) > MAX_JSON_ITEMS:
        raise RequestError(400, "The JSON has too many parts: a request needs only a few fields.", "malformed")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refusal(error) from None


async def _form_fields(request: Request, body: bytes) -> dict[str, bytes | str]:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=MAX_FORM_PARTS)
    parser.spool_max_size = len(body)  # it is in memory already: no file for it
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:  # the last of a charset that is none, or of old parsers
        reason = getattr(error, "message", "it has no boundary, or one that is no text")
        raise RequestError(400, f"The form is malformed: {reason}", "malformed") from None
    names = [name for name, _ in form.multi_items()]
    if twice := next((name for name in names if names.count(name) > 1), None):  # which one is the user's will?
        raise RequestError(400, f"The form has the field `{twice[:40]}` more than once.", "malformed")
    return {name: await value.read() if isinstance(value, UploadFile) else value for name, value in form.items()}
