"""What `IAMLines` and `IAMParagraphs` have in common: IAM's own files, or imaginary writers in their place."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from lab_kit.checks import check_at_least
from lab_kit.datasets import cache, iam
from lab_kit.datasets.raw_data import RawData, Source
from lab_kit.errors import UserError
from lab_kit.handwriting.pen_lines import CODE_FILES
from text_recognizer.data.base_data_module import BaseDataModule
from text_recognizer.data.sentence_generator import SentenceGenerator

SPLITS = ("train", "val", "test")
AT_ONCE = 256  # pictures by imaginary writers, for one step of the progress bar

Written = tuple[list[np.ndarray], list[str]]  # pictures, and the text of each


class IAMDataModule(BaseDataModule):
    """Handwriting with its text: of the IAM database, or by imaginary writers; no writer is in two splits.

    Imaginary writers' training pictures are new in every epoch; validation and test pictures stay the same.

    Args:
        max_length: characters of the longest text.
        sizes: pictures of training, validation and test by imaginary writers.
        sentence_length: characters of the longest piece of the Brown corpus.
    """

    dataset = "iam"
    has_stand_in = True
    task = "line"
    unit: ClassVar[str]  # "lines" or "paragraphs"
    longest: ClassVar[int]  # the largest max_length: IAM's texts are shorter
    mapping: ClassVar[tuple[str, ...]]
    code: ClassVar[tuple[Path, ...]]  # the files that decide how pictures look, beside those of the imaginary writers

    def __init__(
        self,
        max_length: int,
        sizes: tuple[int, int, int],
        sentence_length: int,
        batch_size: int,
        num_workers: int,
        source: Source,
        seed: int,
        augment: bool,
    ) -> None:
        super().__init__(batch_size, num_workers, source, seed, augment)
        self.sizes = dict(zip(SPLITS, sizes, strict=True))
        check_at_least(1, max_length=max_length, **{f"num_{split}": size for split, size in self.sizes.items()})
        if max_length > self.longest:
            raise UserError(f"max_length can be at most {self.longest}, not {max_length}.")
        self.max_length = max_length
        text_source = "auto" if source == "download" else source  # the corpus does not need IAM, nor IAM the corpus
        self.sentences = SentenceGenerator(sentence_length, True, text_source, seed)

    @abstractmethod
    def cut(self, form: iam.Form) -> list[tuple[str, tuple[iam.Line, ...]]]:
        """Return the texts of a form, each with the lines that show it."""

    @abstractmethod
    def fit(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture of writing (H, W) uint8 in the size that networks see."""

    @abstractmethod
    def write(self, count: int, split: str, random: np.random.Generator) -> Written:
        """Let imaginary writers of a split write."""

    @abstractmethod
    def to_arrays(self, pictures: list[np.ndarray], texts: list[str]) -> cache.Arrays:
        """Return the arrays of a split, as they are kept on disk."""

    @abstractmethod
    def to_dataset(self, arrays: cache.Arrays) -> Dataset:
        """Return the dataset of such arrays."""

    @abstractmethod
    def fresh(self) -> Dataset:
        """Return imaginary writers' training pictures."""

    def content(self) -> dict[str, object]:
        """Return what the imaginary writers' pictures depend on beside length, sizes, seed and sentences, by name."""
        return {}

    def source_description(self, real: bool) -> str:
        if real:
            return super().source_description(real)
        return f"imaginary writers (drawn by a program, not real); sentences: {self.sentences.source_used}"

    def _ready(self) -> bool:
        return super()._ready() or self._file(True).is_file()

    def _prepare(self, real: bool) -> None:
        cache.ensure(self._file(real), lambda: self._arrays(real), compress=True)

    def _load(self, real: bool) -> dict[str, Dataset]:
        arrays = cache.load(self._file(real), lambda: self._arrays(real), compress=True)
        splits = {} if real else {"train": self.fresh()}
        for split in SPLITS:
            of_split = {name.removeprefix(f"{split}_"): a for name, a in arrays.items() if name.startswith(f"{split}_")}
            if of_split:
                splits[split] = self.to_dataset(of_split)
        return splits

    def _file(self, real: bool) -> Path:
        """Return where the pictures are kept: the name contains everything that they depend on."""
        code, archive = (*self.code, Path(__file__)), RawData.load(self.dataset).files[0].sha256
        if real:
            code_key = cache.code_key(*code, Path(iam.__file__))
            key = cache.content_key(code=code_key, max_length=self.max_length, archive=archive)
            return cache.cache_file("iam", self.unit, key)
        key = cache.content_key(
            code=cache.code_key(*code, *CODE_FILES),
            max_length=self.max_length,
            sizes=[self.sizes[split] for split in SPLITS[1:]],
            seed=self.seed,
            sentences=self.sentences.text_key(),
            **self.content(),
        )
        return cache.cache_file(f"pen_{self.unit}", f"{self.max_length}-characters", key)

    def _arrays(self, real: bool) -> cache.Arrays:
        arrays = {}
        for split, (pictures, texts) in (self._read() if real else self._write()).items():
            arrays |= {f"{split}_{name}": array for name, array in self.to_arrays(pictures, texts).items()}
        return arrays

    def _read(self) -> dict[str, Written]:
        """Return pictures and texts of IAM whose characters are in the mapping, and that are not too long."""
        raw = RawData.load(self.dataset)
        raw.files[0].check()  # and never download it here: its owners want to be asked
        splits = {split: ([], []) for split in SPLITS}
        for form in tqdm(iam.read_forms(raw.files[0].path), desc=f"Cutting {self.unit}", unit=" forms", disable=None):
            for text, lines in self.cut(form):
                if len(text) <= self.max_length and set(text) <= set(self.mapping):
                    splits[form.split][0].append(self.fit(form.picture(*lines)))
                    splits[form.split][1].append(text)
        for split, (pictures, _) in splits.items():
            if not pictures:
                raise UserError(
                    f"{raw.title} has no {split} {self.unit} of at most {self.max_length} characters: "
                    "choose a larger --max_length."
                )
        return splits

    def _write(self) -> dict[str, Written]:
        """Return pictures and texts of the imaginary writers' validation and test splits."""
        splits = {split: ([], []) for split in SPLITS[1:]}
        total = sum(self.sizes[split] for split in splits)
        with tqdm(total=total, desc=f"Writing {self.unit}", unit=f" {self.unit}", disable=None) as progress:
            for split, (pictures, texts) in splits.items():
                random = np.random.default_rng((self.seed, SPLITS.index(split)))
                while count := min(AT_ONCE, self.sizes[split] - len(texts)):
                    more = self.write(count, split, random)
                    pictures += more[0]
                    texts += more[1]
                    progress.update(count)
        return splits
