"""The same picture again: under another name, encoded anew, or in another size.

Copies with the same bytes are found by their hash. Of the others, perceptual hashes (Zauner, 2010) say which *may* be
copies; but hashes of two different drawings of the same symbol can agree. So what decides is a look at the pixels from
afar: they must agree everywhere, and not just on average, where a stroke more or less would not count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from text_recognizer.curation.check_picture import LOOK, Checked

HASH_BITS = 12  # of 64 may differ
SHAPE = 0.05  # by how much height/width may differ, relatively: rounding, in small pictures
AVERAGE = 0.3  # standard deviation of the difference, as a share of that of the pictures
ANYWHERE = 0.25  # largest difference of a pixel, as a share of the range between dark and light
BLOCK = 256  # pictures that are compared with all others at once
PAIRS = 8192  # pairs whose pixels are compared at once


def find_duplicates(pictures: Sequence[Checked]) -> list[list[int]]:
    """Return groups of two and more places in `pictures` that show the same picture.

    Takes memory for 256 times as many hashes as there are pictures, and time for comparing all hashes with all others:
    a second or so for 10,000 pictures.

    Args:
        pictures: sound ones, as `check_picture` has seen them.
    """
    firsts: dict[bytes, int] = {}
    first_of = np.array([firsts.setdefault(p.content, place) for place, p in enumerate(pictures)], dtype=int)
    distinct = np.unique(first_of)
    links = [np.stack([np.arange(len(pictures)), first_of])] if pictures else []
    links += [distinct[pair] for pair in _near([pictures[place] for place in distinct])]
    return _groups(links, len(pictures))


@dataclass(frozen=True)
class Place:
    """Where a picture lies: `split` is "train", "valid", "test" or ""."""

    file: str
    split: str
    label: str


def place_of(file: str) -> Place:
    """`star/1.jpg` or `train/star/1.jpg` -> what its folders say."""
    parts = file.split("/")
    split = parts[0] if len(parts) > 2 and parts[0] in ("train", "valid", "val", "test") else ""
    return Place(file, split, "/".join(parts[1:-1] if split else parts[:-1]))


def which_stay(
    group: Iterable[tuple[str, Checked]],
) -> tuple[list[str], list[tuple[str, str]]]:
    """Decide about the files of a group: one stays in every class.

    It is the largest one; but where copies lie in `train/` and in `test/` or `valid/`, one outside `train/` stays: a
    network must not be tested on what it has learned by heart. Which of two *classes* is right no program can know:
    the best of each class stays, and a person has to look.

    Args:
        group: (path relative to the data set's folder, what is known of it).

    Returns:
        the files that stay, the first of them best, and (file to set aside, the file it is a copy of).
    """
    order = {"test": 0, "valid": 1, "val": 1}

    def rank(member: tuple[str, Checked]) -> tuple:
        file, seen = member
        return order.get(place_of(file).split, 2), -seen.width * seen.height, -seen.file_size, len(file), file

    stay: dict[str, str] = {}
    aside = []
    for file, _ in sorted(group, key=rank):
        best = stay.setdefault(place_of(file).label, file)
        if best != file:
            aside.append((file, best))
    return list(stay.values()), aside


def _near(pictures: Sequence[Checked]) -> Iterator[np.ndarray]:
    """(2, N) places of pairs that look the same, all bytes apart."""
    hashes = np.array([p.shape_hash for p in pictures], dtype=np.uint64)
    shapes = np.array([p.height / p.width for p in pictures])
    looks = np.frombuffer(b"".join(p.look for p in pictures), dtype=np.uint8).reshape(len(pictures), LOOK * LOOK * 3)
    few = looks[:, ::47].astype(np.int16)
    for start in range(0, len(pictures), BLOCK):
        rows = slice(start, start + BLOCK)
        apart = np.bitwise_count(hashes[rows, None] ^ hashes[start:])
        a, b = np.nonzero(np.triu(apart <= HASH_BITS, k=1))
        pairs = np.stack([a, b]) + start
        pairs = pairs[:, np.abs(shapes[pairs[0]] / shapes[pairs[1]] - 1) < SHAPE]
        for first in range(0, pairs.shape[1], PAIRS):
            some = pairs[:, first : first + PAIRS]
            apart = np.abs(few[some[0]] - few[some[1]]).max(axis=1)
            some = some[:, apart <= ANYWHERE * 255 + 3]  # for what follows, the few pixels are enough to say no
            yield some[:, same_look(looks[some[0]], looks[some[1]])]


def same_look(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compare (N, P) uint8 pictures from afar, pair by pair: (N,) bool."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    difference = np.abs(a - b)
    contrast = np.maximum(np.ptp(a, axis=1), np.ptp(b, axis=1))
    spread = np.maximum(a.std(axis=1), b.std(axis=1))
    average = np.sqrt((difference**2).mean(axis=1))
    return (average <= AVERAGE * spread + 1) & (difference.max(axis=1) <= ANYWHERE * contrast + 3)


def _groups(links: list[np.ndarray], count: int) -> list[list[int]]:
    """Join linked places into groups, each in order; single ones are left out."""
    if not links:
        return []
    a, b = np.concatenate(links, axis=1)
    _, number = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    order = np.argsort(number, kind="stable")
    groups = np.split(order, np.nonzero(np.diff(number[order]))[0] + 1)
    return [group.tolist() for group in groups if len(group) > 1]
