"""Read the pictures of requests in worker threads, with queues of limited length."""

import base64
import io
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lab_kit.datasets.picture_formats import NotAPicture, TooLarge, open_image
from lab_kit.photo.open_picture import ImageLimits, open_picture
from lab_kit.photo.picture_arrays import array_to_look_at
from lab_kit.serving import schemas
from lab_kit.serving.inference_queue import InferenceQueue
from lab_kit.serving.limits import RequestLimits
from lab_kit.serving.metrics import Metrics
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.read_logits import Reading, join_lines

MAX_SMALL_PIXELS = 1_000_000  # larger pictures are decoded by a separate thread
MAX_WAITING_PHOTOS = 8  # large pictures that can wait for that thread


@dataclass(frozen=True)
class Prediction:
    """A picture that was read.

    Args:
        opened: the picture as the server has read it: upright, and what is transparent on a ground.
        seen: (C, H, W) uint8, the input of the network; of a page, its lines one below the other.
        reading: the text, its confidence and other guesses; of a page, its lines.
        milliseconds: from decoding the picture to the reading.
    """

    opened: Image.Image
    seen: np.ndarray
    reading: Reading
    milliseconds: float

    def preview(self, longest: int = 480) -> str:
        """Return the picture as it was read, as the data URL of a PNG file with at most `longest` pixels a side."""
        small = self.opened.copy()
        small.thumbnail((longest, longest))
        return _png_data_url(small)

    def answer(self, digest: str) -> schemas.Reading:
        """Return the answer of `/predict`."""
        return schemas.Reading(
            text=self.reading.text,
            confidence=round(self.reading.confidence, 4),
            guesses=[{"text": text, "confidence": round(share, 4)} for text, share in self.reading.guesses],
            lines=self._lines() or None,
            seen=_png_data_url(array_to_look_at(self.seen.transpose(1, 2, 0))),
            milliseconds=round(self.milliseconds, 2),
            model=digest,
        )

    def _lines(self) -> list[dict[str, Any]]:
        """Return the lines of a page, their corners as shares of the picture's sides."""
        size = np.array(self.opened.size)
        return [
            {
                "text": line.text,
                "confidence": round(line.confidence, 4),
                "corners": (np.array(line.corners) / size).clip(0, 1).round(4).tolist(),
            }
            for line in self.reading.lines
        ]


class PictureReader:
    """Reads pictures, with one queue for small pictures and one for large pictures.

    A drawing or a small picture takes a few milliseconds. A large picture can take a second, so large pictures have
    their own queue: drawings do not wait for them, however many large pictures arrive.

    Args:
        recognizer: the model.
        workers: threads for small pictures.
        queue: how many small pictures can wait.
        limits: the limits for requests.
        metrics: where readings are counted.
    """

    def __init__(
        self, recognizer: Recognizer, workers: int, queue: int, limits: RequestLimits, metrics: Metrics
    ) -> None:
        self.recognizer, self._metrics = recognizer, metrics
        self._limits = ImageLimits(limits.max_bytes, limits.max_pixels, writing=recognizer.kind != "picture")
        self._drawings = InferenceQueue(workers, queue, limits.queue_timeout_s)
        self._photos = InferenceQueue(1, MAX_WAITING_PHOTOS, limits.queue_timeout_s)

    @property
    def waiting(self) -> int:
        """The number of pictures that wait."""
        return self._drawings.waiting + self._photos.waiting

    @property
    def active(self) -> int:
        """The number of pictures that are not answered yet."""
        return self._drawings.active + self._photos.active

    @property
    def full(self) -> bool:
        """Whether the next drawing would be refused."""
        return self._drawings.full

    async def read(self, picture: bytes) -> Prediction:
        """Read a picture file: a small one in the queue of drawings, a large one in that of photos.

        Raises:
            RequestError: the server is too busy.
            UserError: the file is not a picture, or nothing is written in it.
        """
        prediction = await self._drawings.call(self._read_if_small, picture)
        return prediction or await self._photos.call(self._read, picture)

    def _read_if_small(self, picture: bytes) -> Prediction | None:
        return None if _pixels(picture) > MAX_SMALL_PIXELS else self._read(picture)

    def _read(self, picture: bytes) -> Prediction:
        start = time.perf_counter()
        opened = open_picture(picture, self._limits)
        if self.recognizer.kind == "line":
            inputs, corners = self.recognizer.prepare_page(opened)
        else:
            inputs, corners = [self.recognizer.prepare(opened)], []
        prepared = time.perf_counter()
        readings = self.recognizer.read(inputs)
        end = time.perf_counter()
        reading = join_lines(readings, corners) if len(inputs) > 1 else readings[0]
        seen = _one_below_the_other(inputs)
        self._metrics.count_reading(prepared - start, end - prepared, reading.confidence)
        return Prediction(opened, seen, reading, 1000 * (end - start))


def _one_below_the_other(inputs: list[np.ndarray]) -> np.ndarray:
    """Return N pictures (C, H, any width) uint8 as one, (C, N * H, W), W that of the widest."""
    widest = max(picture.shape[2] for picture in inputs)
    padded = [np.pad(picture, ((0, 0), (0, 0), (0, widest - picture.shape[2]))) for picture in inputs]
    return np.concatenate(padded, axis=1)


def _pixels(content: bytes) -> float:
    """Return the number of pixels that the header of a picture file announces; 0 if it is not a picture."""
    try:
        with open_image(content, ImageLimits().formats) as picture:
            return picture.width * picture.height
    except TooLarge:
        return float("inf")
    except NotAPicture:  # open_picture will say what is wrong with it
        return 0


def _png_data_url(picture: Image.Image) -> str:
    """Return a picture as the data URL of a PNG file."""
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
