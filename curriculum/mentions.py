"""Passages for people that mention what has changed in the code: they may have to change, too.

It is advice: whether a passage still says what is true, only its reader can tell.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from curriculum.changed_code import Changed
from curriculum.manifest import SOLUTIONS, Manifest

EVERYWHERE = ("README.md", "docs/*.md")
OF_A_LAB = ("{}/README.md", "{}/homework/*.md", "{}/questions.toml", "notebooks/{}/*.py", SOLUTIONS + "/{}/**/*.py")
NEAR = 5  # lines: as far from its name, a value is still about it
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PARTS = {2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters"), 5: ("fifth", "fifths")}
PARTS |= {8: ("eighth", "eighths"), 10: ("tenth", "tenths"), 20: ("twentieth",), 100: ("hundredth", "percent")}
SIGNS = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}


@dataclass(frozen=True)
class Passage:
    """A line that mentions something: where it is, what it mentions, and whether that is the value of before."""

    place: str
    words: tuple[str, ...]
    line: str
    has_value: bool


def passages(manifest: Manifest, changed: Changed) -> list[Passage]:
    """Return the lines that mention a changed name or, near it, its value of before; those with the value first.

    Looks at what people read of the labs that have the file: READMEs, docs, homework, questions, notebooks, solutions.
    """
    found = [passage for path in _texts(manifest, changed.file) for passage in _in_file(manifest.root, path, changed)]
    return sorted(found, key=lambda passage: not passage.has_value)  # a stable sort: else in the order of the files


def in_words(value: str) -> list[str]:
    """Return patterns of how people write a value that is given as code: `0.25` is 25% too, and a quarter."""
    literal = ast.literal_eval(value) if value else None
    if isinstance(literal, str):
        return [re.escape(literal)] if literal else []
    if isinstance(literal, bool) or not isinstance(literal, int | float):
        return []
    exact = {f"{literal}", f"{literal:,}", f"{literal:g}"}
    forms = [rf"(?<![\w.,]){re.escape(text)}(?![\w%]|[.,]\d)" for text in sorted(exact)]
    if isinstance(literal, int):
        return forms + ([rf"\b{NUMBERS[literal]}\b"] if 0 < literal < len(NUMBERS) else [])
    share = Fraction(value).limit_denominator(100)
    if 0 < share < 1 and share == Fraction(value):
        forms.append(rf"(?<![\w.,]){100 * literal:g}\s?(?:%|percent|per cent)")
        forms.append(rf"\b{share.numerator}\s?/\s?{share.denominator}\b")
        forms += [SIGNS[share]] if share in SIGNS else []
        top, below = share.numerator, share.denominator
        if below in PARTS and top < len(NUMBERS):
            many = "" if top == 1 else rf"{NUMBERS[top]}[\s-]"
            forms.append(rf"\b{many}(?:{'|'.join(PARTS[below])})\b")
        if top < len(NUMBERS) and below < len(NUMBERS):
            forms.append(rf"\b{NUMBERS[top]} (?:in|of|out of) (?:{NUMBERS[below]}|{below})\b")
    return forms


def _texts(manifest: Manifest, file: str) -> Iterator[Path]:
    first = next((lab.number for lab in manifest.labs if file in manifest.added(lab)), 1)
    patterns = [pattern.format(lab.folder) for lab in manifest.labs[first - 1 :] for pattern in OF_A_LAB]
    for pattern in (*patterns, *EVERYWHERE):
        yield from sorted(path for path in manifest.root.glob(pattern) if path.is_file())


def _in_file(root: Path, path: Path, changed: Changed) -> Iterator[Passage]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    name = _name_pattern(changed, path.suffix == ".py")
    value = re.compile("|".join(in_words(changed.before)) or r"(?!)", re.IGNORECASE)
    named = [number for number, line in enumerate(lines) if name.search(line)]
    near = {number + step for number in named for step in range(-NEAR, NEAR + 1)}
    for number, line in enumerate(lines):
        values = _once(value, line) if number in near else ()
        if words := _once(name, line) + values:
            yield Passage(f"{path.relative_to(root).as_posix()}:{number + 1}", words, line.strip(), bool(values))


def _name_pattern(changed: Changed, is_code: bool) -> re.Pattern[str]:
    """Return what finds a name: of a constant, its words too; a name that is an everyday word, only as code."""
    name = changed.name
    if changed.before:  # DROPOUT is also "dropout", and MAX_POOL "max-pooling"
        words = r"[\s_-]?".join(re.escape(word) for word in name.strip("_").split("_"))
        return re.compile(rf"(?<![a-z]){words}(?:s|ing)?(?![a-z])", re.IGNORECASE)
    whole = rf"(?<!\w){re.escape(name)}(?!\w)"
    if is_code or not (name.isalpha() and name.islower()):
        return re.compile(whole)
    return re.compile(rf"(?<=`){re.escape(name)}(?!\w)|(?<=[.]){re.escape(name)}(?!\w)")


def _once(pattern: re.Pattern[str], line: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit[0] for hit in pattern.finditer(line)))


def report(manifest: Manifest, changes: Iterable[Changed], most: int | None = None) -> list[str]:
    """Return the passages as lines for people, by what changed; empty where nobody mentions it.

    Args:
        manifest: the course.
        changes: what has changed.
        most: how many passages to show of each change; None for all.
    """
    lines = []
    for changed in changes:
        found = passages(manifest, changed)
        if not found:
            continue
        what = f"was {changed.before} and is {changed.after}" if changed.before else "has changed"
        lines.append(f"{changed.file}: {changed.name} {what}. Is this still true?")
        for passage in found[:most]:
            words = ", ".join(f"'{word}'" for word in passage.words)
            lines.append(f"  {passage.place}: {words}: {passage.line}")
        if most is not None and len(found) > most:
            lines.append(f"  and {len(found) - most} more lines: python -m curriculum mentions")
    return lines
