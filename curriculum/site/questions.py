"""The page of a lab's questions: each with its choices, and folded, the answer with its reasons."""

import tomllib

from curriculum.manifest import Lab, Manifest
from lab_kit.errors import UserError

NAME = "questions.toml"  # in a lab's folder, where it has questions


def page(manifest: Manifest, lab: Lab) -> str:
    """Return the page as Markdown; empty where the lab has no questions.

    Raises:
        UserError: the file is no TOML, or a question lacks something.
    """
    path = manifest.root / lab.folder / NAME
    if not path.is_file():
        return ""
    about = "Choose an answer before you unfold it. It says of each choice why it is right or wrong."
    try:
        questions = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
        parts = [part for number, one in enumerate(questions, start=1) for part in _question(number, one)]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{lab.folder}/{NAME} cannot be read: {error!r}. A question has ask, and choices with say and why."
        ) from error
    return "\n\n".join([f"# Questions about lab {lab.number}", about, *parts]) + "\n"


def _question(number: int, question: dict) -> list[str]:
    choices = list(zip("ABCDEFGH", question["choice"], strict=False))
    return [
        f"## Question {number}",
        question["ask"].strip(),
        *(f"**{letter}.** {_line(choice['say'])}" for letter, choice in choices),
        "<details><summary>The answer</summary>",
        *(
            f"**{letter} is {'right' if choice.get('right') else 'wrong'}.** {_line(choice['why'])}"
            for letter, choice in choices
        ),
        "</details>",
    ]


def _line(text: str) -> str:
    return " ".join(text.split())
