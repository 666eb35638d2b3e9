"""What the READMEs tell people to type works, in a process that can import only that lab; and no link is dead."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_mnist

from lab_kit.paths import project_root

ROOT = project_root()
LABS = sorted(path.parent for path in ROOT.glob("lab[0-9]*/README.md"))
READMES = [ROOT / "README.md", *sorted(path for path in ROOT.glob("[!.]*/**/README.md") if "logs" not in path.parts)]

# Runs commands one after the other in one process, so that torch is imported once. Only the lab is importable.
DRIVER = """
import io, json, runpy, sys, traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from matplotlib.figure import Figure
from lab_kit.handwriting import pen_set

Figure.savefig = lambda figure, path, **how: Path(path).write_bytes(b"picture")  # drawing is for other tests
pen_set.SIZES.update(train=1280, val=256, test=256)
results = []
for arguments in json.loads(sys.stdin.read()):
    code, text = 0, io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        try:
            if arguments[0] == "-c":
                exec(arguments[1], {"__name__": "__main__"})
            elif arguments[0] == "-m":
                sys.argv = arguments[1:]
                runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = arguments
                runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            traceback.print_exc(file=text)
            code = 1
    results.append([code, text.getvalue()])
print("RESULTS" + json.dumps(results))
"""


def commands(readme: Path) -> list[tuple[list[str], bool]]:
    """Return the arguments of each Python command in a README's `sh` blocks, and whether it says that it fails."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for command in re.findall(r'^python (?:[^"\n]|"[^"]*")*$', block, re.MULTILINE):
            found.append((shlex.split(command, comments=True)[1:], "# fails" in command))
    return found


def tiny(arguments: list[str]) -> list[str]:
    """Let an experiment be over in a second."""
    if "lab_kit.curation.practice.make_set" in arguments:
        return [*arguments, "--pictures_per_class", "10", "--test_per_class", "2"]
    if arguments[0] in ("-c", "-m") or "--help" in arguments or "compare_runs.py" in arguments[0]:
        return arguments
    if "sweep.py" in arguments[0]:
        return [*arguments, "--trials", "1", "--workers", "1"]
    batches = ["--batch_size", "16"] if "--find_lr" in arguments else ["--limit_train_batches", "2"]
    limits = [*batches, "--limit_val_batches", "1", "--limit_test_batches", "1"]
    limits += [] if "--find_lr" in arguments else ["--max_epochs", "1"]
    if "--profile" in arguments:
        limits = ["--batch_size", "16"]
    if "--overfit_batches" in arguments:
        limits = ["--max_epochs", "1"]
    lines = ["--num_train", "64", "--num_val", "16", "--num_test", "16"] if "EMNISTLines" in arguments else []
    return [*arguments, *limits, *lines]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_every_command_of_a_labs_readme_runs(lab: Path, data_root: Path, tmp_path: Path):
    make_mnist(data_root, "mnist")
    make_mnist(data_root, "fashion_mnist")
    # A copy: what the commands leave behind must not stay, and a lab needs nothing from outside its folder.
    copy = shutil.copytree(lab, tmp_path / lab.name, ignore=shutil.ignore_patterns("logs", "processed", "__pycache__"))
    for space in copy.glob("training/spaces/*.toml"):  # sweeps start programs of their own
        text = space.read_text(encoding="utf-8").replace("\n[flags]\n", "\n[flags]\nlimit_train_batches = 2\n")
        space.write_text(text.replace("max_epochs = 9", "max_epochs = 2"), encoding="utf-8")
    given = commands(copy / "README.md")
    assert given
    work = [tiny(arguments) for arguments, _ in given]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(work), cwd=copy, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "", "PYTHONPATH": ""},
    )  # fmt: skip
    assert "RESULTS" in done.stdout, done.stderr
    results = json.loads(done.stdout.partition("RESULTS")[2])
    for (arguments, fails), (code, text) in zip(given, results, strict=True):
        assert code == (2 if fails else 0), f"{' '.join(arguments)}\n{text}"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_local_link_resolves(readme: Path):
    text = re.sub(r"^```.*?^```", "", readme.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    dead = [link for link in links if not re.match(r"[a-z]+:", link) and not (readme.parent / link).exists()]
    assert not dead
