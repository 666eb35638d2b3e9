"""Slides are what a README says, in few words, in one file that can be read from the last row."""

import base64
import re
from pathlib import Path

import pytest

from curriculum import manifest, slides
from curriculum.__main__ import main
from lab_kit.paths import project_root
from tests.programs import chromium

ROOT = project_root()
COURSE = manifest.load(ROOT)
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
README = """# Lab 1. Nets

A net learns. It needs data.

- It reads [digits](digits.md). All of them.
- It writes.

## Loss

**Why?** Because it says how wrong the net is. More words that nobody can read at the back.

| step | loss |
| --- | --- |
| 1 | 0.5 |

```sh
python train.py --lr "1e-3" > log
```

![A curve
that falls](curve.png) ![elsewhere](https://example.com/badge.svg)

<details><summary>The answers</summary>

Nobody knows.

</details>

<!-- new files -->
A list of files.
<!-- end of new files -->
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    (tmp_path / "lab1").mkdir()
    (tmp_path / "lab1/README.md").write_text(README)
    (tmp_path / "lab1/curve.png").write_bytes(PIXEL)
    (tmp_path / "labs.toml").write_text(
        'repository = "a/b"\ncanonical = []\nmay_differ = []\nordinary_words = []\nshared = []\nexports = {}\n'
        '[[lab]]\nnumber = 1\ntitle = "Nets & more"\nmain = ""\nadds = []\n'
    )
    return tmp_path


def test_each_heading_begins_a_slide_and_a_paragraph_is_its_first_sentence(course):
    found = slides.slides(README, course / "lab1")
    assert [slide.heading.striptags() for slide in found] == ["Lab 1. Nets", "Loss", "Loss"]
    assert [slide.first for slide in found] == [True, False, False]
    assert found[0].parts == ("<p>A net learns.</p>", "<ul><li>It reads digits.</li><li>It writes.</li></ul>")
    words = "".join(found[1].parts)
    assert "<strong>Why?</strong> Because it says how wrong the net is." in words
    assert "at the back" not in words
    assert "<td>0.5</td>" in words
    assert "--lr &#34;1e-3&#34; &gt; log" in words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("One. Two.", "One."),
        ("Why? Because. And more.", "Why? Because."),
        (
            "Predict first: a net sees ten. Then more. What comes? Then run",
            "Predict first: a net sees ten. Then more. What comes?",
        ),
        ("**Question.** It falls. How? Say it.", "Question. It falls. How?"),
        ("**It falls. Why?** It learns. More.", "It falls. Why? It learns."),
        ("**3.** A net is large. How large? Say it.", "3. A net is large. How large?"),
        ("(A remark.)", None),
    ],
)
def test_of_a_paragraph_the_first_sentence_is_shown_and_of_a_task_its_question(words, shown):
    (slide,) = slides.slides(f"# Nets\n\n{words}\n", Path())
    assert [part.striptags() for part in slide.parts] == ([shown] if shown else [])


def test_a_file_holds_its_pictures_and_neither_answers_nor_lists_of_files(course):
    assert main(["--root", str(course), "slides", "--out", str(course / "out")]) == 0
    text = (course / "out/lab1.html").read_text()
    assert "Nets &amp; more" in text
    assert f'alt="A curve that falls" src="data:image/png;base64,{base64.b64encode(PIXEL).decode()}"' in text
    assert "example.com" not in text
    assert "Nobody knows" not in text
    assert "A list of files" not in text
    assert "<a " not in text


def test_what_is_long_is_shared_out_among_slides(course):
    rows = "\n".join(f"| {number} | a row |" for number in range(20))
    code = "\n".join(f"line_{number} = 0" for number in range(40))
    found = slides.slides(f"# Long\n\n| n | what |\n| - | - |\n{rows}\n\n```\n{code}\n```\n", course)
    tables = [slide for slide in found if "<table>" in "".join(slide.parts)]
    assert [part.count("<tr>") - 1 for slide in tables for part in slide.parts] == [8, 8, 4]
    shown = re.findall(r"line_\d+", "".join(part for slide in found for part in slide.parts))
    assert shown == [f"line_{number}" for number in range(40)]


def test_a_question_and_its_choices_have_a_slide_of_their_own(course):
    text = "".join(f"**{n}.** It is so. Why?\n\n- **a.** Because.\n- **b.** Nobody knows.\n\n" for n in (1, 2))
    found = slides.slides(f"# Questions\n\nTwo.\n\n{text}", course)
    assert [slide.parts[0].striptags() for slide in found] == ["Two.", "1. It is so. Why?", "2. It is so. Why?"]
    assert ["Nobody" in slide.parts[-1] for slide in found] == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lab", "2"], "error: There is no lab 2: the labs go from 1 to 1."),
        ([], "error: Cannot read"),
    ],
)
def test_bad_input_is_one_line(course, capsys, arguments, said):
    (course / "lab1/curve.png").unlink()
    assert main(["--root", str(course), "slides", *arguments, "--out", str(course / "out")]) == 2
    written = capsys.readouterr().err
    assert written.startswith(said)
    assert written.count("\n") == 1
    assert not (course / "out").exists()


def test_the_slides_of_the_course_fit_on_the_screen_and_turn_with_the_arrow_keys(tmp_path):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for lab in COURSE.labs:
            path = tmp_path / f"{lab.folder}.html"
            count = slides.write(COURSE, lab, path)
            page.goto(path.as_uri())
            assert page.locator("section").count() == count > 10
            too_large = page.evaluate(
                """() => [...document.querySelectorAll(".inside")].filter((one) =>
                    one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
                    .map((one) => one.innerText.slice(0, 60))"""
            )
            assert too_large == []
            small = page.evaluate(
                """() => [...document.querySelectorAll(".inside")].filter((one) =>
                    parseFloat(getComputedStyle(one).fontSize) < 20).map((one) => one.innerText.slice(0, 60))"""
            )
            assert small == [], lab.folder
        page.keyboard.press("ArrowRight")
        page.keyboard.press("PageDown")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("location.hash") == "#2"
        page.keyboard.press("End")
        assert page.evaluate("location.hash") == f"#{count}"
    assert [url for url in asked if url.startswith("http")] == []
