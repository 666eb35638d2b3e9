"""Joined letters: which forms can be joined, who joins them, and how the pen goes from one letter to the next."""

import functools

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lab_kit.handwriting.pen_school import SCHOOLS, line_glyphs
from lab_kit.handwriting.pen_strokes import OWN_FORM_PROBABILITY
from lab_kit.handwriting.pen_writers import writer_habit

JOIN_POINTS = 24
DOTTED = "ijt"  # the pen goes on from their first stroke; dots and bars come later
ASCENDERS = "bdfhkl"  # in a line, a form that is not tall would be another letter: an h an n
# Forms, by number, that in a word are another letter: a c for an e, a theta for an o, an n for an r or u.
TOO_CLOSE = {
    "e": {10, 13}, "f": {25}, "g": {15}, "h": {8}, "k": {13}, "o": {8}, "r": {2, 27, 28}, "t": {14}, "u": {11, 15},
    "v": {9, 11, 13},
}  # fmt: skip
TALL = 2  # grid units: the top of a tall form is above this
JOINABLE_PROBABILITY, SCHOOL_PROBABILITY = 0.85, 0.92  # how often those who join take forms for it
CAPITALS_JOINED = 0.4  # of what a writer joins otherwise
OVER = 0.2  # of a round letter's width, by which the pen arrives above its beginning
FURTHEST = 9  # grid units: those who join do not go further than this from letter to letter


def choose_forms(codes: Tensor, writers: Tensor, style: dict[str, Tensor], random: Tensor) -> Tensor:
    """Return (M,) rows of `line_glyphs`: mostly the form of the character that the writer prefers.

    Args:
        codes: (M,) int64, characters.
        writers: (M,) int64.
        style: {trait: (M,)}.
        random: (M, 4) in [0, 1).
    """
    u = torch.where(random[:, 0] < OWN_FORM_PROBABILITY, writer_habit(writers, codes), random[:, 1])
    start, count, rows = _forms(for_joining=False)
    form = rows[start[codes] + (count[codes] * u * (0.7 + 0.3 * u)).long()]
    joins = style["join"] > 0
    start, count, rows = _forms(for_joining=True)
    can_join = joins & (count[codes] > 0) & (random[:, 2] < JOINABLE_PROBABILITY)
    form = torch.where(can_join, rows[(start[codes] + (count[codes] * u).long()).clamp(max=len(rows) - 1)], form)
    school = style["school"].long()
    taught = line_glyphs().school[school.clamp(max=len(SCHOOLS) - 1), codes]
    faithful = joins & (school < len(SCHOOLS)) & (taught >= 0) & (random[:, 3] < SCHOOL_PROBABILITY)
    return torch.where(faithful, taught, form)


def willing_to_join(codes: Tensor, word: Tensor, style: dict[str, Tensor], random: Tensor) -> Tensor:
    """Return (M,) bool: whether the writer would go on to the next letter without lifting the pen, if it can be done.

    Args:
        codes: (M,) int64, characters.
        word: (M,) int64, the same number for the characters of a word.
        style: {trait: (M,)}.
        random: (M,) in [0, 1).
    """
    small = torch.tensor([chr(code).islower() for code in codes.tolist()])
    letter = torch.tensor([chr(code).isalpha() for code in codes.tolist()])
    to_small = torch.cat([small[1:] & (word[1:] == word[:-1]), small.new_zeros(1)])
    return letter & to_small & (random < style["join"] * torch.where(small, 1.0, CAPITALS_JOINED))


def join_curves(xy: Tensor, form: Tensor, willing: Tensor) -> tuple[Tensor, Tensor]:
    """Return the curves (M, JOIN_POINTS, 2) that lead to each letter from the one before, and (M,) whether it is drawn.

    Args:
        xy: (M, P, 2) points of the letters.
        form: (M,) rows of `line_glyphs`.
        willing: (M,) bool, whether the writer would join each letter with the next.
    """
    leave, can_enter, can_leave = (values[form] for values in _ends())
    rows = torch.arange(len(xy))
    end, before = xy[rows, leave], xy[rows, leave - 4]
    start = torch.cat([xy[1:, 0], xy[-1:, 0]])
    way = start - end
    joined = willing & can_leave & torch.cat([can_enter[1:], can_enter[-1:]])
    joined &= (way[:, 0] > -FURTHEST / 3) & (way[:, 0] < FURTHEST)
    # A cubic Bezier curve that goes on as the pen went, and arrives from the left.
    rightwards = torch.tensor([0.5, 0.0])
    length = way.square().sum(dim=1, keepdim=True).sqrt()
    # Round letters begin at their upper right: the pen arrives over their top. Through them, a c would be an e.
    left, right, top = xy[..., 0].amin(dim=1), xy[..., 0].amax(dim=1), xy[:, : xy.shape[1] // 3, 1].amin(dim=1)
    over_top = torch.stack([left, top - OVER * (right - left)], dim=1).roll(-1, dims=0)
    is_round = (xy[:, 0, 0] > (left + right) / 2).roll(-1, dims=0)
    arrives = torch.where(is_round[:, None], over_top, start - 0.3 * length * (normalize(way) + rightwards))
    bends = end + 0.4 * length * (normalize(end - before) + rightwards), arrives
    t = torch.linspace(0, 1, JOIN_POINTS)[:, None]
    weights = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
    curves = sum(weight * point[:, None] for weight, point in zip(weights, (end, *bends, start), strict=True))
    return curves.roll(1, dims=0), torch.cat([joined.new_zeros(1), joined[:-1]])


@functools.cache
def _ends() -> tuple[Tensor, Tensor, Tensor]:
    """Return for each form its last point before a join, and whether the pen can enter and leave it without a lift."""
    table = line_glyphs()
    stroke, xy = table.glyphs.stroke, table.glyphs.xy[:, 0]
    leave = torch.full((len(xy),), xy.shape[1] - 1)
    letter = torch.zeros(len(xy), dtype=torch.bool)
    for character in table.glyphs.first:
        rows = table.rows(character)
        letter[rows] = character.isalpha()
        if character in DOTTED:
            leave[rows] = (stroke[rows] == 0).sum(dim=1) - 1
    at = xy[torch.arange(len(xy)), leave]
    left, right = xy[..., 0].amin(dim=1), xy[..., 0].amax(dim=1)
    can_leave = letter & (at[:, 0] > left + 0.6 * (right - left)) & (at[:, 1] > 5) & (at[:, 1] < 15)
    return leave, letter & (xy[:, 0, 1] < 15), can_leave


@functools.cache
def _forms(for_joining: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each code where its forms begin among the rows, how many they are, and the rows."""
    glyphs = line_glyphs().glyphs
    can_leave, top = _ends()[2], glyphs.xy[:, 0, :, 1].amin(dim=1)
    start, count, rows = torch.zeros(128, dtype=torch.int64), torch.zeros(128, dtype=torch.int64), []
    for character, first in glyphs.first.items():
        forms = range(first, first + glyphs.count[character])
        forms = [form for form in forms if form - first not in TOO_CLOSE.get(character, ())]
        if character in ASCENDERS:
            forms = [form for form in forms if top[form] < TALL]
        if for_joining:
            forms = [form for form in forms if can_leave[form]] if character.islower() else []
        start[ord(character)], count[ord(character)] = len(rows), len(forms)
        rows += forms
    return start, count, torch.tensor(rows)
