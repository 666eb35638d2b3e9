"""The prediction service: read pictures, keep corrections, and describe the model, independent of HTTP routes."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from app.picture_reader import PictureReader, Prediction
from lab_kit.errors import UserError, nearest
from lab_kit.serving.inference_queue import InferenceQueue, answer_in_time
from lab_kit.serving.limits import RequestError, RequestLimits
from lab_kit.serving.metrics import Metrics
from lab_kit.serving.schemas import (
    Correction,
    Forgotten,
    Health,
    Kept,
    Model,
    Picture,
    PictureForm,
    Reading,
    Which,
)
from text_recognizer.recognizer import Recognizer

if TYPE_CHECKING:
    from lab_kit.feedback.store import Store

MAX_WAITING_CHANGES = 64  # changes of the store that can wait for the disk
STORE_TIMEOUT_S = 5.0  # how long they can wait
SHUTDOWN_TIMEOUT_S = 5.0

Gone = Callable[[], Awaitable[Any]] | None  # returns when the client disconnects


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
        self._store_queue = InferenceQueue(1, MAX_WAITING_CHANGES, STORE_TIMEOUT_S)

    @property
    def idle(self) -> bool:
        """Whether all requests have been answered."""
        return not self.reader.active and not self._store_queue.active

    async def predict(self, picture: Picture | PictureForm, gone: Gone = None, preview: bool = False) -> Reading:
        """Read a picture, and keep it if the request says so; return the answer of `/predict`.

        A reader of lines reads several lines as a page. With `preview`, the answer has the picture as it was read:
        where it is transparent, on a ground.
        """
        prediction = await self._read(picture.picture, gone)
        answer = prediction.answer(self.digest)
        if preview:
            answer.preview = await to_thread.run_sync(prediction.preview)
        if picture.keep:
            answer.id = await self._keep(picture.picture, prediction, picture.how)
        return answer

    async def correct(self, correction: Correction, gone: Gone = None) -> Kept:
        """Store what a picture shows according to its writer, and return the answer of `/correct`.

        When this returns, the label is on disk.
        """
        self._check_label(correction.label)
        if "picture" in correction.model_fields_set:
            prediction = await self._read(correction.picture, gone)
            identity = await self._keep(correction.picture, prediction, correction.how)
            self.metrics.count_label(correction.label == prediction.reading.text)
        else:
            identity = correction.id
            await self._check_is_kept(identity)
        await self._change_store(self.store.correct, identity, correction.label)
        return Kept(id=identity, label=correction.label)

    async def forget(self, which: Which) -> Forgotten:
        """Delete a kept picture with its reading and correction, and return the answer of `/forget`."""
        await self._check_is_kept(which.id)
        await self._change_store(self.store.forget, which.id)
        self.metrics.count_forgotten()
        return Forgotten(id=which.id)

    def model(self) -> Model:
        """Return the answer of `/model`: information about the model."""
        card = self.card
        return Model(
            kind=card.kind,
            classes=list(card.classes),
            choices=list(card.choices),
            longest=card.output_dims[0] if card.kind == "line" else 1,
            input_dims=card.input_dims,
            model_class=card.model_class,
            data_class=card.data_class,
            source=card.source,
            figures=dict(card.figures),
            created=card.created,
            digest=self.digest,
            backend=self.recognizer.backend,
            feedback=self.store is not None,
            limits={"bytes": self.limits.max_bytes, "pixels": self.limits.max_pixels},
        )

    def health(self) -> Health:
        """Return the answer of `/health`: whether the server accepts requests."""
        return Health(
            status="closing" if self.closing else "ok",
            model=self.digest,
            queue=self.reader.waiting,
            in_progress=self.reader.active,
        )

    def close(self) -> bool:
        """Close the store; return whether all requests were answered."""
        self.closing = True
        if self.store is not None:
            self.store.close()
        return self.idle

    def check_has_store(self) -> None:
        """Raise RequestError (422) if nothing is kept here."""
        if self.store is None:
            message = "This server does not keep pictures: it was started without --feedback FILE.sqlite."
            raise RequestError(422, message, "keeps nothing")

    async def _read(self, picture: bytes, gone: Gone) -> Prediction:
        if self.closing:
            raise RequestError(503, "The server is shutting down.", "closing", 5)
        return await answer_in_time(self.reader.read(picture), gone, self.limits.answer_timeout_s)

    async def _keep(self, picture: bytes, prediction: Prediction, how: str) -> str:
        if prediction.reading.lines:
            message = "This picture shows several lines. Only a single line can be kept: crop the picture to one."
            raise RequestError(422, message, "invalid")
        row = (picture, prediction.seen, prediction.reading, self.digest, how)
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
