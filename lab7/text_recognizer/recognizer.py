"""The Recognizer: load a shipped model from its folder, and read pictures with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lab_kit.datasets.folder_to_csv import read_folder
from lab_kit.errors import UserError
from text_recognizer.shipping import any_width
from text_recognizer.shipping.backends import Backend, open_network
from text_recognizer.shipping.model_card import ModelCard
from text_recognizer.shipping.read_logits import Corner, Reading, join_lines, read_classes, read_lines

if TYPE_CHECKING:
    from lab_kit.photo.page import WrittenLine

Picture = str | Path | bytes | Image.Image | np.ndarray


class Recognizer:
    """Reads pictures with a model that `python -m text_recognizer.export` has written.

    It needs neither Lightning nor the training code, and PyTorch only for `backend="torch"` and for models of your own
    pictures (lab 5), whose preprocessing is PyTorch's. `Recognizer.load(folder)` makes one.

    Args:
        folder: of the shipped model.
        backend: what runs the network: ONNX Runtime in 32 bits (`onnx`) or in 8 (`int8`), or PyTorch (`torch`), which
            alone runs networks that write a text step by step.
        threads: how many share the work for one batch.

    Raises:
        UserError: the folder is not a shipped model, or was damaged.
    """

    def __init__(self, folder: str | Path, backend: Backend = "onnx", threads: int = 1) -> None:
        self.folder, self.backend = Path(folder), backend
        self.card = ModelCard.read(self.folder)
        self._network = open_network(self.folder, self.card, backend, threads)
        self._allowed = np.array([name in set(self.card.choices) for name in self.card.classes])
        self._preprocessing = None
        if self.kind == "picture":
            from text_recognizer.preprocessing import Preprocessing

            self._preprocessing = Preprocessing.from_dict(self.card.preprocessing["picture"])

    @classmethod
    def load(cls, folder: str | Path, backend: Backend = "onnx", threads: int = 1) -> "Recognizer":
        """Return the recognizer in a folder; the arguments are the class's."""
        return cls(folder, backend, threads)

    @property
    def kind(self) -> str:
        """What a picture shows: `character`, `line`, or `picture`: a class of a data set of your own."""
        return self.card.kind

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes, in the order of the network's outputs."""
        return self.card.classes

    @property
    def choices(self) -> tuple[str, ...]:
        """The classes that can be an answer; for lines, the characters that can occur in one."""
        return self.card.choices

    def predict(self, pictures: Picture | Sequence[Picture]) -> Reading | list[Reading]:
        """Read a picture, or several at once.

        Args:
            pictures: files or their content, Pillow's pictures, or arrays: (H, W) grey, or (H, W, channels) with 2
                (grey and alpha), 3 (RGB) or 4 (RGBA); uint8, uint16, or floats from 0 to 1. In each of these forms a
                picture is read in the same way.

        Raises:
            UserError: one of them cannot be read, or nothing is written in it.
        """
        if isinstance(pictures, Sequence) and not isinstance(pictures, str | bytes):
            return self.read([self.prepare(picture) for picture in pictures]) if len(pictures) else []
        return self.read([self.prepare(pictures)])[0]

    def predict_folder(self, folder: str | Path, table: str | Path, chunk: int = 64) -> dict[str, int]:
        """Read all pictures of a folder, or all pages, into a CSV file, `chunk` at a time, as `read_folder` says."""
        if self.kind != "line":
            return read_folder(self.prepare, self.read, Path(folder), Path(table), chunk)
        return read_folder(self.prepare_page, self._read_pages, Path(folder), Path(table), chunk)

    def prepare(self, picture: Picture) -> np.ndarray:
        """Return what the network sees of a picture: (C, H, W) uint8.

        Raises:
            UserError: it cannot be read, or nothing is written in it, or several lines are.
        """
        source = self._source(picture)
        if self._preprocessing is not None:
            return self._preprocessing.read(source).numpy()  # the same code that prepared the training pictures
        from lab_kit import photo

        opened = photo.open_picture(source, photo.OWN_WRITING)
        if self.kind == "line":
            return self._fit(photo.only_line(opened))
        height, layout = self.card.input_dims[1], self.card.preprocessing["layout"]
        if layout == "object":
            return photo.crop_object(opened, height)[None]
        return photo.prepare_character(opened, layout, height)[None]

    def prepare_page(self, picture: Picture) -> tuple[list[np.ndarray], list[list[Corner]]]:
        """Return what the network sees of each line of a picture, from the top, and the corners of its box.

        Corners are columns and rows in pixels of the picture as `open_picture` returns it: upright, at most 2,048 a
        side; clockwise from the upper left.

        Raises:
            UserError: it cannot be read, nothing is written in it, or the model does not read lines.
        """
        if self.kind != "line":
            raise UserError(f"This model reads a {self.kind}, not the lines of a page.")
        from lab_kit import photo

        lines = photo.written_lines(photo.open_picture(self._source(picture), photo.OWN_WRITING))
        return [self._fit(line) for line in lines], [line.corners.tolist() for line in lines]

    def read_page(self, picture: Picture) -> Reading:
        """Read a page line by line; the reading has its lines, each with the corners of its box.

        Raises:
            UserError: as `prepare_page`.
        """
        return self._read_pages([self.prepare_page(picture)])[0]

    def _read_pages(self, pages: Sequence[tuple[list[np.ndarray], list[list[Corner]]]]) -> list[Reading]:
        """Read what `prepare_page` has returned of several pictures."""
        readings = iter(self.read([line for lines, _ in pages for line in lines]))
        return [join_lines([next(readings) for _ in lines], corners) for lines, corners in pages]

    def _source(self, picture: Picture) -> Picture:
        if not isinstance(picture, str | Path | bytes | Image.Image | np.ndarray):
            raise UserError(f"A picture is a file, one of Pillow's, or an array, not {type(picture).__name__}.")
        return Path(picture) if isinstance(picture, str) else picture

    def _fit(self, line: "WrittenLine") -> np.ndarray:
        """Return a line as the network sees it: (1, H, W) uint8."""
        from lab_kit import photo
        from lab_kit.photo.fit_line import fit_line

        _, height, width = self.card.input_dims
        if self.card.any_width:
            return any_width.trim(fit_line(line.ink, height)[None])
        return photo.box_line(line.ink, height, width)[None]

    def read(self, inputs: Sequence[np.ndarray]) -> list[Reading]:
        """Read what `prepare` has returned, or pictures of the training data: N of (C, H, W) uint8 -> N readings.

        A line of any width is read the same whichever others come with it, and however much paper is at its right.
        It can be called from several threads at once.
        """
        if not self.card.any_width:
            return self._decode(self.logits(np.asarray(inputs)))
        readings: dict[int, Reading] = {}
        for places, batch in any_width.by_width(inputs):
            readings |= zip(places, self._decode(self.logits(batch)), strict=True)
        return [readings[k] for k in range(len(inputs))]

    def _decode(self, logits: np.ndarray) -> list[Reading]:
        if self.kind != "line":
            return read_classes(logits, self.classes, self._allowed)
        return read_lines(logits, self.classes, self._allowed, self.card.blank, self.card.decoding == "ctc")

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """(N, C, H, W) uint8 -> the network's logits, (N, classes) or (N, classes, S) float32.

        Raises:
            UserError: the inputs have another shape, or are no bytes.
        """
        fixed = 2 if self.card.any_width else 3
        sizes = self.card.input_dims[:fixed]
        if inputs.dtype != np.uint8 or inputs.ndim != 4 or inputs.shape[1 : fixed + 1] != sizes or not len(inputs):
            wanted = ", ".join([*(str(size) for size in sizes), *["any width"] * (3 - fixed)])
            raise UserError(f"This model reads (N, {wanted}) uint8, not {inputs.shape} {inputs.dtype}.")
        return self._network(np.ascontiguousarray(inputs))
