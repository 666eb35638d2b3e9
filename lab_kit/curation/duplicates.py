"""Find copies of pictures: under another name, encoded again, or in another size.

Copies with the same bytes are found by a hash of the bytes. For the others, perceptual hashes (Zauner, 2010) find pairs
that *may* be copies. But two different drawings of the same symbol can have nearly the same hash. So the thumbnails
decide: they must agree at every pixel, not only on average, where one more stroke would hardly count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lab_kit.curation.check_picture import THUMBNAIL_SIZE, PictureCheck
from lab_kit.datasets.picture_layout import SPLIT_NAMES, split_and_class

MAX_HASH_DISTANCE = 12  # of the 64 bits, how many may differ
MAX_ASPECT_DIFFERENCE = 0.05  # relative difference of height/width, for the rounding in small pictures
MAX_RMS = 0.3  # root mean square of the difference, as a share of the pictures' standard deviation
MAX_DIFFERENCE = 0.25  # largest difference of a pixel, as a share of the range between dark and light
BLOCK = 256  # pictures whose hashes are compared with all others at once
PAIRS = 8192  # pairs whose thumbnails are compared at once


def find_duplicates(pictures: Sequence[PictureCheck]) -> list[list[int]]:
    """Return groups of two or more indices into `pictures` whose pictures are the same.

    All hashes are compared with all others, which takes about a second for 10,000 pictures, and memory for 256 hashes
    per picture.

    Args:
        pictures: results of `check_picture`, all of them sound pictures.
    """
    firsts: dict[bytes, int] = {}
    first_of = np.array([firsts.setdefault(p.content_hash, index) for index, p in enumerate(pictures)], dtype=int)
    distinct = np.unique(first_of)
    links = [np.stack([np.arange(len(pictures)), first_of])] if pictures else []
    links += [distinct[pair] for pair in _similar_pairs([pictures[index] for index in distinct])]
    return _groups(links, len(pictures))


@dataclass(frozen=True)
class Location:
    """What the folders of a picture say: its split ("train", "val", "test" or "") and its class."""

    file: str
    split: str
    label: str


def parse_location(file: str, splits: Mapping[str, str] = SPLIT_NAMES) -> Location:
    """Return the split and class of a path such as `star/1.jpg`, `train/star/1.jpg` or `star/more/1.jpg`.

    Args:
        file: the path.
        splits: the folders of splits, {name: split}.
    """
    split, label = split_and_class(file, splits) or split_and_class(file, {}) or ("", "")
    return Location(file, split, label)


def choose_kept(
    group: Iterable[tuple[str, PictureCheck]], splits: Mapping[str, str] = SPLIT_NAMES
) -> tuple[list[str], list[tuple[str, str]]]:
    """Choose which of the files that show the same picture are kept: the best one in every class.

    The largest one is best. But if there are copies in `train/` and in `test/` or `valid/`, one outside of `train/` is
    kept, because a network must not be tested on pictures that it was trained on. If the copies are in two *classes*,
    no program can know which is right: the best of each class is kept, and a person has to look.

    Args:
        group: (path relative to the data set's folder, result of its check) of each file.
        splits: the data set's folders of splits, {name: split}.

    Returns:
        the files to keep, the best one first, and pairs (file to set aside, file that it is a copy of).
    """
    order = {"test": 0, "val": 1}

    def rank(member: tuple[str, PictureCheck]) -> tuple:
        file, check = member
        split = parse_location(file, splits).split
        return order.get(split, 2), -check.width * check.height, -check.file_size, len(file), file

    stay: dict[str, str] = {}
    aside = []
    for file, _ in sorted(group, key=rank):
        best = stay.setdefault(parse_location(file, splits).label, file)
        if best != file:
            aside.append((file, best))
    return list(stay.values()), aside


def _similar_pairs(pictures: Sequence[PictureCheck]) -> Iterator[np.ndarray]:
    """Yield arrays (2, N) of indices of pairs that look the same."""
    hashes = np.array([p.perceptual_hash for p in pictures], dtype=np.uint64)
    shapes = np.array([p.height / p.width for p in pictures])
    thumbnails = np.frombuffer(b"".join(p.thumbnail for p in pictures), dtype=np.uint8).reshape(
        len(pictures), THUMBNAIL_SIZE * THUMBNAIL_SIZE * 3
    )
    few = thumbnails[:, ::47].astype(np.int16)
    for start in range(0, len(pictures), BLOCK):
        rows = slice(start, start + BLOCK)
        apart = np.bitwise_count(hashes[rows, None] ^ hashes[start:])
        a, b = np.nonzero(np.triu(apart <= MAX_HASH_DISTANCE, k=1))
        pairs = np.stack([a, b]) + start
        pairs = pairs[:, np.abs(shapes[pairs[0]] / shapes[pairs[1]] - 1) < MAX_ASPECT_DIFFERENCE]
        for first in range(0, pairs.shape[1], PAIRS):
            some = pairs[:, first : first + PAIRS]
            apart = np.abs(few[some[0]] - few[some[1]]).max(axis=1)
            some = some[:, apart <= MAX_DIFFERENCE * 255 + 3]  # a few pixels are enough to reject most pairs
            yield some[:, thumbnails_match(thumbnails[some[0]], thumbnails[some[1]])]


def thumbnails_match(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for N pairs of thumbnails, each (N, P) uint8, whether they show the same picture: (N,) bool."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    difference = np.abs(a - b)
    contrast = np.maximum(np.ptp(a, axis=1), np.ptp(b, axis=1))
    spread = np.maximum(a.std(axis=1), b.std(axis=1))
    average = np.sqrt((difference**2).mean(axis=1))
    return (average <= MAX_RMS * spread + 1) & (difference.max(axis=1) <= MAX_DIFFERENCE * contrast + 3)


def _groups(links: list[np.ndarray], count: int) -> list[list[int]]:
    """Return the connected components of two or more indices, each sorted; `links` are arrays (2, N) of pairs."""
    if not links:
        return []
    a, b = np.concatenate(links, axis=1)
    _, number = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    order = np.argsort(number, kind="stable")
    groups = np.split(order, np.nonzero(np.diff(number[order]))[0] + 1)
    return [group.tolist() for group in groups if len(group) > 1]
