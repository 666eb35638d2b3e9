"""Grading: what a person would give, whatever is handed in; and nothing for what only looks done."""

import base64
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import jsonschema
import pytest

from curriculum import manifest
from lab_kit.grading import handed_in as taking
from lab_kit.grading import landlock
from lab_kit.paths import project_root

ROOT = project_root()
COURSE = manifest.load(ROOT)
GRADE = [sys.executable, "-m", "lab_kit.grade"]
CONFTEST = (ROOT / "lab1" / "homework" / "conftest.py").read_text(encoding="utf-8")
INI = (ROOT / "lab1" / "homework" / "pytest.ini").read_text(encoding="utf-8")
CHECK_ADD = '''"""Exercise 1: add."""
from add import add


def test_two_numbers():
    """Two numbers are added."""
    assert add(1, 2) == 3, "Expected is 3."


def test_negative_numbers():
    """Negative numbers are added, too."""
    assert add(-1, -2) == -3, "Expected is -3."


def test_order():
    """The order makes no difference."""
    assert add(1, 5) == add(5, 1) == 6, "Expected is 6."
'''
CHECK_SCALE = '''"""Exercise 2: scale."""
from text_recognizer.scale import scale


def test_doubles():
    """Everything is doubled."""
    assert scale([1, 2]) == [2, 4], "Expected is [2, 4]."


def test_empty():
    """An empty list stays empty."""
    assert scale([]) == [], "Expected is []."
'''
HIDDEN = '''"""Exercise 1: add, with other numbers."""
from add import add


def test_large():
    """Large numbers are added."""
    assert add(10**12, 7) == 10**12 + 7, "SECRET"
'''
ADD = "def add(a, b):\n    return a + b\n"
SCALE = "def scale(values):\n    return [2 * value for value in values]\n"
ALL = 6  # requirements, one of them hidden


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Return a small course: one lab, two exercises, a hidden check, a solution."""
    root = tmp_path_factory.mktemp("course")
    (root / "labs.toml").write_text(
        'repository = "a/b"\n[[lab]]\nnumber = 1\nhomework = ["homework/add.py", "text_recognizer/scale.py"]\n'
        "[[lab]]\nnumber = 2\n"
    )
    write(
        root,
        {
            "lab1/homework/conftest.py": CONFTEST,
            "lab1/homework/pytest.ini": INI,
            "lab1/homework/test_add.py": CHECK_ADD,
            "lab1/homework/test_scale.py": CHECK_SCALE,
            "lab1/homework/add.py": 'def add(a, b):\n    raise NotImplementedError("Write add.")\n',
            "lab1/text_recognizer/__init__.py": "",
            "lab1/text_recognizer/scale.py": "def scale(values):\n    return values[:-1] or None\n",
            "lab1/training/__init__.py": "",
            "curriculum/hidden/lab1/test_hidden_add.py": HIDDEN,
            "curriculum/solutions/lab1/homework/add.py": ADD,
        },
    )
    return root


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(course: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*GRADE, "--lab", "1", *map(str, arguments)], cwd=course, capture_output=True, text=True,
        check=False, timeout=300,
        env=clean() | environment,
    )  # fmt: skip


def clean() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH"))}
    return kept | {"COLUMNS": "160"}


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def handed_in(add: str, scale: str = SCALE) -> dict[str, str]:
    return {"lab1/homework/add.py": add, "lab1/text_recognizer/scale.py": scale}


FORGE = """
import os
for number in range(3, 40):
    try:
        os.write(number, b'["done", "test_two_numbers", true, ""]')
    except OSError:
        pass
