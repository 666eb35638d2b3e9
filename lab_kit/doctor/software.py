"""Look at Python, the packages, PyTorch and the browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lab_kit.doctor import installed, places
from lab_kit.doctor.finding import FINE, LOOK, OLDEST_PYTHON, WRONG, Finding
from lab_kit.version import course_version

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge", "firefox")
ASK_TORCH = """
import json, torch
print(json.dumps({
    "version": torch.__version__,
    "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count() * torch.cuda.is_available())],
    "built for": torch.version.cuda,
    "mps": torch.backends.mps.is_available(),
    "threads": torch.get_num_threads(),
}))
"""


def python() -> Iterable[Finding]:
    """Look at Python, and at where it is."""
    version, oldest = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, OLDEST_PYTHON))
    if sys.version_info[:2] < OLDEST_PYTHON:
        advice = f"Python {oldest} or newer is needed: install it, then make setup PYTHON=python{oldest}"
        yield Finding("Python", WRONG, version, advice)
    else:
        yield Finding("Python", FINE, f"{version}, {sys.executable}")
    course = places.course()
    yield Finding("course", FINE, f"version {course_version()}, {course or 'not in its folder'}")
    own = course / ".venv" if course else None
    if own and own.is_dir() and own.resolve() != Path(sys.prefix).resolve():
        start = own / "Scripts" / "activate" if sys.platform == "win32" else f"source {own / 'bin' / 'activate'}"
        advice = f"This is not the course's environment. Run make setup, then: {start}"
        yield Finding("environment", LOOK, sys.prefix, advice)


def packages() -> Iterable[Finding]:
    """Compare the packages with the ranges that are needed, and with the exact set that is tested."""
    wanted = installed.wanted_packages()
    if wanted is None:
        advice = "The kit is not installed: run make setup in the course's folder, or pip install -e ."
        yield Finding("packages", WRONG, "no lab_kit", advice)
        return
    missing, old = [], []
    for name, least in wanted:
        have = installed.version(name)
        if have is None:
            missing.append(name)
        elif installed.numbers(have) < installed.numbers(least):
            old.append(f"{name} {have} (at least {least})")
    if missing or old:
        found = "; ".join([*[f"{name} is missing" for name in missing], *[f"{one} is too old" for one in old]])
        yield Finding("packages", WRONG, found, "Run make setup, or pip install -r requirements/prod.txt")
        return
    exact = installed.exact_packages()
    other = [
        f"{name} {have}"
        for name, tested in exact
        if (have := installed.version(name)) and installed.public(have) != tested
    ]
    if other:
        some = ", ".join(sorted(other, key=lambda one: not one.startswith("torch"))[:4]) + (
            ", ..." if len(other) > 4 else ""
        )
        found = f"{len(other)} of {len(exact)} are not of the tested version: {some}"
        yield Finding("packages", LOOK, found, "Usually that is all right. If something fails, run make setup first.")
    else:
        yield Finding("packages", FINE, f"{len(wanted)} of {len(wanted)}, of the tested versions")


def torch() -> Iterable[Finding]:
    """Ask PyTorch for its devices, in a process of its own: a broken one may crash."""
    if installed.version("torch") is None:
        return  # `packages` says it
    command = [sys.executable, "-c", ASK_TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError) as error:
        answer, last = None, str(error)
    if answer is None:
        advice = (
            "PyTorch cannot be imported. Is there a file torch.py here? Else install it again: "
            f"{sys.executable} -m pip install --force-reinstall -r requirements/prod.txt"
        )
        yield Finding("PyTorch", WRONG, last, advice)
        return
    devices = [*answer["cuda"], *(["MPS (Apple's GPU)"] if answer["mps"] else [])]
    found = f"{answer['version']}, {', '.join(devices) or 'CPU'}, {answer['threads']} threads"
    if not devices and shutil.which("nvidia-smi"):
        built = answer["built for"]
        why = f"This PyTorch is built for CUDA {built}" if built else "This PyTorch is built without CUDA"
        advice = f"There is a GPU that PyTorch does not see. {why}: see https://pytorch.org/get-started/locally/"
        yield Finding("PyTorch", LOOK, found, advice)
    else:
        yield Finding("PyTorch", FINE, found)


def browser() -> Iterable[Finding]:
    """Look for a browser, which lab 6's page and the tests of pages need."""
    mac = Path("/Applications/Google Chrome.app").exists() or Path("/Applications/Safari.app").exists()
    found = next((name for name in BROWSERS if shutil.which(name)), None)
    if found or mac or sys.platform == "win32":
        yield Finding("browser", FINE, found or "there")
    else:
        advice = "Pages of the labs open in any browser, also on another machine; tests of pages need Chromium."
        yield Finding("browser", LOOK, "none found", advice)
