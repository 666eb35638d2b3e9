"""From what somebody has sent to what is read in it, in threads that are never asked for more than they can do."""

import base64
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from text_recognizer.photo.open_picture import Limits as PictureLimits
from text_recognizer.photo.open_picture import open_picture
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.decoding import Reading
from text_recognizer.web.limits import Limits, Refusal
from text_recognizer.web.metrics import Metrics
from text_recognizer.web.pool import Pool
from text_recognizer.web.submission import Submission

QUICK_PIXELS = 1_000_000  # more are unpacked by a thread of their own
PHOTO_QUEUE = 8  # photos that can wait for it


@dataclass(frozen=True)
class Answer:
    """What was read, and in what.

    Args:
        submission: what somebody has sent.
        seen: (C, H, W) uint8, what the network saw.
        reading: what it read.
        milliseconds: from unpacking the picture to the reading.
    """

    submission: Submission
    seen: np.ndarray
    reading: Reading
    milliseconds: float

    def as_dict(self, digest: str) -> dict[str, Any]:
        """Return it as `/predict` answers it."""
        return {
            "text": self.reading.text,
            "confidence": round(self.reading.confidence, 4),
            "guesses": [{"text": text, "confidence": round(share, 4)} for text, share in self.reading.guesses],
            "seen": _as_url(self.seen),
            "milliseconds": round(self.milliseconds, 2),
            "model": digest,
        }


class Reader:
    """Reads what is sent, in two queues.

    Drawings and small pictures share one, so that each takes a few milliseconds. Large pictures, of which one can take
    a second, have a thread of their own: however many somebody sends, those who write on the page do not wait for them.

    Args:
        recognizer: reads.
        workers: threads for drawings.
        queue: how many drawings can wait.
        limits: what is accepted.
        metrics: where what happens is counted.
    """

    def __init__(self, recognizer: Recognizer, workers: int, queue: int, limits: Limits, metrics: Metrics) -> None:
        self.recognizer, self._metrics = recognizer, metrics
        self._limits = PictureLimits(max_bytes=limits.bytes, max_pixels=limits.pixels)
        self._drawings = Pool(workers, queue, limits.waiting, "drawings")
        self._photos = Pool(1, PHOTO_QUEUE, limits.waiting, "photos")

    @property
    def waiting(self) -> int:
        """How many pictures wait for their turn."""
        return self._drawings.waiting + self._photos.waiting

    @property
    def active(self) -> int:
        """How many pictures have not been answered yet."""
        return self._drawings.active + self._photos.active

    @property
    def full(self) -> bool:
        """Whether the next drawing would be refused."""
        return self._drawings.full

    async def read(self, parse: Callable[[], Submission], gone: Callable[[], Awaitable[Any]] | None = None) -> Answer:
        """Return what is read in a picture.

        Args:
            parse: finds the picture in a request.
            gone: returns when the one who asked has gone.

        Raises:
            Refusal: what was sent makes no sense, or it is too busy here.
            UserError: the picture is none, or nothing is written in it.
        """
        found = await self._drawings.call(self._read_quickly, parse, gone=gone)
        return await self._photos.call(self._read, found, gone=gone) if isinstance(found, Submission) else found

    def close(self, seconds: float) -> bool:
        """Finish what is in the queues; returns whether that was within `seconds`."""
        end = time.monotonic() + seconds
        return all([pool.close(max(0.0, end - time.monotonic())) for pool in (self._drawings, self._photos)])

    def _read_quickly(self, parse: Callable[[], Submission]) -> Answer | Submission:
        """Read a picture if that is quick, else return it for those who have more time."""
        submission = parse()
        return submission if _pixels(submission.picture) > QUICK_PIXELS else self._read(submission)

    def _read(self, submission: Submission) -> Answer:
        if submission.picture is None:
            raise Refusal(400, "There is no picture in this request.", "malformed")
        start = time.perf_counter()
        seen = self.recognizer.prepare(open_picture(submission.picture, self._limits))
        prepared = time.perf_counter()
        [reading] = self.recognizer.read(seen[None])
        end = time.perf_counter()
        self._metrics.read(prepared - start, end - prepared, reading.confidence)
        return Answer(submission, seen, reading, 1000 * (end - start))


def _pixels(content: bytes | None) -> float:
    """Return how many pixels a picture says to have, without unpacking it."""
    try:
        with Image.open(io.BytesIO(content or b""), formats=PictureLimits().formats) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return float("inf")
    except Exception:  # whatever it is, open_picture will find words for it
        return 0


def _as_url(seen: np.ndarray) -> str:
    """Return (C, H, W) uint8 as a data URL of a PNG."""
    picture = Image.fromarray(seen[0] if len(seen) == 1 else np.ascontiguousarray(seen.transpose(1, 2, 0)))
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