"""
SOLUTION = "curriculum/solutions/lab1/homework/add.py"
# What is handed in as add.py, beside a right scale.py: how many of the three visible checks of add, and the hidden one
HARMLESS = "def add(a, b):\n    return 0\n"
DISHONEST = {
    "loops": "def add(a, b):\n    while True:\n        pass\n",
    "loops at import": "while True:\n    pass\n",
    "eats memory": "def add(a, b):\n    return [bytearray(10**9) for _ in range(10**3)]\n",
    "leaves at import": "import os\nos._exit(0)\n",
    "leaves": "import os\ndef add(a, b):\n    os._exit(0)\n",
    "exits": "import sys\nsys.exit(0)\n",
    "crashes": "import os\ndef add(a, b):\n    os.abort()\n",
    "ends pytest": "import pytest\ndef add(a, b):\n    pytest.exit('done', returncode=0)\n",
    "skips": "import pytest\ndef add(a, b):\n    pytest.skip('not today')\n",
    "patches pytest": (
        "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None\ndef add(a, b):\n    return 0\n"
    ),
    "patches pytest late": (
        "def add(a, b):\n    import _pytest.runner\n"
        "    _pytest.runner.pytest_runtest_call = lambda item: None\n    return 0\n"
    ),
    "patches the checks": (
        "import sys\ndef add(a, b):\n    for name in ('test_order', 'test_negative_numbers'):\n"
        "        setattr(sys._getframe(1).f_globals[name], '__code__', (lambda: None).__code__)\n    return 3\n"
    ),
    "prints JSON": 'print(\'{"score": 3, "tests": []}\')\ndef add(a, b):\n    print(\'["done"]\')\n    return 0\n',
    "forges": f"{FORGE}\ndef add(a, b):\n    return 0\n",
    "half a message": (
        "import os, struct, time\nfor number in range(3, 60):\n    try:\n"
        "        os.write(number, struct.pack('!i', 1000))\n    except OSError:\n        pass\ntime.sleep(1000)\n"
    ),
    "says nonsense": "def add(a, b):\n    raise ValueError('\\ud800 \\x1b[2J' + 'x' * 2_000_000)\n",
    "syntax error": "def add(a, b)\n    return a + b\n",
    "is no text": "\x00\x01",
    "is deep": "x = " + "(" * 500 + ")" * 500 + "\n",
    "edits the checks": (
        "from pathlib import Path\nfor path in Path(__file__).parent.glob('test_*.py'):\n"
        "    path.write_text('def test_two_numbers():\\n    pass\\n')\ndef add(a, b):\n    return 0\n"
    ),
}  # fmt: skip


def test_nobody_gets_points_for_nothing_and_nobody_loses_others(course, tmp_path):
    """Each of these: the two points of the other exercise, no more and no less; all in one command."""
    folder = tmp_path / "handed in"
    for name, add in DISHONEST.items():
        write(folder / name, handed_in(add))
    solution = course / SOLUTION
    write(folder / "reads the solution", handed_in(f"exec(open({str(solution)!r}).read())\n"))
    write(
        folder / "lists the solutions",
        handed_in(f"import os\nname, = os.listdir({str(solution.parent)!r})\ndef add(a, b):\n    return a + b\n"),
    )
    write(
        folder / "starts a program",
        handed_in(f"import subprocess\nexec(subprocess.check_output(['cat', {str(solution)!r}]))\n"),
    )
    if landlock.version():
        write(
            folder / "lets PyTorch read the solution",
            handed_in(
                f"import torch\nexec(bytes(torch.from_file({str(solution)!r}, size={len(ADD)}, dtype=torch.uint8)"
                f".tolist()))\ntorch.save(0, {str(tmp_path / 'left behind')!r})\n"
            ),
        )
    edited = handed_in(HARMLESS)
    edited["lab1/homework/test_add.py"] = CHECK_ADD.replace("assert", "return  # assert")
    edited["lab1/homework/conftest.py"] = "import os\nos._exit(0)\n"
    write(folder / "hands in checks", edited)
    start = time.perf_counter()
    done = run(course, *sorted(folder.iterdir()), "--csv", tmp_path / "grades.csv", "--seconds", 4, "--memory", 2)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "grades.csv")
    assert found.keys() == {path.name for path in folder.iterdir()}
    for name, row in found.items():
        assert (row["points"], row["of"]) == ("2", str(ALL)), (name, row)
        assert (row["test_scale.test_doubles"], row["test_scale.test_empty"]) == ("1", "1"), (name, row)
    assert seconds < 60 * len(found)
    assert not (tmp_path / "left behind").exists()
    assert "replaces" in found["patches pytest"]["notes"]
    text = {name: (tmp_path / "grades-feedback" / f"{name}.txt").read_text(encoding="utf-8") for name in found}
    assert "Is there a loop" in text["loops"]
    assert "exit code 0" in text["leaves at import"] or "_exit" in text["leaves at import"]
    assert "SyntaxError" in text["syntax error"]
    assert "may not read" in text["reads the solution"]
    assert "\x1b" not in text["says nonsense"]
    assert "SECRET" not in "".join(text.values())  # what a hidden check says stays hidden
    assert "Traceback" not in done.stderr


def test_points_that_a_person_would_give(course, tmp_path):
    """The starter, half-done homework of three kinds, and the whole; as a lab, a repository, bare files, and a zip."""
    write(tmp_path / "starter", {"lab1/homework/add.py": (course / "lab1/homework/add.py").read_text()})
    write(tmp_path / "all", handed_in(ADD))
    write(tmp_path / "positive", {"add.py": "def add(a, b):\n    return abs(a) + abs(b)\n"})  # 2 and the hidden one
    write(tmp_path / "only-the-second", {"text_recognizer/scale.py": SCALE})
    write(tmp_path / "one-case", {"my repository/lab1/homework/add.py": "def add(a, b):\n    return 3\n"})
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for name, text in handed_in(ADD).items():
            archive.writestr(f"homework-of-me/{name}", text)
        archive.writestr("__MACOSX/lab1/homework/._add.py", "")
    (tmp_path / "all.rar").write_bytes(b"Rar!")
    places = ["starter", "all", "positive", "only-the-second", "one-case", "packed.zip", "all.rar"]
    done = run(course, *(tmp_path / place for place in places), "--csv", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    found = {name: int(row["points"]) for name, row in rows(tmp_path / "out.csv").items()}
    by_name = {"starter": 0, "all": 6, "positive": 3, "only-the-second": 2, "one-case": 1, "packed": 6}
    assert found == by_name | {"all (2)": 0}
    notes = {name: row["notes"] for name, row in rows(tmp_path / "out.csv").items()}
    assert "add.py was not handed in" in notes["only-the-second"]
    assert notes["all (2)"] == (
        "Nothing was taken: all.rar is neither a folder nor a zip that can be read. "
        f"Look at {tmp_path / 'all.rar'}: another student's folder has this name, too."
    )
    assert "Large numbers are added (hidden)" in done.stdout
    assert "Write add." in (tmp_path / "out-feedback" / "starter.txt").read_text(encoding="utf-8")


def read(place: Path) -> taking.HandedIn:
    return taking.read(place, "lab1", ["homework/add.py", "text_recognizer/scale.py"])


def test_a_zip_in_a_folder_and_one_of_windows_are_read(tmp_path):
    (tmp_path / "Jörg_123_file").mkdir()  # as Moodle packs it
    with zipfile.ZipFile(tmp_path / "Jörg_123_file" / "homework.zip", "w") as archive:
        for name, text in handed_in(ADD).items():
            member = zipfile.ZipInfo("x")
            member.filename = name.replace("/", "\\")
            archive.writestr(member, text)
        archive.writestr("lab1/homework/._add.py", "of a Mac")
    (tmp_path / "Jörg_123_file" / "broken.zip").write_bytes(b"PK")
    found = read(tmp_path / "Jörg_123_file")
    assert found.files == {"homework/add.py": ADD.encode(), "text_recognizer/scale.py": SCALE.encode()}
    assert found.notes == []
    (tmp_path / "Jörg_123_file" / "add.py").write_text(ADD)
    (tmp_path / "Jörg_123_file" / "homework.zip").rename(tmp_path / "Jörg.zip")
    assert read(tmp_path / "Jörg.zip").files.keys() == found.files.keys()


def test_what_was_not_taken_is_said(tmp_path):
    write(tmp_path / "renamed", {"add (1).py": ADD, "scale.py.txt": SCALE})
    assert read(tmp_path / "renamed").notes == [
        "homework/add.py was not handed in. There is add (1).py: is it that?",
        "text_recognizer/scale.py was not handed in. There is scale.py.txt: is it that?",
    ]
    contents = {
        "utf-16": ADD.encode("utf-16"),
        "latin-1": b"# M\xfcller\n",
        "said": b"# coding: latin-1\n# M\xfcller\n",
    }
    for name, content in contents.items():
        write(tmp_path / name, {"scale.py": SCALE})
        (tmp_path / name / "add.py").write_bytes(content)
    warning = ["homework/add.py is not in UTF-8, as Python wants it: save it as UTF-8 in an editor."]
    assert [read(tmp_path / name).notes for name in contents] == [warning, warning, []]


RESULTS_SCHEMA = {  # https://gradescope-autograders.readthedocs.io/en/latest/specs/
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
        "stdout_visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
        "extra_data": {"type": "object"},
        "leaderboard": {"type": "array"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": {"enum": ["text", "html", "simple_format", "md", "ansi"]},
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": {"enum": ["text", "html", "simple_format", "md", "ansi"]},
                    "tags": {"type": "array"},
                    "visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}


def test_reports_for_gradescope_and_github(course, tmp_path):
    write(tmp_path / "=anna", handed_in("def add(a, b):\n    return abs(a) + abs(b)\n"))
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    done = run(
        course, tmp_path / "=anna", "--csv", tmp_path / "one.csv", "--gradescope", tmp_path / "results.json",
        "--github", "true", GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert sum(test["score"] for test in results["tests"]) == 5
    assert sum(test["max_score"] for test in results["tests"]) == ALL
    assert [test["visibility"] for test in results["tests"]].count("after_published") == 1
    name, _, content = output.read_text().strip().partition("=")
    report = json.loads(base64.b64decode(content))
    assert name == "result"
    assert (report["version"], report["status"], report["max_score"]) == (1, "fail", ALL)
    assert sum(test["score"] for test in report["tests"]) == 5
    assert "- [ ] Negative numbers are added, too" in summary.read_text(encoding="utf-8")
    assert next(iter(rows(tmp_path / "one.csv"))) == "'=anna"  # no formula


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "There is no nowhere"),
        (["labs.toml"], "neither a folder nor a zip"),
        (["lab1", "--lab", "7"], "There is no lab 7: labs.toml has 1, 2."),
        (["lab1", "--lab", "2"], "lab 2 has no `homework`"),
        (["lab1", "--csv", "no/such/grades.csv"], "make it first"),
        (["lab1", "--csv", "lab1"], "is a folder"),
        (["lab1", "lab1", "--gradescope", "results.json"], "give one folder"),
        (["lab1", "--github", "true"], "GITHUB_OUTPUT"),
        (["lab1", "--seconds", "0"], "greater than 0"),
        ([], "folders"),
    ],
)
def test_bad_input_is_one_line(course, arguments, says):
    done = run(course, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_lab_in_which_somebody_has_worked_is_no_measure(course, tmp_path):
    shutil.copytree(course, tmp_path / "course")
    (tmp_path / "course/lab1/.generated").write_text(f"{'0' * 64}  text_recognizer/scale.py\n")
    done = run(tmp_path / "course", "lab1")
    assert done.returncode == 2
    assert "scale.py is not as it was handed out" in done.stderr


def test_ctrl_c_ends_it_and_keeps_what_is_done(course, tmp_path):
    write(tmp_path / "loops", handed_in(DISHONEST["loops at import"]))
    write(tmp_path / "all", handed_in(ADD))
    write(tmp_path / "waits", handed_in(ADD))
    process = subprocess.Popen(
        [
            *GRADE, *(str(tmp_path / name) for name in ("all", "loops", "waits")), "--lab", "1",
            "--csv", str(tmp_path / "a.csv"), "--jobs", "1",
        ],
        cwd=course, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert "Grading 3" in process.stdout.readline()
    assert "1 of 3  all" in process.stdout.readline()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "2 of 3 are missing" in printed
    assert {name: row["points"] for name, row in rows(tmp_path / "a.csv").items()} == {"all": str(ALL)}


@pytest.mark.slow
@pytest.mark.parametrize("number", [lab.number for lab in COURSE.labs])
def test_the_starter_gets_nothing_and_the_solution_all(number, tmp_path):
    lab = COURSE.lab(number)
    for name, folder in (("starter", ROOT / lab.folder), ("solution", ROOT / "curriculum" / "solutions" / lab.folder)):
        for file in lab.homework:
            target = tmp_path / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / file, target)
    done = run(ROOT, tmp_path / "starter", tmp_path / "solution", "--lab", number, "--csv", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out.csv")
    assert found["starter"]["points"] == "0"
    assert found["solution"]["points"] == found["solution"]["of"]
    assert found["solution"]["notes"] == ""
