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
    shuffled = sorted(files)
    random.Random(seed).shuffle(shuffled)
    val, test = len(shuffled) * 8 // 10, len(shuffled) * 9 // 10
    return shuffled[:val], shuffled[val:test], shuffled[test:]
