"""Ask the questions of a lab in the terminal: each answer is explained, and at the end there is a score.

    python -m lab_kit.quiz 3           # the questions of lab 3
    python -m lab_kit.quiz             # inside a lab's folder: those of this lab
    python -m lab_kit.quiz 3 --show    # all questions at once, and then the answers

Where nobody can type, as in a pipe, it does what `--show` does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markdown import Markdown
from rich.table import Table

from lab_kit.errors import UserError
from lab_kit.flag_errors import OneLineParser
from lab_kit.paths import MANIFEST, PACKAGE, folder_above
from lab_kit.plain_console import PlainConsole
from lab_kit.program import one_line_errors
from lab_kit.questions import FILE, LETTERS, Question, read_questions


def main(words: Sequence[str]) -> None:
    """Ask, or show, the questions that a command line names.

    Raises:
        UserError: there is no such lab, or its questions are faulty.
    """
    parser = OneLineParser(prog="python -m lab_kit.quiz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lab", nargs="?", type=int, help="the lab's number; inside a lab's folder it can be left out")
    parser.add_argument("--show", action="store_true", help="show all questions, and then the answers; ask nothing")
    options = parser.parse_args(words)
    path = find(options.lab)
    questions, console = read_questions(path), PlainConsole()
    console.print(f"{path.parent.name}: {len(questions)} questions", style="bold")
    if options.show or sys.stdin is None or not sys.stdin.isatty():  # None: it is closed
        show(questions, console)
    else:
        ask(questions, console)


def find(lab: int | None) -> Path:
    """Return where the questions of a lab are; of the lab in whose folder one is, if no number is given.

    Raises:
        UserError: there is no such lab, or none is meant.
    """
    here, course = folder_above(PACKAGE), folder_above(MANIFEST)
    own = here if here != course else None  # a lab's folder, perhaps without a course around it
    if lab is None and own is not None:
        return own / FILE
    folders = {path.parent.name: path.parent for path in course.glob(f"lab[0-9]*/{FILE}")} if course else {}
    if own is not None:
        folders[own.name] = own
    if (folder := folders.get(f"lab{lab}")) is not None:
        return folder / FILE
    known = sorted(int(name[3:]) for name in folders if name[3:].isdigit())
    if not known:
        raise UserError("There is no lab here: change into the course's folder, or into that of a lab.")
    problem = "Which lab?" if lab is None else f"There is no lab {lab} with questions here."
    raise UserError(f"{problem} There are {', '.join(map(str, known))}: python -m lab_kit.quiz {known[0]}")


def ask(questions: Sequence[Question], console: PlainConsole) -> None:
    """Ask one question after the other, and say what was right. Ctrl-C, or the end of the input, ends it at once."""
    answers: list[bool] = []
    try:
        for number, question in enumerate(questions, start=1):
            _print_question(number, question, console)
            place = _answer(len(question.choices), console)
            answers.append(place == question.right)
            if answers[-1]:
                console.print("Right.", style="bold green")
            else:
                console.print(f"No: {LETTERS[question.right]} is right.", style="bold red")
            explained = {place, question.right}
            _print_choices({LETTERS[k]: question.choices[k].why for k in sorted(explained)}, console)
    except (KeyboardInterrupt, EOFError):
        console.print("\nStopped.")
    console.print(f"\n{sum(answers)} of {len(answers)} right.", style="bold")
    for number, (question, right) in enumerate(zip(questions, answers, strict=False), start=1):
        if not right:
            where = f": see {question.see!r} in README.md" if question.see else ""
            console.print(f"Look at question {number} again{where}.")


def show(questions: Sequence[Question], console: PlainConsole) -> None:
    """Print all questions, and then all answers with their explanations."""
    for number, question in enumerate(questions, start=1):
        _print_question(number, question, console)
    console.print("\nAnswers", style="bold")
    for number, question in enumerate(questions, start=1):
        console.print(f"\n{number}. {LETTERS[question.right]} is right.", style="bold")
        _print_choices({LETTERS[k]: choice.why for k, choice in enumerate(question.choices)}, console)


def _print_question(number: int, question: Question, console: PlainConsole) -> None:
    console.print(f"\nQuestion {number}", style="bold")
    console.print(Markdown(question.ask))
    console.print()
    _print_choices({LETTERS[k]: choice.say for k, choice in enumerate(question.choices)}, console)


def _print_choices(texts: dict[str, str], console: PlainConsole) -> None:
    """Print Markdown texts, each behind its letter."""
    table = Table.grid(padding=(0, 1))
    for letter, text in texts.items():
        table.add_row(f" {letter}", Markdown(text))
    console.print(table)


def _answer(choices: int, console: PlainConsole) -> int:
    """Return the place of the choice that somebody has typed the letter of."""
    letters = LETTERS[:choices]
    while True:
        typed = console.input(f"\nYour answer ({', '.join(letters)}): ").strip().lower().rstrip(".)")
        if len(typed) == 1 and typed in letters:
            return letters.index(typed)
        console.print(f"Type one of these letters: {', '.join(letters)}. Ctrl-C ends it.")


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
