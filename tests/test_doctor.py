"""Is this machine fit? Python, packages, PyTorch, cores, memory, disks, data, network, browser."""

import ast
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from lab_kit import limits
from lab_kit.doctor import __main__ as doctor
from lab_kit.doctor import data, installed, machine, software
from lab_kit.doctor.finding import FINE, LOOK, WRONG, Finding

ROOT = Path(__file__).resolve().parent.parent
Usage = namedtuple("Usage", "total used free")


def by_thing(look) -> dict[str, Finding]:
    return {finding.thing: finding for finding in look}


def test_runs_with_any_python_of_these_years_and_nothing_installed():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "lab_kit" / "doctor").glob("*.py")]
    trees = [ast.parse(source, feature_version=(3, 8)) for source in sources]
    at_import = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name.name for node in at_import if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in at_import if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"lab_kit"}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "lab_kit.doctor", "--no-network"],  # -S: without what is installed
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Run make setup" in done.stdout + done.stderr or "run make setup" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_fit_machine(monkeypatch, capsys, tmp_path, data_root):
    monkeypatch.chdir(tmp_path)  # the course's folder may belong to somebody else
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: 3.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(100e9, 10e9, 90e9))
    assert doctor.main(["--no-network"]) == 0
    said = capsys.readouterr().out
    assert "PyTorch" in said
    assert "wrong" not in said
    for name in ("mnist", "emnist", "brown", "iam"):
        assert f"data: {name}" in said


def test_an_old_python(monkeypatch):
    for module in (software, data):
        monkeypatch.setattr(module, "OLDEST_PYTHON", (3, 99))
    found = by_thing(software.python())["Python"]
    assert found.state == WRONG
    assert "make setup PYTHON=python3.99" in found.advice
    assert not list(data.data_sets(True))  # whose descriptions it could not read


def test_another_environment_than_the_course_s(monkeypatch, tmp_path):
    (tmp_path / "labs.toml").touch()
    (tmp_path / ".venv").mkdir()
    monkeypatch.chdir(tmp_path)
    assert by_thing(software.python())["environment"].state == LOOK
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert "environment" not in by_thing(software.python())


@pytest.mark.parametrize(
    ("version", "state", "says"),
    [
        ("2.3.0", WRONG, "torch 2.3.0 (at least 2.13) is too old"),
        (None, WRONG, "torch is missing"),
        ("99.0.1+cu999", LOOK, "torch 99.0.1+cu999"),
    ],
)
def test_a_wrong_torch(monkeypatch, version, state, says):
    original = installed.version
    monkeypatch.setattr(installed, "version", lambda name: version if name == "torch" else original(name))
    found = by_thing(software.packages())["packages"]
    assert (found.state, says in found.found) == (state, True), found


def test_the_tested_set_is_what_the_course_pins(monkeypatch):
    exact = dict(installed.exact_packages())
    monkeypatch.setattr(installed, "version", lambda name: exact.get(name, "99"))
    assert by_thing(software.packages())["packages"].state == FINE
    assert {"torch", "pytorch-lightning", "h5py"} <= exact.keys()
    assert {"torch", "jsonargparse"} <= dict(installed.wanted_packages()).keys()


@pytest.mark.parametrize("broken", ["raise OSError('libcudart.so.13: cannot open')", "import os; os.abort()"])
def test_a_torch_that_cannot_be_imported(monkeypatch, broken):
    monkeypatch.setattr(software, "ASK_TORCH", broken)
    found = by_thing(software.torch())["PyTorch"]
    assert found.state == WRONG
    assert "force-reinstall" in found.advice


def test_a_gpu_that_torch_does_not_see(monkeypatch):
    answer = '{"version": "2.15.0", "cuda": [], "built for": null, "mps": false, "threads": 2}'
    monkeypatch.setattr(software, "ASK_TORCH", f"print('{answer}')")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    found = by_thing(software.torch())["PyTorch"]
    assert (found.state, found.found) == (LOOK, "2.15.0, CPU, 2 threads")
    assert "built without CUDA" in found.advice


def test_a_busy_core():
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = by_thing(machine.cores())["cores"]
    finally:
        neighbour.kill()
        neighbour.wait()
    assert found.state == LOOK
    assert "python" in found.advice


