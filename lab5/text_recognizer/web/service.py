"""What the server does for those who ask, whatever the way in which they ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from text_recognizer.errors import UserError, nearest
from text_recognizer.recognizer import Recognizer
from text_recognizer.web.limits import Limits, Refusal
from text_recognizer.web.metrics import Metrics
from text_recognizer.web.pool import Pool
from text_recognizer.web.reader import Answer, Reader
from text_recognizer.web.submission import Submission

if TYPE_CHECKING:
    from text_recognizer.feedback.store import Store

STORE_QUEUE = 64  # corrections that can wait for the disk
STORE_SECONDS = 5.0  # for which they can
CLOSING_SECONDS = 5.0

Gone = Callable[[], Awaitable[Any]]


class Service:
    """Reads pictures, and keeps what may be kept.

    Args:
        recognizer: reads.
        store: where pictures and corrections are kept, with their writers' consent; None to keep nothing.
        workers: threads that read.
        queue: pictures that can wait for them.
        limits: what is accepted.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        store: "Store | None" = None,
        workers: int = 1,
        queue: int = 32,
        limits: Limits = Limits(),  # noqa: B008 (it cannot change)
    ) -> None:
        self.recognizer, self.store, self.limits = recognizer, store, limits
        self.card, self.digest = recognizer.card, recognizer.card.digest
        self.metrics = Metrics()
        self.reader = Reader(recognizer, workers, queue, limits, self.metrics)
        self.metrics.watch(lambda: self.reader.waiting)
        self.closing = False
        # One thread for the disk: a slow one must not keep anybody waiting who only wants to have something read.
        self._desk = Pool(1, STORE_QUEUE, STORE_SECONDS, "store")

    @property
    def idle(self) -> bool:
        """Whether everybody has been answered."""
        return not self.reader.active and not self._desk.active

    async def predict(self, parse: Callable[[], Submission], gone: Gone | None = None) -> dict[str, Any]:
        """Return what is read in a picture; keep the picture if it says so."""
        answer = await self._read(parse, gone)
        found = answer.as_dict(self.digest)
        if answer.submission.keep:
            self._check_that_it_keeps()
            found["id"] = await self._keep(answer)
        return found

    async def correct(self, parse: Callable[[], Submission], gone: Gone | None = None) -> dict[str, Any]:
        """Keep what a picture shows according to the person who wrote it: of one that was kept, or a new one.

        When this returns, it is on disk.
        """
        self._check_that_it_keeps()
        told = await self._desk.call(parse)
        if told.label is None:
            raise Refusal(422, "`label` is missing: what the picture shows.", "invalid")
        if (told.id is None) == (told.picture is None):
            raise Refusal(422, "Send either the `id` of a picture that was kept, or a `picture`.", "invalid")
        self._check_label(told.label)
        identity = told.id
        if identity is None:
            answer = await self._read(lambda: told, gone)
            identity = await self._keep(answer)
            self.metrics.label(told.label == answer.reading.text)
        else:
            await self._check_that_it_has(identity)
        await self._stored(self.store.correct, identity, told.label)
        return {"id": identity, "label": told.label, "kept": True}

    async def forget(self, parse: Callable[[], Submission]) -> dict[str, Any]:
        """Remove a picture that was kept, and all that belongs to it."""
        self._check_that_it_keeps()
        told = parse()
        if told.id is None:
            raise Refusal(422, "`id` is missing: which picture to forget.", "invalid")
        await self._check_that_it_has(told.id)
        await self._stored(self.store.forget, told.id)
        self.metrics.forget()
        return {"id": told.id, "forgotten": True}

    def model(self) -> dict[str, Any]:
        """Return what there is to know of the model."""
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
            "limits": {"bytes": self.limits.bytes, "pixels": self.limits.pixels},
        }

    def health(self) -> dict[str, Any]:
        """Return whether more can be asked."""
        return {
            "status": "closing" if self.closing else "ok",
            "model": self.digest,
            "queue": self.reader.waiting,
            "in_progress": self.reader.active,
        }

    def close(self) -> bool:
        """Finish what has been begun, then close the store; returns whether there was time to finish."""
        self.closing = True
        end = time.monotonic() + CLOSING_SECONDS
        done = self.reader.close(CLOSING_SECONDS) & self._desk.close(max(0.5, end - time.monotonic()))
        if self.store is not None:
            self.store.close()
        return done

    async def _read(self, parse: Callable[[], Submission], gone: Gone | None) -> Answer:
        if self.closing:
            raise Refusal(503, "This server is being shut down.", "closing", 5)
        try:
            async with asyncio.timeout(self.limits.answering):
                return await self.reader.read(parse, gone)
        except TimeoutError:
            raise Refusal(503, "Reading this picture takes too long. Send a smaller one.", "too long", 1) from None

    async def _keep(self, answer: Answer) -> str:
        submission = answer.submission
        kept = (submission.picture, answer.seen, answer.reading, self.digest, submission.how)
        identity = await self._stored(self.store.keep, *kept)
        self.metrics.keep()
        return identity

    async def _stored(self, change: Callable[..., Any], *arguments: Any) -> Any:
        """Let the store do something, in its thread; what it cannot do is not the fault of the one who asks."""
        try:
            return await self._desk.call(change, *arguments)
        except UserError as error:
            raise Refusal(503, str(error), "store") from error

    async def _check_that_it_has(self, identity: str) -> None:
        try:
            await self._desk.call(self.store.drawn, identity)
        except UserError as error:
            raise Refusal(404, str(error), "unknown") from error

    def _check_that_it_keeps(self) -> None:
        if self.store is None:
            message = "This server keeps nothing: it was started without --feedback FILE.sqlite."
            raise Refusal(422, message, "keeps nothing")

    def _check_label(self, label: str) -> None:
        """Refuse a label from which nothing could be learned."""
        choices = self.card.choices
        if self.card.kind != "line":
            if label not in choices:
                what = f"{label[:40]!r} is not among the {len(choices)} classes of this model.{nearest(label, choices)}"
                raise Refusal(422, what, "invalid")
            return
        longest = min(self.card.output_dims[0], self.limits.label)
        if not 0 < len(label) <= longest:
            raise Refusal(422, f"A line has 1 to {longest} characters, not {len(label)}.", "invalid")
        if unknown := sorted(set(label) - set(choices)):
            what = f"This model has not learned the character {unknown[0]!r}: leave it out, or write another."
            raise Refusal(422, what, "invalid")
