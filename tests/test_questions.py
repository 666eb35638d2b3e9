"""The questions of the labs are sound, and stand in their READMEs; what is not sound is refused in one line."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from curriculum import manifest, questions, tour
from lab_kit.errors import UserError
from lab_kit.paths import project_root
from lab_kit.questions import FILE, LETTERS, read_questions

ROOT = project_root()
COURSE = manifest.load(ROOT)
LABS = [lab.folder for lab in COURSE.labs]

CHOICES = """
[[question.choice]]
say = "one"
why = "because of this"
[[question.choice]]
say = "two"
why = "because of that"
right = true
[[question.choice]]
say = "three"
why = "because of another thing"
"""
SOUND = f'[[question]]\nask = "How many?"\n{CHOICES}'


def read(tmp_path: Path, text: str):
    path = tmp_path / "lab4" / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_questions(path)


# Those of this course


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_has_six_to_eight_questions_and_each_choice_explains(lab):
    found = read_questions(ROOT / lab / FILE)
    assert 6 <= len(found) <= 8
    for question in found:
        assert len(question.ask) > 20
        assert sum(choice.right for choice in question.choices) == 1
        assert len({choice.say for choice in question.choices}) == len(question.choices)
        assert len({choice.why for choice in question.choices}) == len(question.choices)
        assert all(len(choice.why) > 20 for choice in question.choices)


@pytest.mark.parametrize("lab", LABS)
def test_neither_its_place_nor_its_length_tells_the_right_choice(lab):
    found = read_questions(ROOT / lab / FILE)
    places = Counter(question.right for question in found)
    assert len(places) >= 3
    assert max(places.values()) <= len(found) // 2
    longest = [max(question.choices, key=lambda choice: len(choice.say)).right for question in found]
    assert sum(longest) <= len(found) // 2 + 1


def test_no_two_questions_of_the_course_are_the_same():
    asked = [question.ask for lab in LABS for question in read_questions(ROOT / lab / FILE)]
    assert len(set(asked)) == len(asked) >= 50


@pytest.mark.parametrize("lab", LABS)
def test_the_readme_has_them_before_the_homework_and_they_are_up_to_date(lab):
    name = f"{lab}/README.md"
    text = (ROOT / name).read_text(encoding="utf-8")
    assert tour.readmes(COURSE)[name].decode() == text
    section = text.partition("\n## Check what you have understood\n")[2].partition("\n## ")
    assert section[2].startswith("Homework\n")
    part = section[0].partition("<!-- questions -->\n")[2].partition("\n<!-- end of questions -->")[0]
    assert part.count("<details") == part.count("</details>") == len(read_questions(ROOT / lab / FILE))


def test_the_headings_that_questions_name_are_there():
    assert questions.faults(COURSE) == []


# The file


def test_a_sound_file(tmp_path):
    (question,) = read(tmp_path, SOUND)
    assert question.ask == "How many?"
    assert question.right == 1
    assert [choice.say for choice in question.choices] == ["one", "two", "three"]
    assert question.choices[2].why == "because of another thing"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("right = true", "", "question 1 has 0 right choices"),
        ('say = "one"', 'say = "one"\nright = true', "question 1 has 2 right choices"),
        ('why = "because of that"', 'why = "  "', "question 1, choice b has no `why`"),
        ('why = "because of that"', "", "question 1, choice b has no `why`"),
        ('why = "because of that"', "why = 3", "question 1, choice b has no `why`"),
        ('say = "three"', 'say = "Two"', "question 1 has two equal choices"),
        ('ask = "How many?"', "", "question 1 has no `ask`"),
        ('ask = "How many?"', 'asks = "How many?"', "'asks' is not known. Did you mean 'ask'?"),
        ("right = true", 'right = "yes"', "choice b: `right` is true or false, not 'yes'"),
        ("right = true", "rigth = true", "'rigth' is not known. Did you mean 'right'?"),
        (CHOICES, "", "question 1 has no `[[question.choice]]`"),
        (CHOICES, CHOICES.partition('[[question.choice]]\nsay = "three"')[0], "question 1 has 2 choices"),
        (CHOICES, CHOICES + CHOICES.replace("right = true", ""), "question 1 has 6 choices"),
        (CHOICES, 'choice = "two"', "question 1 has no `[[question.choice]]`"),
        ("[[question]]", "[question", "is not TOML"),
        (SOUND, "", "has no `[[question]]`"),
        (SOUND, "question = 3", "has no `[[question]]`"),
        (SOUND, "title = 3", "'title' is not known"),
    ],
)
def test_a_faulty_file_is_one_line_that_names_the_place(tmp_path, before, after, says):
    assert before in SOUND
    with pytest.raises(UserError) as caught:
        read(tmp_path, SOUND.replace(before, after, 1))
    assert str(caught.value).startswith("lab4/questions.toml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


# In the README, and in `check`


@pytest.fixture
def course(tmp_path: Path) -> manifest.Manifest:
    """Two labs with sound questions, and a README each."""
    for lab in COURSE.labs[:2]:
        folder = tmp_path / lab.folder
        folder.mkdir()
        (folder / FILE).write_text(SOUND * questions.FEWEST, encoding="utf-8")
        (folder / "README.md").write_text(f"# Lab\n\n## A heading\n{questions.START}\n", encoding="utf-8")
    return replace(COURSE, root=tmp_path, labs=COURSE.labs[:2])


def test_a_question_becomes_markdown_whose_answer_is_folded(course):
    text = questions.part(course, course.labs[0])
    first = text.partition("**2.**")[0]
    question, folded = first.split('<details markdown="1"><summary>Answer</summary>')
    assert question.split("\n")[0] == "**1.** How many?"
    assert re.findall(r"^- \*\*([a-d])\.\*\* (\w+)$", question, re.MULTILINE) == [
        ("a", "one"),
        ("b", "two"),
        ("c", "three"),
    ]
    assert folded.startswith("\n\n**b** is right. because of that\n\n")
    assert "- **a.** because of this\n- **c.** because of another thing\n\n</details>" in folded
    assert len(LETTERS) == 4


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "Cannot read lab2/questions.toml: No such file or directory."),
        (SOUND * 5, "lab2/questions.toml has 5 questions: a lab needs at least 6."),
        (SOUND * 5 + SOUND.replace("right = true", ""), "lab2/questions.toml, question 6 has 0 right choices"),
        (
            SOUND.replace("ask", 'see = "The heading"\nask') + SOUND * 5,
            "lab2/questions.toml, question 1: README.md has no heading 'The heading'. Did you mean 'A heading'?",
        ),
    ],
)
def test_check_says_in_one_line_what_is_wrong_with_a_labs_questions(course, content, says):
    path = course.root / "lab2" / FILE
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    (fault,) = questions.faults(course)
    assert fault.startswith(says)
    assert "\n" not in fault


def test_check_is_content_with_sound_questions(course):
    assert questions.faults(course) == []
