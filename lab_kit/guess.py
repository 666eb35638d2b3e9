"""Write down what you expect of the next run of a lab: its table shows your guess beside the result.

    python -m lab_kit.guess 90%                      # test pictures read correctly; of lines, the character error rate
    python -m lab_kit.guess 90% "seconds = 60"       # another row of the table
    python -m lab_kit.guess "The loss will jump."    # a guess in words
    python -m lab_kit.guess                          # all guesses, and what came out

The guesses are in `guesses.toml`, in the lab's folder: a text file, which may be changed or removed.
"""

import json
import logging
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table

from lab_kit import atomic_write
from lab_kit.errors import UserError, nearest, sentence
from lab_kit.flag_errors import OneLineParser
from lab_kit.paths import PACKAGE, folder_above, readable
from lab_kit.plain_console import PlainConsole
from lab_kit.program import one_line_errors

FILE = "guesses.toml"
HEADING = "# What I expected of runs, and what came out: `python -m lab_kit.guess` writes and lists it.\n"
TEST, WORDS = "test", "words"  # what a number alone is about, and a text
ROWS = (
    *(f"{split} {figure}" for split in ("train", "val", "test") for figure in ("loss", "acc", "cer")),
    *("seconds", "samples per second", "parameters"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guess:
    """What somebody expects, and what came out.

    Args:
        row: of a run's table, such as `val loss`; `test` for `test acc` or, of lines, `test cer`; `words` for a text.
        guess: as it was typed.
        run: the folder of the run; empty until there is one.
        result: what the run's table said in this row.
    """

    row: str
    guess: str
    run: str = ""
    result: str = ""

    def answered(self, table: Mapping[str, str], run: str) -> "Guess":
        """Return the guess with what came out; as it is, if it has been answered or the table has no such row."""
        row = self.row
        if row == TEST:
            row = "test cer" if "test cer" in table else "test acc"
        if self.run or (row != WORDS and row not in table):
            return self
        return replace(self, row=row, run=run, result=table.get(row, ""))


def beside(table: Mapping[str, str], run: str, path: Path) -> dict[str, str]:
    """Return the table of a run with the open guesses beside its figures, and note in their file what came out.

    A file that cannot be read or written never stops a run: there is a warning, and the table stays as it is.
    """
    try:
        guesses = read(path)
        answered = [guess.answered(table, run) for guess in guesses]
        if answered != guesses:
            _write(answered, path)
    except (UserError, OSError) as error:
        log.warning("Your guesses are not shown. %s", sentence(error))
        return dict(table)
    shown = dict(table)
    for guess in (after for before, after in zip(guesses, answered, strict=True) if after != before):
        shown |= {guess.row: f"{guess.result}   your guess: {guess.guess}"} if guess.result else {"guess": guess.guess}
    return shown


def add(words: Sequence[str], path: Path) -> None:
    """Add guesses in place of open ones about the same rows; raises UserError where `parse` or `read` does."""
    new = {guess.row: guess for guess in map(parse, words)}
    _write([guess for guess in read(path) if guess.run or guess.row not in new] + list(new.values()), path)


def parse(word: str) -> Guess:
    """Return the guess that a word of the command line is: `90%`, `val_loss=0.1`, or a text.

    Raises:
        UserError: it is empty, or no table has such a row.
    """
    text = " ".join("".join(character if character.isprintable() else " " for character in word).split())
    name, _, value = (part.strip() for part in text.partition("="))
    row = name.replace("_", " ").lower()
    if row in ROWS and value:
        return Guess(row, value)
    if not text or re.fullmatch(r"\w+ ?=.*", text):
        raise UserError(f"'{text}' is about no row of a run's table: {', '.join(ROWS)}.{nearest(row, ROWS)}")
    return Guess(TEST if re.fullmatch(r"[\d.,]+ ?%?", text) else WORDS, text)


def read(path: Path) -> list[Guess]:
    """Return all guesses in a file; none if there is no file.

    Raises:
        UserError: it is not as this program writes it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return [Guess(**{name: str(value) for name, value in table.items()}) for table in content.get("guess", [])]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise UserError(f"{readable(path)} cannot be understood ({error}): mend it, or remove it.") from error


def _write(guesses: Sequence[Guess], path: Path) -> None:
    text = HEADING
    for guess in guesses:
        text += "\n[[guess]]\n"
        for name, value in asdict(guess).items():  # a JSON string whose characters can be printed is a TOML string
            text += f"{name} = {json.dumps(value, ensure_ascii=False)}\n" if value else ""
    atomic_write.write_text(text, path)


def main(words: Sequence[str]) -> None:
    """Write down the guesses of a command line, or list all; raises UserError where that cannot be done."""
    parser = OneLineParser(prog="python -m lab_kit.guess", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("guess", nargs="*", help="90%%, or a row of the table such as val_loss=0.1, or a text")
    if (lab := folder_above(PACKAGE)) is None:
        raise UserError("A guess is about a run of one lab, and there is none here: cd lab1, for example.")
    path, console = lab / FILE, PlainConsole()
    if typed := parser.parse_args(words).guess:
        try:
            add(typed, path)
        except OSError as error:
            raise UserError(f"Cannot write {readable(path)}: {error.strerror}.") from error
        console.print(f"Written down. The table of the next run in {path.parent.name} shows it.", soft_wrap=True)
        return
    table = Table("about", "guess", "result", "run", title=f"Guesses in {readable(path)}")
    for guess in read(path):
        table.add_row(guess.row, guess.guess, guess.result, guess.run or "the next one")
    console.print(table if table.rows else "No guess yet. To write one down: python -m lab_kit.guess 90%")


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
