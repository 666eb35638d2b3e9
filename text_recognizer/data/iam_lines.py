"""Lines as people write them: those of the IAM database, or by imaginary writers in their place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from lab_kit.checks import check_at_least
from lab_kit.datasets import cache, iam
from lab_kit.datasets.raw_data import RawData, Source
from lab_kit.errors import UserError
from lab_kit.handwriting import pen_set
from lab_kit.handwriting.pen_lines import CODE_FILES, write_lines
from lab_kit.photo import fit_line, stroke_density
from text_recognizer.data.base_data_module import BaseDataModule
from text_recognizer.data.character_mapping import MAPPING, encode
from text_recognizer.data.line_augmentation import augment_lines
from text_recognizer.data.line_pictures import LinePictures, side_by_side, to_arrays
from text_recognizer.data.line_texts import LineTexts
from text_recognizer.data.sentence_generator import SentenceGenerator
from text_recognizer.data_config import DataConfig

HEIGHT = 48  # pixels of a line
WIDEST = 32  # pixels for each character, more than a line of several needs
CODE = (  # what decides how lines look
    *(Path(__file__).with_name(name) for name in ("iam_lines.py", "line_texts.py", "line_pictures.py")),
    *(Path(module.__file__) for module in (fit_line, stroke_density)),
)
SPLITS = ("train", "val", "test")
LINES_PER_STEP = 256  # of the progress bar
VARIED_DENSITY = 0.15  # of training lines: the share by which their strokes stand closer or wider


class IAMLines(BaseDataModule):
    """Lines of handwriting, 48 pixels high and as wide as what is written; no writer is in two splits.

    IAM's owners ask users to register and to use it for research only, so it is downloaded with `--source download`
    alone. In its place, imaginary writers write: pieces of the Brown corpus, and lines that teach what sentences lack.

    Args:
        max_length: characters in the longest line; IAM's longest has 93.
        num_train: lines of an epoch by imaginary writers; they are new in every epoch.
        num_val: validation lines by imaginary writers.
        num_test: test lines by imaginary writers.
        batch_size: lines in a batch, which are of similar widths.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the lines come from. `auto` takes IAM if it is on disk, else imaginary writers; `download`
            downloads IAM; `pen` insists on imaginary writers.
        seed: of everything that is drawn by chance.
        augment: change shape, strokes and contrast of training lines a little, differently in every epoch.
    """

    dataset = "iam"
    has_stand_in = True
    task = "line"

    def __init__(
        self,
        max_length: int = 96,
        num_train: int = 16_000,
        num_val: int = 1_000,
        num_test: int = 1_000,
        batch_size: int = 32,
        num_workers: int = 0,
        source: Source = "auto",
        seed: int = 42,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, source, seed, augment)
        check_at_least(1, max_length=max_length, num_train=num_train, num_val=num_val, num_test=num_test)
        self.max_length = max_length
        self.sizes = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
        text_source = "auto" if source == "download" else source  # the corpus does without IAM, and IAM without it
        self.texts = LineTexts(SentenceGenerator(max_length, True, text_source, seed))

    def config(self) -> DataConfig:
        return DataConfig((1, HEIGHT, WIDEST * self.max_length), (self.max_length, 1), MAPPING)

    def _ready(self) -> bool:
        return super()._ready() or self._file(True).is_file()

    def _prepare(self, real: bool) -> None:
        cache.ensure(self._file(real), lambda: self._arrays(real), compress=True)

    def _load(self, real: bool) -> dict[str, Dataset]:
        arrays = cache.load(self._file(real), lambda: self._arrays(real), compress=True)
        parts = ("pixels", "widths", "labels")
        splits = {
            split: LinePictures(*(arrays[f"{split}_{part}"] for part in parts))
            for split in SPLITS
            if f"{split}_pixels" in arrays
        }
        if not real:
            splits["train"] = FreshLines(self.texts, self.sizes["train"], self.seed)
        return splits

    def _augmented(self, images: Tensor) -> Tensor:
        return augment_lines(images)

    def source_description(self, real: bool) -> str:
        if real:
            return super().source_description(real)
        return f"imaginary writers (embedded handwriting, not real); sentences: {self.texts.sentences.source_used}"

    def _file(self, real: bool) -> Path:
        """Return where the lines are kept: the name carries all that they depend on."""
        if real:
            archive, code = RawData.load(self.dataset).files[0].sha256, cache.code_key(*CODE, Path(iam.__file__))
            key = cache.content_key(archive=archive, code=code, max_length=self.max_length)
            return cache.cache_file("iam", "lines", key)
        key = cache.content_key(
            code=cache.code_key(*CODE, *CODE_FILES),
            sentences=self.texts.sentences.text_key(),
            max_length=self.max_length,
            sizes=[self.sizes[split] for split in SPLITS[1:]],
            seed=self.seed,
        )
        return cache.cache_file("pen_lines", f"{self.max_length}-characters", key)

    def _arrays(self, real: bool) -> cache.Arrays:
        lines = self._read() if real else self._write()
        arrays = {}
        for split, (pictures, texts) in lines.items():
            arrays |= {f"{split}_{name}": part for name, part in to_arrays(pictures, texts, self.max_length).items()}
        return arrays

    def _read(self) -> dict[str, tuple[list[np.ndarray], list[str]]]:
        """Return pictures and texts of IAM's lines that the mapping can spell."""
        raw = RawData.load(self.dataset)
        raw.ensure()
        lines = {split: ([], []) for split in SPLITS}
        for form in tqdm(iam.read_forms(raw.files[0].path), desc="Cutting lines", unit=" forms", disable=None):
            for line in form.lines:
                if len(line.text) <= self.max_length and set(line.text) <= set(MAPPING):
                    lines[form.split][0].append(fit_line.fit_line(form.picture(line), HEIGHT))
                    lines[form.split][1].append(line.text)
        for split, (pictures, _) in lines.items():
            if not pictures:
                raise UserError(
                    f"{raw.title} has no {split} line of at most {self.max_length} characters: "
                    "choose a larger --max_length."
                )
        return lines

    def _write(self) -> dict[str, tuple[list[np.ndarray], list[str]]]:
        """Return pictures and texts of the imaginary writers' validation and test lines."""
        lines = {}
        wanted = {split: self.sizes[split] for split in SPLITS[1:]}
        with tqdm(total=sum(wanted.values()), desc="Writing lines", unit=" lines", disable=None) as progress:
            for split, size in wanted.items():
                random = np.random.default_rng((self.seed, SPLITS.index(split)))
                pictures, texts = [], []
                while len(texts) < size:
                    more = self.texts.draw(min(LINES_PER_STEP, size - len(texts)), random)
                    pictures += write_fitted(more, split, random)
                    texts += more
                    progress.update(len(more))
                lines[split] = pictures, texts
        return lines


