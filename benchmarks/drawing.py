"""Characters as a person draws them with a mouse: a few points for each stroke, a hand that is not steady.

The points were set down by hand for this purpose, in a square of 100 by 100 with y downwards, and have nothing in
common with the paths in `lab_kit/handwriting/pen_paths.toml`, from which the course's own handwriting is made.
"""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]

STROKES: dict[str, list[list[Point]]] = {
    "0": [[(52, 12), (34, 20), (25, 45), (28, 72), (46, 88), (66, 80), (76, 55), (72, 28), (54, 12)]],
    "1": [[(36, 28), (52, 11), (51, 40), (50, 88)]],
    "2": [[(27, 30), (36, 15), (56, 12), (70, 24), (64, 44), (44, 66), (26, 86), (50, 84), (76, 86)]],
    "3": [[(28, 17), (50, 11), (69, 22), (62, 40), (44, 47), (66, 54), (73, 72), (54, 88), (28, 82)]],
    "4": [[(56, 12), (38, 40), (22, 62), (50, 62), (80, 61)], [(61, 38), (60, 64), (59, 90)]],
    "5": [[(72, 13), (50, 13), (33, 14), (31, 30), (30, 45), (50, 42), (70, 55), (70, 74), (52, 88), (28, 82)]],
    "6": [[(66, 13), (44, 26), (30, 52), (29, 74), (46, 88), (66, 80), (69, 62), (54, 52), (33, 62)]],
    "7": [[(24, 16), (50, 15), (76, 14), (62, 42), (50, 66), (42, 90)]],
    "8": [[(66, 22), (48, 11), (32, 22), (40, 38), (58, 50), (70, 68), (58, 87), (38, 86), (28, 70), (42, 52), (60, 38),
           (66, 22)]],
    "9": [[(68, 26), (52, 12), (33, 22), (31, 40), (46, 50), (64, 40), (69, 24), (67, 52), (60, 88)]],
    "A": [[(18, 90), (34, 48), (49, 11)], [(49, 11), (64, 46), (82, 90)], [(30, 62), (50, 61), (71, 62)]],
    "B": [[(28, 12), (28, 50), (27, 89)], [(28, 13), (54, 12), (66, 26), (54, 44), (30, 48)],
          [(30, 48), (58, 50), (74, 66), (62, 86), (28, 89)]],
    "D": [[(28, 12), (29, 50), (27, 88)], [(26, 13), (56, 16), (76, 40), (72, 68), (50, 86), (26, 88)]],
    "E": [[(72, 13), (48, 12), (29, 13), (28, 50), (28, 88), (50, 88), (74, 87)], [(29, 49), (46, 48), (64, 49)]],
    "G": [[(74, 24), (56, 11), (32, 22), (22, 48), (30, 76), (52, 89), (74, 80), (76, 60)],
          [(52, 58), (66, 58), (79, 59)]],
    "H": [[(25, 11), (26, 50), (25, 90)], [(74, 11), (74, 50), (75, 90)], [(26, 50), (50, 48), (74, 49)]],
    "N": [[(24, 90), (25, 50), (24, 12)], [(24, 12), (50, 52), (75, 90)], [(75, 90), (76, 50), (75, 11)]],
    "R": [[(28, 12), (28, 50), (27, 90)], [(27, 13), (54, 12), (70, 26), (58, 46), (30, 50)],
          [(42, 50), (60, 70), (78, 90)]],
    "T": [[(18, 14), (50, 13), (83, 14)], [(50, 14), (51, 50), (50, 90)]],
    "e": [[(30, 56), (52, 55), (72, 50), (66, 32), (48, 28), (30, 42), (27, 64), (42, 82), (60, 82), (74, 72)]],
}  # fmt: skip

# A hand that has its own forms: an A without its bar, a D that is a triangle, an E of three bars, an F
# with its bars across.
UNUSUAL: dict[str, list[list[Point]]] = {
    "A": [[(20, 90), (34, 52), (50, 12), (66, 52), (82, 90)]],
    "D": [[(50, 14), (34, 50), (16, 86)], [(16, 86), (50, 86), (84, 86)], [(84, 86), (68, 50), (50, 14)]],
    "E": [[(24, 16), (50, 15), (76, 16)], [(28, 50), (50, 50), (72, 50)], [(22, 86), (50, 87), (78, 86)]],
    "F": [[(66, 10), (48, 20), (46, 50), (44, 92)], [(28, 40), (50, 36), (74, 40)], [(30, 60), (50, 58), (70, 62)]],
}  # fmt: skip


def drawn(
    character: str, seed: int, steps: int = 12, strokes: dict[str, list[list[Point]]] = STROKES
) -> list[np.ndarray]:
    """Return the strokes of a character, each (points, 2) from 0 to 1, as a hand would move that draws it once.

    Args:
        character: a key of `STROKES`.
        seed: another one is another try: size, place, slant and tremor change a little.
        steps: points between two of those that were set down.
        strokes: the forms of the hand.
    """
    random = np.random.default_rng((seed, ord(character)))
    size = random.uniform(0.8, 1.0)
    slant, turn = random.normal(0, 0.06), random.normal(0, 0.04)
    change = size * np.array([[1.0, slant + turn], [-turn, 1.0]])
    shift = random.uniform(-0.04, 0.04, 2)
    paths = []
    for points in strokes[character]:
        placed = (np.array(points) / 100 - 0.5) @ change.T + random.normal(0, 0.008, (len(points), 2))
        path = curve(placed, steps)
        tremor = np.cumsum(random.normal(0, 0.0012, path.shape), axis=0)
        paths.append(np.clip(path + tremor + shift + 0.5, 0.02, 0.98))
    return paths


def curve(points: Sequence[Point] | np.ndarray, steps: int) -> np.ndarray:
    """Return points on a smooth curve through `points` (P, 2): a Catmull-Rom spline, `steps` points for each piece."""
    p = np.asarray(points, dtype=float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*pieces, p[-2:-1]])