def test_a_full_disk_and_a_folder_that_nobody_may_write_to(monkeypatch, tmp_path, data_root):
    monkeypatch.chdir(tmp_path)
    free = {str(data_root): 0.0}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1e9, 1e9, free.get(str(place), 90e9)))
    found = by_thing(machine.folders())
    assert (found["data root"].state, found["run folders"].state) == (WRONG, FINE)
    assert "The disk is full" in found["data root"].advice
    (tmp_path / "file").touch()
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path / "file"))  # a folder with no right to write looks like it
    found = by_thing(machine.folders())["data root"]
    assert found.state == WRONG
    assert "TEXT_RECOGNIZER_DATA" in found.advice
    free[str(data_root)] = 1e9
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(data_root / "not there yet"))
    assert by_thing(machine.folders())["data root"].state == LOOK


def test_a_small_container(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "CONTAINER", tmp_path)
    for name, text in {"cpu.max": "50000 100000", "memory.max": "2000000000", "memory.stat": "anon 500000000"}.items():
        (tmp_path / name).write_text(f"{text}\n")
    assert by_thing(machine.cores())["cores"].found.startswith("1, of which")
    found = by_thing(machine.memory())["memory"]
    assert (found.state, found.found) == (LOOK, "1.5 of 2.0 GB are free")
    (tmp_path / "memory.max").write_text("max\n")
    assert not by_thing(machine.memory())["memory"].found.endswith("of 2.0 GB are free")


def test_little_shared_memory(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(64e6, 60e6, 4e6))
    found = by_thing(machine.memory())
    if "shared memory" in found:  # on Linux
        assert "--num_workers 0" in found["shared memory"].advice


@pytest.fixture
def address(tmp_path):
    """Serve a folder with one file on this machine."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "set.gz").write_bytes(b"content")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    serve = lambda *arguments: Quiet(*arguments, directory=str(tmp_path / "web"))  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_data_sets_on_disk_and_in_reach(monkeypatch, data_root, address):
    for name, path in (("near", "set.gz"), ("gone", "other.gz")):
        folder = data_root / "raw" / name
        folder.mkdir(parents=True)
        (folder / "metadata.toml").write_text(
            f'name = "{name}"\n[[files]]\nfilename = "set.gz"\nsize = 7\nurls = ["{address}/{path}"]\n'
        )
    (data_root / "downloaded" / "mnist").mkdir(parents=True)
    found = by_thing(data.data_sets(True))
    assert found["data: near"].found == "not on disk; 0 MB can be downloaded"
    assert (found["data: gone"].state, found["data: emnist"].state) == (LOOK, LOOK)  # nothing reaches the network here
    assert "HTTPS_PROXY" in found["network"].advice
    (data_root / "downloaded" / "gone").mkdir()
    (data_root / "downloaded" / "gone" / "set.gz").write_bytes(b"content")
    assert by_thing(data.data_sets(True))["data: gone"].found == "on disk"
    (data_root / "downloaded" / "gone" / "set.gz").write_bytes(b"half")
    assert by_thing(data.data_sets(False))["data: gone"].state == FINE  # not looked for
    (data_root / "downloaded" / "gone" / "set.gz").unlink()
    with (data_root / "raw" / "gone" / "metadata.toml").open("a") as described:
        described.write("unpacked = { size = 11 }\n")
    (data_root / "downloaded" / "gone" / "a set").write_bytes(b"11 letters.")  # as a browser has unpacked it
    assert by_thing(data.data_sets(True))["data: gone"].found == "on disk"
    (data_root / "raw" / "gone" / "metadata.toml").write_text("[[")
    assert by_thing(data.data_sets(False))["gone"].state == WRONG


def test_a_look_that_fails_leaves_the_others(monkeypatch):
    def broken():
        raise RuntimeError("what is that?")

    monkeypatch.setattr(machine, "cores", broken)
    found = by_thing(doctor.examine(network=False))
    assert "what is that?" in found["cores"].found
    assert "browser" in found


def test_the_table_is_as_wide_as_the_terminal_and_plain():
    findings = [
        Finding("one", FINE, "a folder " * 12),
        Finding("another thing", WRONG, "Ärger", "Do this."),
    ]
    lines = doctor.table(findings, 60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert lines[-1] == "another thing: Do this."
    assert doctor.table(findings[:1], 60).endswith("This machine is fit for the course.")
    done = subprocess.run(
        [sys.executable, "-m", "lab_kit.doctor", "--no-network"], cwd=ROOT, capture_output=True, check=False,
        env=os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    done.stdout.decode("ascii")