class FreshLines(Dataset):
    """Training lines by imaginary writers, which are written when they are asked for, and never again.

    The indices of a batch decide what is in it, so that it is the same whichever process writes it. The sampler
    counts on from epoch to epoch (`endless`), so that no epoch repeats another.
    """

    endless = True

    def __init__(self, texts: LineTexts, size: int, seed: int) -> None:
        self.texts, self.size, self.seed = texts, size, seed

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, 48, W) float32 and labels (B, L) int64, padded."""
        random = np.random.default_rng((self.seed, *(int(index) for index in indices)))
        texts = self.texts.draw_similar(len(indices), random)
        pictures = write_fitted(texts, "train", random, VARIED_DENSITY)
        labels = np.stack([encode(text, self.texts.sentences.max_length) for text in texts])
        return side_by_side(pictures), torch.from_numpy(labels)


def write_fitted(
    texts: Sequence[str], split: str, random: np.random.Generator, varied: float = 0.0
) -> list[np.ndarray]:
    """Let imaginary writers of a split write lines (48, any width), their strokes at the density that readers expect.

    Args:
        texts: what to write.
        split: whose writers.
        random: all chance comes from it.
        varied: the share by which density varies.
    """
    writers = torch.from_numpy(random.choice(pen_set.WRITERS[split], len(texts)))
    generator = torch.Generator().manual_seed(int(random.integers(1 << 62)))
    factors = random.uniform(1 - varied, 1 + varied, len(texts))
    lines = write_lines(texts, writers, generator, HEIGHT)
    return [stroke_density.even_density(line, factor) for line, factor in zip(lines, factors, strict=True)]
