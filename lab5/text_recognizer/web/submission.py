"""What a request's body says, in any of the three ways in which a picture can be sent.

Nothing here looks at the picture itself. All of it runs at the speed of `bytes.split` and its like, whatever the body.
"""

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from python_multipart.multipart import parse_options_header

from text_recognizer.web.limits import AROUND, BASE64, Limits, Refusal

MOST_PARTS = 20  # of a form; ours have three
MOST_COMMAS = 1_000  # of a JSON text, and brackets: ours have a handful, and base64 has none
LONGEST_BOUNDARY = 70  # characters (RFC 2046)
WAYS = "as multipart/form-data with a file `picture`, as image/png (or another image type), or as application/json"

How = Literal["pen", "photo"]


@dataclass(frozen=True)
class Submission:
    """What somebody has sent.

    Args:
        picture: the file's bytes, as they came.
        keep: whether it may be kept.
        how: whether it was written with a pen on the page, or is a photo.
        label: what it shows, according to the person.
        id: of a picture that was kept before.
    """

    picture: bytes | None = None
    keep: bool = False
    how: How = "photo"
    label: str | None = None
    id: str | None = None


def longest(content_type: str, limits: Limits) -> int:
    """Return how many bytes a body of this type may have."""
    if _kind(content_type) == "application/json":
        return int(limits.bytes * BASE64) + AROUND
    return limits.bytes + (AROUND if _kind(content_type) == "multipart/form-data" else 0)


def check_type(content_type: str) -> None:
    """Refuse (415) a body that cannot hold a picture.

    Raises:
        Refusal: it is of another type.
    """
    kind = _kind(content_type)
    if kind not in ("application/json", "multipart/form-data") and not kind.startswith("image/"):
        raise Refusal(415, f"A picture is sent {WAYS}{f', not as {kind[:60]}' if kind else ''}.", "type")


def with_picture(content_type: str, body: bytes) -> Submission:
    """Return what a body says that must hold a picture.

    Raises:
        Refusal: it makes no sense (400), says something impossible (422), or is of another type (415).
    """
    check_type(content_type)
    kind = _kind(content_type)
    if kind.startswith("image/"):
        found = Submission(body)
    else:
        found = from_json(body) if kind == "application/json" else _from_form(content_type, body)
    if found.picture is None:
        raise Refusal(400, f"There is no picture in this request. Send one {WAYS}.", "malformed")
    return found


def from_json(body: bytes) -> Submission:
    """Return what a JSON object says.

    Raises:
        Refusal: it is none (400), or an entry is of the wrong type (422).
    """
    if sum(body.count(sign) for sign in (b"[", b"{", b",")) > MOST_COMMAS:  # a list of lists takes 30 times its length
        raise Refusal(400, "This JSON has far more parts than a request of ours.", "malformed")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "This is not JSON, although the request says so.", "malformed") from None
    if not isinstance(content, dict):
        raise Refusal(400, 'The JSON must be an object, such as {"picture": "..."}.', "malformed")
    found = Submission()
    for name, value in content.items():
        found = _with(found, name, value)
    return found


def _with(found: Submission, name: str, value: Any) -> Submission:
    match name, value:
        case "picture", str():
            return replace(found, picture=_from_base64(value))
        case "keep", bool():
            return replace(found, keep=value)
        case "how", "pen" | "photo":
            return replace(found, how=value)
        case (("label" | "id"), str()):
            return replace(found, **{name: value})
        case (("picture" | "keep" | "how" | "label" | "id"), _):
            wanted = {"keep": "true or false", "how": '"pen" or "photo"'}.get(name, "a text")
            raise Refusal(422, f"`{name}` must be {wanted}.", "invalid")
    return found  # what we do not know may be meant for a newer version


def _from_base64(text: str) -> bytes:
    """Decode base64, or a data URL of it, as pages and programs write them: with or without padding at the end."""
    start, comma, rest = text.partition(",")
    if comma and not (start.startswith("data:") and start.endswith(";base64")):
        raise Refusal(400, "`picture` must be base64, or a data URL of it: data:image/png;base64,...", "malformed")
    characters = "".join((rest if comma else text).split())
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "`picture` is not base64.", "malformed") from None


def _from_form(content_type: str, body: bytes) -> Submission:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise Refusal(400, "This form has no boundary between its parts, or an impossible one.", "malformed")
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_PARTS + 2)
    if len(parts) > MOST_PARTS + 1:
        raise Refusal(400, f"This form has more than {MOST_PARTS} parts.", "malformed")
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise Refusal(400, "This form is broken, or was cut short.", "malformed")
    found = Submission()
    for part in parts[:-1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        if not separator or len(head) > AROUND:
            raise Refusal(400, "This form is broken: a part of it has no head.", "malformed")
        name = _name(head)
        if name == "picture":
            found = replace(found, picture=content)
        elif name == "keep":
            found = _with(found, name, {b"true": True, b"false": False}.get(content.strip().lower()))
        elif name in ("how", "label", "id"):
            found = _with(found, name, content[:AROUND].decode("utf-8", "replace").strip())
    return found


def _name(head: bytes) -> str:
    """Return the name of a form's field."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            return parse_options_header(value.strip())[1].get(b"name", b"").decode("utf-8", "replace")
    return ""


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
