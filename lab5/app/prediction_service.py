"""The prediction service: read pictures, keep corrections, and describe the model, independent of HTTP routes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from app.picture_reader import PictureReader, Prediction
from lab_kit.errors import UserError, nearest
from lab_kit.serving.inference_queue import InferenceQueue
from lab_kit.serving.limits import RequestError, RequestLimits
from lab_kit.serving.metrics import Metrics
from lab_kit.serving.requests import PredictRequest
from text_recognizer.recognizer import Recognizer

if TYPE_CHECKING:
    from lab_kit.feedback.store import Store

MAX_WAITING_CHANGES = 64  # changes of the store that can wait for the disk
STORE_TIMEOUT_S = 5.0  # how long they can wait
SHUTDOWN_TIMEOUT_S = 5.0

WaitForDisconnect = Callable[[], Awaitable[Any]]


class PredictionService:
    """Reads pictures, and keeps pictures and corrections if their writers agree.

    Args:
        recognizer: the model.
        store: where pictures and corrections are kept; None to keep nothing.
        workers: threads that read.
        queue: how many pictures can wait.
        limits: the limits for requests.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        store: "Store | None" = None,
        workers: int = 1,
        queue: int = 32,
        limits: RequestLimits = RequestLimits(),  # noqa: B008 (it cannot change)
    ) -> None:
        self.recognizer, self.store, self.limits = recognizer, store, limits
        self.card, self.digest = recognizer.card, recognizer.card.digest
        self.metrics = Metrics()
        self.reader = PictureReader(recognizer, workers, queue, limits, self.metrics)
        self.metrics.watch_queue(lambda: self.reader.waiting)
        self.closing = False
        # One thread for the disk, so that a slow disk does not delay readings.
        self._store_queue = InferenceQueue(1, MAX_WAITING_CHANGES, STORE_TIMEOUT_S, "store")

    @property
    def idle(self) -> bool:
        """Whether all requests have been answered."""
        return not self.reader.active and not self._store_queue.active

    async def predict(
        self,
        parse: Callable[[], PredictRequest],
        wait_for_disconnect: WaitForDisconnect | None = None,
        preview: bool = False,
    ) -> dict[str, Any]:
        """Read a picture, and keep it if the request says so; return the answer of `/predict`.

        With `preview`, the answer has the picture as it was read: where it is transparent, on a ground.
        """
        prediction = await self._read(parse, wait_for_disconnect)
        answer = prediction.as_dict(self.digest)
        if preview:
            answer["preview"] = await asyncio.to_thread(prediction.preview)
        if prediction.request.keep:
            self._check_has_store()
            answer["id"] = await self._keep(prediction)
        return answer

    async def correct(
        self, parse: Callable[[], PredictRequest], wait_for_disconnect: WaitForDisconnect | None = None
    ) -> dict[str, Any]:
        """Store what a picture shows according to its writer, and return the answer of `/correct`.

        The request has the id of a kept picture, or a new picture. When this returns, the label is on disk.
        """
        self._check_has_store()
        request = await self._store_queue.call(parse)
        if request.label is None:
            raise RequestError(422, "`label` is missing: it says what the picture shows.", "invalid")
        if (request.id is None) == (request.picture is None):
            raise RequestError(422, "Send either the `id` of a picture that was kept, or a `picture`.", "invalid")
        self._check_label(request.label)
        identity = request.id
        if identity is None:
            prediction = await self._read(lambda: request, wait_for_disconnect)
            identity = await self._keep(prediction)
            self.metrics.count_label(request.label == prediction.reading.text)
        else:
            await self._check_is_kept(identity)
        await self._change_store(self.store.correct, identity, request.label)
        return {"id": identity, "label": request.label, "kept": True}

    async def forget(self, parse: Callable[[], PredictRequest]) -> dict[str, Any]:
        """Delete a kept picture with its reading and correction, and return the answer of `/forget`."""
        self._check_has_store()
        request = parse()
        if request.id is None:
            raise RequestError(422, "`id` is missing: it says which picture to delete.", "invalid")
        await self._check_is_kept(request.id)
        await self._change_store(self.store.forget, request.id)
        self.metrics.count_forgotten()
        return {"id": request.id, "forgotten": True}

    def model(self) -> dict[str, Any]:
        """Return the answer of `/model`: information about the model."""
        card = self.card
        return {
            "kind": card.kind,
            "classes": list(card.classes),
            "choices": list(card.choices),
            "longest": card.output_dims[0] if card.kind == "line" else 1,
            "input_dims": list(card.input_dims),
            "model_class": card.model_class,
            "data_class": card.data_class,
            "source": card.source,
            "figures": dict(card.figures),
            "created": card.created,
            "digest": self.digest,
            "backend": self.recognizer.backend,
            "feedback": self.store is not None,
            "limits": {"bytes": self.limits.max_bytes, "pixels": self.limits.max_pixels},
        }

    def health(self) -> dict[str, Any]:
        """Return the answer of `/health`: whether the server accepts requests."""
        return {
            "status": "closing" if self.closing else "ok",
            "model": self.digest,
            "queue": self.reader.waiting,
            "in_progress": self.reader.active,
        }

    def close(self) -> bool:
        """Finish all requests, then close the store; return whether all were finished in time."""
        self.closing = True
        end = time.monotonic() + SHUTDOWN_TIMEOUT_S
        done = self.reader.close(SHUTDOWN_TIMEOUT_S) & self._store_queue.close(max(0.5, end - time.monotonic()))
        if self.store is not None:
            self.store.close()
        return done

    async def _read(
        self, parse: Callable[[], PredictRequest], wait_for_disconnect: WaitForDisconnect | None
    ) -> Prediction:
        if self.closing:
            raise RequestError(503, "The server is shutting down.", "closing", 5)
        try:
            async with asyncio.timeout(self.limits.answer_timeout_s):
                return await self.reader.read(parse, wait_for_disconnect)
        except TimeoutError:
            raise RequestError(
                503, "Reading this picture takes too long. Send a smaller picture.", "too long", 1
            ) from None

    async def _keep(self, prediction: Prediction) -> str:
        request = prediction.request
        row = (request.picture, prediction.seen, prediction.reading, self.digest, request.how)
        identity = await self._change_store(self.store.keep, *row)
        self.metrics.count_kept()
        return identity

    async def _change_store(self, change: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the store in its thread; an error of the store becomes status 503."""
        try:
            return await self._store_queue.call(change, *arguments)
        except UserError as error:
            raise RequestError(503, str(error), "store") from error

    async def _check_is_kept(self, identity: str) -> None:
        try:
            await self._store_queue.call(self.store.original_file, identity)
        except UserError as error:
            raise RequestError(404, str(error), "unknown") from error

    def _check_has_store(self) -> None:
        if self.store is None:
            message = "This server does not keep pictures: it was started without --feedback FILE.sqlite."
            raise RequestError(422, message, "keeps nothing")

    def _check_label(self, label: str) -> None:
        """Raise RequestError (422) for a label that the model cannot learn."""
        choices = self.card.choices
        if self.card.kind != "line":
            if label not in choices:
                message = (
                    f"{label[:40]!r} is not one of the {len(choices)} classes of this model.{nearest(label, choices)}"
                )
                raise RequestError(422, message, "invalid")
            return
        max_length = min(self.card.output_dims[0], self.limits.max_label_length)
        if not 0 < len(label) <= max_length:
            raise RequestError(422, f"The label must have 1 to {max_length} characters, not {len(label)}.", "invalid")
        if unknown := sorted(set(label) - set(choices)):
            message = f"This model does not know the character {unknown[0]!r}. Remove or replace it."
            raise RequestError(422, message, "invalid")
