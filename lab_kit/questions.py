"""Questions that check understanding: a lab's `questions.toml`, read and checked.

Each `[[question]]` has `ask`, in Markdown, perhaps `see`, a heading of the lab's README, and three or four
`[[question.choice]]` with `say`, `why` and, one of them, `right = true`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab_kit.errors import UserError, nearest

FILE = "questions.toml"
LETTERS = "abcd"
FEWEST_CHOICES = 3


@dataclass(frozen=True)
class Choice:
    """One possible answer.

    Args:
        say: the answer, in one line of Markdown.
        why: why it is right, or why it is wrong.
        right: whether it is right.
    """

    say: str
    why: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question with three or four choices, of which one is right.

    Args:
        ask: the question, in Markdown.
        choices: the possible answers.
        see: the heading in the lab's README under which the answer is explained; empty if there is none.
    """

    ask: str
    choices: tuple[Choice, ...]
    see: str

    @property
    def right(self) -> int:
        """The place of the right choice, from 0."""
        return next(place for place, choice in enumerate(self.choices) if choice.right)


def read_questions(path: Path) -> list[Question]:
    """Return the questions in a file, in their order.

    Raises:
        UserError: the file cannot be read, or a question in it is faulty.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        advice = f"`git checkout {name}` brings back what was deleted."
        raise UserError(f"Cannot read {name}: {error.strerror}. {advice}") from error
    except OSError as error:
        raise UserError(f"Cannot read {name}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{name} is not TOML: {error}.") from error
    tables = _tables(content, "question", {"question"}, name)
    return [_question(table, f"{name}, question {number}") for number, table in enumerate(tables, start=1)]


def _question(table: Mapping[str, Any], where: str) -> Question:
    tables = _tables(table, "choice", {"ask", "see", "choice"}, where)
    choices = tuple(
        _choice(choice, f"{where}, choice {letter}") for letter, choice in zip(LETTERS, tables, strict=False)
    )
    if not FEWEST_CHOICES <= len(tables) <= len(LETTERS):
        raise UserError(f"{where} has {len(tables)} choices: it needs {FEWEST_CHOICES} or {len(LETTERS)}.")
    if (right := sum(choice.right for choice in choices)) != 1:
        raise UserError(f"{where} has {right} right choices: exactly one needs `right = true`.")
    if len({choice.say.lower() for choice in choices}) < len(choices):
        raise UserError(f"{where} has two equal choices.")
    see = _one_line(table, "see", where) if "see" in table else ""
    return Question(_text(table, "ask", where), choices, see)


def _choice(table: Mapping[str, Any], where: str) -> Choice:
    _check_names(table, {"say", "why", "right"}, where)
    right = table.get("right", False)
    if not isinstance(right, bool):
        raise UserError(f"{where}: `right` is true or false, not {right!r}.")
    return Choice(_one_line(table, "say", where), _one_line(table, "why", where), right)


def _tables(table: Mapping[str, Any], name: str, known: set[str], where: str) -> list[Mapping[str, Any]]:
    """Return the list of tables of this name in a table that has no names but those that are known."""
    _check_names(table, known, where)
    found = table.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise UserError(f"{where} has no `[[{name if name == 'question' else f'question.{name}'}]]`.")
    return found


def _check_names(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    if unknown := sorted(table.keys() - set(known)):
        raise UserError(f"{where}: '{unknown[0]}' is not known.{nearest(unknown[0], known)}")


def _text(table: Mapping[str, Any], name: str, where: str) -> str:
    text = table.get(name, "")
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{where} has no `{name}`: write a sentence there.")
    return text.strip()


def _one_line(table: Mapping[str, Any], name: str, where: str) -> str:
    return " ".join(_text(table, name, where).split())
