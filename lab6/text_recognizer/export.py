"""Export a trained model: write all that it needs into one folder.

python -m text_recognizer.export training/logs/EMNIST-ResNet/version_0
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from safetensors.torch import save_file
from torch import Tensor

from lab_kit import atomic_write
from lab_kit.checks import check_at_least
from lab_kit.command_line import command_line
from lab_kit.errors import UserError
from lab_kit.feedback.image_statistics import Reference, measure_reference
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run as run_program
from lab_kit.serving import onnx_file
from lab_kit.version import course_version
from text_recognizer.data import BaseDataModule
from text_recognizer.data.character_mapping import BLANK, SPECIAL_TOKENS
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping import any_width, shipped_network
from text_recognizer.shipping.backends import FILES
from text_recognizer.shipping.held_out import error_rate, held_out, load_data, seen_classes
from text_recognizer.shipping.model_card import CARD, INT8, NATURAL_LINE, ONNX, WEIGHTS, ModelCard, file_digest
from text_recognizer.shipping.read_logits import Reading
from text_recognizer.shipping.shippable_run import ShippableRun

log = logging.getLogger(__name__)

SHIPPED = "shipped"
TOLERANCE = 1e-4  # absolute and relative, of logits
FOR_CALIBRATION = 512  # pictures; more change nothing
FOR_REFERENCE = 2_000
CHUNK = 64
CALIBRATION_BATCH = 32
# How the pictures of a data class were made; `Recognizer.prepare` does the same.
LAYOUTS = {
    "MNIST": "mass", "FashionMNIST": "object", "EMNIST": "box", "EMNISTLines": "line", "IAMLines": NATURAL_LINE,
    "ImageFolder": "picture",
}  # fmt: skip
PACKAGES = ("torch", "onnx", "onnxruntime", "numpy")


def export(run: Path, out: Path | None = None, pictures: int = 1_000) -> None:
    """Write a trained model into one folder to ship: weights, classes in order, preprocessing, figures, ONNX files.

    The ONNX file is compared with PyTorch on test pictures; if they disagree, nothing is written.

    Args:
        run: the folder of a run.
        out: the folder to write; `shipped` in the run's folder, if not given. A shipped model there is replaced.
        pictures: test pictures to compare on.
    """
    check_at_least(1, pictures=pictures)
    target = run / SHIPPED if out is None else out
    _check_target(target)
    trained = ShippableRun.read(run)
    card = _card(trained)
    data = _with_pictures(card)
    if data is not None and card.kind != "line":  # EMNIST's mapping has marks, of which there are no pictures
        card = replace(card, choices=seen_classes(data))
    with atomic_write.replaced_folder(target) as unfinished:
        card = _write(unfinished, card, trained.weights, data, pictures)
    _say(target, card)


def _with_pictures(card: ModelCard) -> BaseDataModule | None:
    """Return the run's data, loaded; None, with a warning, if it is not here any more."""
    try:
        return load_data(card)
    except UserError as error:
        log.warning(
            "The data of the run is not here: %s The model is compared on noise, and shipped without its 8-bit file "
            "and without what drift is measured against.",
            error,
        )
        return None


