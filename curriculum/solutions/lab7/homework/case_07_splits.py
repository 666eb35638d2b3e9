"""Case 7. Splits: 99% of the test pictures are read correctly, and 80% of those of a new visitor."""

import random
from collections.abc import Sequence


def split(files: Sequence[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Divide pictures into training, validation and test: eight, one and one in ten of the people who wrote them.

    The test shall say how well the handwriting of a new person is read. A file is called `PERSON_LETTER_NUMBER.png`,
    such as `ann_g_03.png`. Each picture is in one of the splits.

    Returns:
        the files of the three splits.
    """
    people = sorted({_person(file) for file in files})
    random.Random(seed).shuffle(people)
    val, test = len(people) * 8 // 10, len(people) * 9 // 10
    parts = (people[:val], people[val:test], people[test:])
    return tuple([file for file in sorted(files) if _person(file) in part] for part in parts)


def _person(file: str) -> str:
    return file.rsplit("_", 2)[0]
