"""The model card, `model.json`: what a program must know of a shipped model beside its weights."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from lab_kit.errors import UserError
from lab_kit.feedback.image_statistics import Reference
from lab_kit.paths import readable

CARD = "model.json"
WEIGHTS, ONNX, INT8 = "model.safetensors", "model.onnx", "model.int8.onnx"
FORMAT = 1  # of a shipped folder: raise it when older programs would read it wrongly
LARGEST = 10_000_000  # bytes of a card; ours have a few thousand
NATURAL_LINE = "natural line"  # the layout of lines as people write them, which may be of any width

Kind = Literal["character", "line", "picture"]


@dataclass(frozen=True)
class ModelCard:
    """What is known of a shipped model.

    Args:
        kind: what a picture shows: a character, a line, or one of the classes of a data set of one's own.
        data_class, data_settings: the data module of the run, and what it was given.
        model_class, model_settings: the network, and what it was given.
        input_dims: (channels, height, width) of what the network sees, uint8; of natural lines, which may be of any
            width, the width of the longest that it has learned from.
        output_dims: (1,) for one answer, (max_length, 1) for a line.
        classes: in the order of the network's outputs.
        choices: those classes that can be an answer.
        preprocessing: `layout`, `mean` and `std`; for a data set of one's own `picture`, its Preprocessing as data.
        decoding: how a line's text follows from its windows: `ctc`, `places`, or None for no line.
        blank: the class that means "nothing here".
        source: which data the run has learned from.
        figures: what the run measured: accuracies and error rates as fractions.
        checks: what the export measured: `pictures`, `difference` between ONNX and PyTorch, accuracies of each.
        versions: of the packages that exported it.
        created: when, in UTC.
        files: the sha256 of each other file of the folder.
        reference: statistics of held-out pictures and of the model's answers; None if the data was not there any more.
    """

    kind: Kind
    data_class: str
    data_settings: dict[str, Any]
    model_class: str
    model_settings: dict[str, Any]
    input_dims: tuple[int, int, int]
    output_dims: tuple[int, ...]
    classes: tuple[str, ...]
    choices: tuple[str, ...]
    preprocessing: dict[str, Any]
    decoding: Literal["ctc", "places"] | None
    blank: int | None
    source: str
    figures: dict[str, float]
    checks: dict[str, Any]
    versions: dict[str, str]
    created: str
    files: dict[str, str] = field(default_factory=dict)
    reference: Reference | None = None

    @property
    def digest(self) -> str:
        """12 hex digits that name exactly this model: its weights, its classes and their order, its preprocessing."""
        meaning = [self.files.get(WEIGHTS), self.classes, self.choices, self.preprocessing, self.decoding]
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def any_width(self) -> bool:
        """Whether the network takes pictures of any width."""
        return self.preprocessing.get("layout") == NATURAL_LINE

    def as_json(self) -> str:
        """Return the text of the file."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "ModelCard":
        """Return the card of a shipped folder.

        Raises:
            UserError: there is none, or it has another format, or its values are impossible.
        """
        path = folder / CARD
        if not path.is_file():
            raise UserError(
                f"{readable(folder)} is not a shipped model: it has no {CARD}. "
                "`python -m text_recognizer.export RUN` makes such a folder from a run's."
            )
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("it is too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            if (version := content.pop("format")) != FORMAT:
                raise UserError(
                    f"{readable(path)} is of format {version}; this program reads format {FORMAT}. "
                    "Use the version of the course that wrote it, or export the run again."
                )
            return cls._checked(content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{readable(path)} cannot be read ({error}): export the run again.") from error

    @classmethod
    def _checked(cls, content: dict[str, Any]) -> "ModelCard":
        if unknown := content.keys() - {item.name for item in fields(cls)}:
            raise ValueError(f"it has an unknown entry {min(unknown)}")
        reference = content.pop("reference", None)
        tuples = {name: tuple(content.pop(name)) for name in ("input_dims", "output_dims", "classes", "choices")}
        card = cls(**content, **tuples, reference=None if reference is None else Reference(**reference))
        if card.kind not in get_args(Kind):
            raise ValueError(f"kind is {card.kind!r}")
        if len(set(card.classes)) != len(card.classes) or not all(isinstance(name, str) for name in card.classes):
            raise ValueError("its classes are not different names")
        if not card.choices or not set(card.choices) <= set(card.classes):
            raise ValueError("its choices are not among its classes")
        if len(card.input_dims) != 3 or not all(
            isinstance(size, int) and 0 < size <= 1 << 16 for size in card.input_dims
        ):
            raise ValueError(f"input_dims is {card.input_dims}")
        return card


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(folder: Path, name: str, card: ModelCard) -> Path:
    """Return the path of a file of a shipped folder, if it is the one that the card speaks of.

    Raises:
        UserError: it is missing, or another one: then classes and weights may not belong together.
    """
    path = folder / name
    if name not in card.files:
        raise UserError(f"{readable(folder)} was exported without {name}. Export the run again where its data is.")
    if not path.is_file():
        raise UserError(f"{readable(folder)} is not whole: {name} is missing. Copy the folder again, or export again.")
    if file_digest(path) != card.files[name]:
        raise UserError(
            f"{readable(path)} is not the file that {CARD} speaks of: it was damaged, or comes from another export. "
            "Copy the whole folder again, or export again."
        )
    return path
