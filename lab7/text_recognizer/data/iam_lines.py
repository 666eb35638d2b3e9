"""Lines as people write them: those of the IAM database, or by imaginary writers in their place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lab_kit.checks import check_share
from lab_kit.datasets import cache, iam
from lab_kit.datasets.raw_data import Source
from lab_kit.handwriting import pen_set
from lab_kit.handwriting.pen_lines import write_lines
from lab_kit.photo import fit_line, stroke_density
from lab_kit.photo.photographed import photographed
from text_recognizer.data.character_mapping import MAPPING, encode
from text_recognizer.data.iam_data_module import IAMDataModule, Written
from text_recognizer.data.line_augmentation import augment_lines
from text_recognizer.data.line_pictures import LinePictures, side_by_side, squeeze_widest, to_arrays
from text_recognizer.data.line_texts import LineTexts
from text_recognizer.data_config import DataConfig

HEIGHT = 48  # pixels of a line
WIDEST = 32  # pixels for each character, more than a line of several needs
CODE = (  # what decides how lines look
    *(Path(__file__).with_name(name) for name in ("iam_lines.py", "line_texts.py", "line_pictures.py")),
    *(Path(module.__file__) for module in (fit_line, stroke_density)),
)
VARIED_DENSITY = 0.3  # of training batches: the share by which strokes stand closer or wider
MUCH_WIDER = 1.2  # than half of the lines of a training batch


class IAMLines(IAMDataModule):
    """Lines of handwriting, 48 pixels high and as wide as what is written; no writer is in two splits.

    IAM's owners ask users to register and to use it for research only, so it is downloaded with `--source download`
    only. In its place, imaginary writers write: pieces of the Brown corpus, and lines with characters that are rare in
    them.

    Args:
        max_length: characters in the longest line; IAM's longest has 93.
        num_train: lines of an epoch by imaginary writers; they are new in every epoch.
        num_val: validation lines by imaginary writers.
        num_test: test lines by imaginary writers.
        batch_size: lines in a batch, which are of similar widths.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the lines come from. `auto` takes IAM if it is on disk, else imaginary writers; `download`
            downloads IAM; `pen` takes only imaginary writers.
        seed: the seed for everything random.
        augment: change shape, strokes and contrast of training lines a little, differently in every epoch.
        photos: share of the training lines by imaginary writers that are photographed first, in a simulation. A photo
            takes a CPU core about 0.1 s.
    """

    unit = "lines"
    longest = 128
    mapping = MAPPING
    code = CODE

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
        photos: float = 0.0,
    ) -> None:
        check_share(photos=photos)
        sizes = (num_train, num_val, num_test)
        super().__init__(max_length, sizes, max_length, batch_size, num_workers, source, seed, augment)
        self.texts = LineTexts(self.sentences)
        self.photos = photos

    def config(self) -> DataConfig:
        return DataConfig((1, HEIGHT, WIDEST * self.max_length), (self.max_length, 1), MAPPING)

    def cut(self, form: iam.Form) -> list[tuple[str, tuple[iam.Line, ...]]]:
        return [(line.text, (line,)) for line in form.lines]

    def fit(self, picture: np.ndarray) -> np.ndarray:
        return fit_line.fit_line(picture, HEIGHT)

    def write(self, count: int, split: str, random: np.random.Generator) -> Written:
        texts = self.texts.draw(count, random)
        return write_fitted(texts, split, random), texts

    def to_arrays(self, pictures: list[np.ndarray], texts: list[str]) -> cache.Arrays:
        return to_arrays(pictures, texts, self.max_length)

    def to_dataset(self, arrays: cache.Arrays) -> Dataset:
        return LinePictures(**arrays)

    def fresh(self) -> Dataset:
        return FreshLines(self.texts, self.sizes["train"], self.seed, self.photos)

    def _augmented(self, images: Tensor) -> Tensor:
        return augment_lines(images)


class FreshLines(Dataset):
    """Training lines by imaginary writers, written when they are needed; no line is written twice.

    The indices of a batch decide what is in it, so that it is the same whichever process writes it. The sampler goes on
    counting from epoch to epoch (`endless`), so that no epoch repeats another.
    """

    endless = True

    def __init__(self, texts: LineTexts, size: int, seed: int, photos: float = 0.0) -> None:
        self.texts, self.size, self.seed, self.photos = texts, size, seed, photos

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Return a batch: pictures (B, 1, 48, W) float32 and labels (B, L) int64, padded."""
        random = np.random.default_rng((self.seed, *(int(index) for index in indices)))
        texts = self.texts.draw_similar(len(indices), random)
        # One factor for all lines of a batch, and none much wider than the others: empty paper costs time.
        pictures = write_fitted(texts, "train", random, random.uniform(1 - VARIED_DENSITY, 1 + VARIED_DENSITY))
        pictures = [photographed(line, random) if random.random() < self.photos else line for line in pictures]
        pictures = squeeze_widest(pictures, MUCH_WIDER)
        labels = np.stack([encode(text, self.texts.sentences.max_length) for text in texts])
        return side_by_side(pictures), torch.from_numpy(labels)


def write_fitted(
    texts: Sequence[str], split: str, random: np.random.Generator, factor: float = 1.0
) -> list[np.ndarray]:
    """Let imaginary writers of a split write lines (48, any width), their strokes at the density that readers expect.

    Args:
        texts: what to write.
        split: whose writers.
        random: the generator of all random numbers.
        factor: lines are also stretched by this factor.
    """
    writers = torch.from_numpy(random.choice(pen_set.WRITERS[split], len(texts)))
    generator = torch.Generator().manual_seed(int(random.integers(1 << 62)))
    lines = write_lines(texts, writers, generator, HEIGHT)
    return [stroke_density.even_density(line, factor) for line in lines]