def _card(run: ShippableRun) -> ModelCard:
    classes, kind = run.config.mapping, run.data.task
    layout = next((LAYOUTS[cls.__name__] for cls in type(run.data).__mro__ if cls.__name__ in LAYOUTS), None)
    if layout is None:
        raise UserError(
            f"How pictures become what {type(run.data).__name__} has is not known: derive it from one of "
            f"{', '.join(LAYOUTS)}, or add it to LAYOUTS in {readable(Path(__file__))}."
        )
    if layout == NATURAL_LINE and run.loss not in ("ctc", "transformer"):
        raise UserError(
            f"Of the readers of {type(run.data).__name__}, only those that were trained with `--loss ctc` or "
            f"`--loss transformer` can be shipped; this {run.model_class} was not."
        )
    mean, std = [float(run.data.mean)], [float(run.data.std)]
    preprocessing: dict[str, Any] = {"layout": layout, "mean": mean, "std": std}
    if layout == "picture":
        preprocessing["picture"] = run.kept_by_data["preprocessing"]
        preprocessing |= {name: preprocessing["picture"][name] for name in ("mean", "std")}
    choices = [name for name in classes if name not in SPECIAL_TOKENS]
    ctc = kind == "line" and run.loss == "ctc"
    return ModelCard(
        kind=kind,
        data_class=type(run.data).__name__,
        data_settings=run.data_settings,
        model_class=run.model_class,
        model_settings=run.model_settings,
        input_dims=tuple(run.config.input_dims),
        output_dims=tuple(run.config.output_dims),
        classes=classes,
        choices=tuple(choices),
        preprocessing=preprocessing,
        decoding=None if kind != "line" else "ctc" if ctc else "places",
        blank=classes.index(BLANK) if ctc else None,
        source=run.source,
        figures=_figures(run.folder / "metrics.json"),
        checks={},
        versions={"course": course_version()} | {name: version(name) for name in PACKAGES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _figures(metrics: Path) -> dict[str, float]:
    """Return the accuracies and error rates that the run has measured."""
    try:
        content = json.loads(metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # a run that was stopped has none
    return {name: value for name, value in content.items() if name.endswith(("_acc", "_cer"))}


def _write(
    folder: Path, card: ModelCard, weights: dict[str, Tensor], data: BaseDataModule | None, pictures: int
) -> ModelCard:
    """Write and check all files; return the card with what was found."""
    save_file(weights, folder / WEIGHTS)
    model = shipped_network.load(card, weights)
    one_pass = getattr(model.network, "one_pass", True)
    if one_pass:
        onnx_file.write(model, card.input_dims, folder / ONNX, card.any_width)
    else:
        log.warning("%s writes step by step, and is shipped for PyTorch only: --backend torch", card.model_class)
    if data is None:
        noise = np.random.default_rng(0).integers(0, 256, (min(pictures, 100), *card.input_dims), dtype=np.uint8)
        inputs, texts = noise, None
    else:
        inputs, texts = held_out(data, "test", pictures)
        if one_pass:
            _quantize(folder, card, held_out(data, "val", FOR_CALIBRATION)[0])
    card = replace(card, files={path.name: file_digest(path) for path in sorted(folder.iterdir())})
    atomic_write.write_text(card.as_json(), folder / CARD)

    checks: dict[str, Any] = {"pictures": len(inputs)}
    if one_pass:
        checks["difference"] = _difference(folder, card, inputs)
    if data is not None:
        name = "cer" if card.kind == "line" else "error"
        measured = [backend for backend in ("onnx", "int8") if FILES[backend] in card.files] or ["torch"]
        for backend in measured:
            read = [reading.text for reading in _read(Recognizer.load(folder, backend), inputs)]
            checks[f"{backend}_{name}"] = error_rate(read, texts, card.kind)
        seen, _ = held_out(data, "val", FOR_REFERENCE)
        read = _read(Recognizer.load(folder, measured[0]), seen)
        seen = [any_width.trim(line) for line in seen] if card.any_width else seen
        card = replace(card, reference=_reference(seen, read, card.kind))
    card = replace(card, checks=checks)
    atomic_write.write_text(card.as_json(), folder / CARD)
    return card


def _difference(folder: Path, card: ModelCard, inputs: np.ndarray) -> float:
    """Return the largest difference between PyTorch's logits and ONNX's; raises UserError where it matters."""
    recognizers = [Recognizer.load(folder, backend) for backend in ("torch", "onnx")]
    difference, same = 0.0, True
    for batch in _batches(inputs, card, CHUNK):
        ours, theirs = (recognizer.logits(batch) for recognizer in recognizers)
        difference = max(difference, float(np.abs(ours - theirs).max()))
        same = same and np.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    if not same:
        raise UserError(
            f"ONNX and PyTorch disagree by {difference:.1e}: nothing was written. This network cannot be shipped."
        )
    return difference


def _quantize(folder: Path, card: ModelCard, pictures: np.ndarray) -> None:
    """Write the 8-bit file; say in a line why there is none, if the network has parts that cannot be in 8 bits."""
    try:
        onnx_file.quantize(folder / ONNX, _batches(pictures, card, CALIBRATION_BATCH), folder / INT8)
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        (folder / INT8).unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:200]
        log.warning("%s is shipped without its 8-bit file: %s", card.model_class, reason)


def _batches(pictures: np.ndarray, card: ModelCard, size: int) -> Iterator[np.ndarray]:
    """Yield all pictures, in batches of at most `size`; those of a batch are as wide as the network sees them."""
    for chunk in np.array_split(pictures, -(-len(pictures) // size)):
        if card.any_width:
            yield from (batch for _, batch in any_width.by_width(chunk))
        else:
            yield chunk


def _reference(seen: Sequence[np.ndarray], read: list[Reading], kind: str) -> Reference:
    texts, confidences = [reading.text for reading in read], [reading.confidence for reading in read]
    return measure_reference(seen, texts, confidences, count_classes=kind != "line")


def _read(recognizer: Recognizer, inputs: np.ndarray) -> list[Reading]:
    chunks = np.array_split(inputs, -(-len(inputs) // CHUNK))
    return [reading for chunk in chunks for reading in recognizer.read(chunk)]


def _check_target(target: Path) -> None:
    if target.exists() and not (target / CARD).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{readable(target)} is there already, and is no shipped model: choose another --out.")


def _say(target: Path, card: ModelCard) -> None:
    about = {
        CARD: "classes in order, preprocessing, figures, source",
        WEIGHTS: f"the weights of {card.model_class}",
        ONNX: "for ONNX Runtime",
        INT8: "in 8 bits",
    }
    if (difference := card.checks.get("difference")) is not None:
        about[ONNX] += f": the same to {difference:.0e} on {card.checks['pictures']:,} pictures"
    for backend, name in (("torch", WEIGHTS), ("onnx", ONNX), ("int8", INT8)):
        for check, words in (("error", "errors"), ("cer", "character error rate")):
            if (rate := card.checks.get(f"{backend}_{check}")) is not None:
                about[name] += f", {words} {rate:.1%}"
    table = Table(title=f"{readable(target)}: model {card.digest}", title_justify="left", title_style="bold", box=None)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in about.items():
        if (target / name).is_file():
            table.add_row(name, f"{(target / name).stat().st_size / 1e6:.2f} MB", words)
    console = PlainConsole()
    console.print(table)
    backend = () if ONNX in card.files else ("--backend", "torch")
    command = command_line("python", "-m", "text_recognizer.predict", target, "PICTURES", *backend)
    console.print(f"\nRead pictures with it: {command}", soft_wrap=True)


if __name__ == "__main__":
    run_program(export)
