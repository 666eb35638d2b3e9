"""Parts of the grader, without processes: what it takes, what it notices, and what it writes."""

import math
import subprocess
import sys
import textwrap
import zipfile

import pytest
import torch

from curriculum import manifest
from lab_kit.errors import UserError
from lab_kit.grading import handed_in, landlock
from lab_kit.grading.look_at import MOST, suspicious
from lab_kit.grading.printable import MOST_CHARACTERS, file_name, printable
from lab_kit.grading.runner import DONE, END, READY, START, Outcome
from lab_kit.grading.tampering import Watch
from lab_kit.paths import project_root

ROOT = project_root()
COURSE = manifest.load(ROOT)


@pytest.mark.parametrize(
    "code",
    [
        "import sys",
        "from lab_kit.grading import examine",
        "from lab_kit.paths import os",
        "import torch\ntorch.allclose = print",
        "class Yes:\n    def __eq__(self, other):\n        return True",
        "class Yes(int):\n    pass",
        "import torch\nclass Liar(torch.Tensor):\n    def item(self):\n        return 0.0",
        "Yes = type('Yes', (), {})",
        "x = getattr(print, 'f_' + 'locals')",
        "x = open('solution.py').read()",
        "x = (e := exec)('1')",
        "import torch\nx = torch.from_file('solution.py')",
        "x = error.__traceback__.tb_frame.f_back",
        "from torch.nn.modules.module import register_module_forward_hook",
        "from torch._C import PyTorchFileReader",
        "def f(x):\n    x.item = lambda: 0.0",
        "import random\nrandom._os.listdir()",
        "import torch as self\nself.allclose = print",
        "import torch\nself = torch",
        "from torch import *",
    ],
)
def test_what_a_person_should_look_at(code):
    assert suspicious({"a.py": code.encode()}), code


def test_starters_and_solutions_have_nothing_to_look_at():
    for lab in COURSE.labs:
        for folder in (ROOT / lab.folder, ROOT / "curriculum" / "solutions" / lab.folder):
            assert suspicious({name: (folder / name).read_bytes() for name in lab.homework}) == []


def test_what_to_look_at_is_a_few_lines_and_no_code_stops_it():
    assert len(suspicious({"a.py": b"import gc\n" * 500})) == MOST + 1
    assert "nested too deeply" in suspicious({"a.py": f"x{'.a' * 700} = 1".encode()})[0]
    for nested in ("x = " + "-" * 100_000 + "1", "x = " + "+".join(["1"] * 20_000)):  # Pythons differ
        suspicious({"a.py": nested.encode()})
    assert suspicious({"a.py": b"\x00", "b.py": b"\xff", "c.py": b"def"}) == []


def test_a_method_that_hides_another_is_noticed(monkeypatch):
    watch = Watch(sys.modules[__name__])
    assert watch.replaced() == []
    torch.set_default_dtype(torch.float64)  # sets a class of PyTorch's
    torch.set_default_dtype(torch.float32)
    assert watch.replaced() == []
    monkeypatch.setattr(pytest.TestReport, "passed", property(lambda self: True), raising=False)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: 0.0, raising=False)
    monkeypatch.setattr(sys.modules[__name__], "abs", lambda x: 0, raising=False)
    monkeypatch.setattr(math, "sqrt", lambda x: 0)
    assert set(watch.replaced()) == {"TestReport.passed", "Tensor.item", f"{__name__}.abs", "math.sqrt"}


def test_a_check_that_ends_all_checks_has_not_passed():
    outcome = Outcome()
    for message in ([READY, "", ""], [START, "a"], [DONE, "a", True, ""], [START, "b"], [END, ""]):
        outcome.take(message)
    assert (outcome.lessons, outcome.running, outcome.finished) == ({"a": ""}, "b", False)
    outcome.take([DONE, "b", True, ""])
    outcome.take([END, ""])
    assert outcome.finished


def test_damaged_zips_are_notes(tmp_path):
    def packed(name: str, kind: int, files: dict[str, str]) -> bytearray:
        with zipfile.ZipFile(tmp_path / name, "w", kind) as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return bytearray((tmp_path / name).read_bytes())

    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        content = packed("damaged.zip", kind, {"a.py": "def add(a, b):\n    return a + b\n" * 200})
        content[45:65] = b"\xff" * 20
        (tmp_path / "damaged.zip").write_bytes(content)
        assert handed_in.read(tmp_path / "damaged.zip", "lab1", ["a.py"]).notes[0].startswith("a.py was not taken")
    content = packed("a.zip", zipfile.ZIP_STORED, {"a.py": "1"})
    start = content.rindex(b"PK\x01\x02")
    content[start : start + 4] = b"XXXX"
    (tmp_path / "a.zip").write_bytes(content)
    assert (
        handed_in.read(tmp_path / "a.zip", "lab1", ["a.py"]).notes[0].startswith("Nothing was taken: a.zip is neither")
    )


def test_zips_of_windows_and_of_moodle_are_taken(tmp_path):
    (tmp_path / "Anna").mkdir()
    with zipfile.ZipFile(tmp_path / "Anna" / "my homework.zip", "w") as archive:
        archive.writestr("lab1\\homework\\a.py", "1")
    found = handed_in.read(tmp_path / "Anna", "lab1", ["homework/a.py"])
    assert (found.student, found.files, found.notes) == ("Anna", {"homework/a.py": b"1"}, [])


def test_names_are_printable_and_differ(tmp_path):
    assert printable("a\x1b[2J\ud800\x07\u202eb") == "a?[2J???b"
    assert len(printable("x" * 10**6)) < MOST_CHARACTERS + 10
    given = ["a", "a", "a (2)", "A", "x" * 250, "line break", "=1"]
    work = [handed_in.HandedIn(name) for name in given]
    handed_in.name_apart(work, [tmp_path] * len(work))
    names = [one.student for one in work]
    assert names == ["a", "a (3)", "a (2)", "A (4)", *given[4:]]
    assert all(len(file_name(name).encode()) <= 200 for name in names)
    if sys.platform != "win32":
        (tmp_path / "line\nbreak").mkdir()
        assert handed_in.read(tmp_path / "line\nbreak", "lab1", []).student == "line break"


def test_without_assertions_nothing_is_graded():
    code = "from lab_kit.grade import grade; grade([], 1)"
    done = subprocess.run([sys.executable, "-O", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"{UserError.__name__}: Python runs without assertions" in done.stderr


@pytest.mark.skipif(not landlock.version(), reason="this system has no Landlock")
def test_linux_keeps_a_process_to_its_folders(tmp_path):
    for name in ("own", "public", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    code = f"""
        import os
        from pathlib import Path
        from lab_kit.grading import landlock

        root = Path({str(tmp_path)!r})
        assert landlock.restrict(root / "own", [root / "public", root / "not there"])
        assert (root / "public" / "file").read_text() == "public"
        (root / "own" / "new").write_text("written")
        for refused in (
            lambda: (root / "secret" / "file").read_text(),
            lambda: (root / "public" / "file").write_text("x"),
            lambda: (root / "own" / "file").rename(root / "secret" / "moved"),
            lambda: os.listdir(root / "secret"),
            lambda: os.execv("/bin/sh", ["sh"]),
        ):
            try:
                refused()
            except OSError:
                continue
            raise SystemExit("not refused")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=True)
    assert (tmp_path / "own" / "new").read_text() == "written"
