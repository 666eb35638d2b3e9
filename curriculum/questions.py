"""A lab's questions: their part of its README, and what is wrong with them."""

from pathlib import Path

from curriculum.manifest import Lab, Manifest
from lab_kit.errors import UserError, nearest
from lab_kit.questions import FILE, LETTERS, Question, read_questions

FEWEST = 6  # questions of a lab
README, START = "README.md", "<!-- questions -->"


def part(manifest: Manifest, lab: Lab) -> str:
    """Return a lab's questions as Markdown, each with its answer folded; raises UserError where they are faulty."""
    questions = read_questions(manifest.root / lab.folder / FILE)
    return "\n\n".join(_as_markdown(number, question) for number, question in enumerate(questions, start=1))


def faults(manifest: Manifest) -> list[str]:
    """Say which labs' questions are missing, too few or faulty, a line each."""
    return [fault for lab in manifest.labs if (fault := _fault(manifest.root / lab.folder))]


def _fault(folder: Path) -> str:
    try:
        questions = read_questions(folder / FILE)
    except UserError as error:
        return str(error)
    if len(questions) < FEWEST:
        return f"{folder.name}/{FILE} has {len(questions)} questions: a lab needs at least {FEWEST}."
    readme = folder / README
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if START not in text:  # it is not written yet, or has no place for questions
        return ""
    headings = {line.lstrip("#").strip() for line in text.splitlines() if line.startswith("##")}
    for number, question in enumerate(questions, start=1):
        if question.see not in {"", *headings}:
            hint = nearest(question.see, headings)
            return f"{folder.name}/{FILE}, question {number}: {README} has no heading '{question.see}'.{hint}"
    return ""


def _as_markdown(number: int, question: Question) -> str:
    right = question.choices[question.right]
    choices = [f"- **{letter}.** {choice.say}" for letter, choice in zip(LETTERS, question.choices, strict=False)]
    wrong = [
        f"- **{letter}.** {choice.why}"
        for letter, choice in zip(LETTERS, question.choices, strict=False)
        if not choice.right
    ]
    # The blank lines let GitHub read what is folded as Markdown, and the attribute Python-Markdown's `md_in_html`.
    return "\n".join(
        [
            f"**{number}.** {question.ask}",
            "",
            *choices,
            "",
            '<details markdown="1"><summary>Answer</summary>',
            "",
            f"**{LETTERS[question.right]}** is right. {right.why}",
            "",
            *wrong,
            "",
            "</details>",
        ]
    )
