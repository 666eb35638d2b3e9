"""Is this machine fit for the course? A table, and one line of advice for whatever is not fine.

    python -m lab_kit.doctor

It needs nothing but Python, of any version from 3.8 on: so it can say what else is missing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

OLDEST_PYTHON = (3, 11)
DISTRIBUTION = "text-recognizer-labs"
FINE, LOOK, WRONG = "fine", "look", "wrong"  # for the last two there is advice; with the last, the course does not run
LITTLE_MEMORY, LITTLE_DISK, FULL_DISK, LITTLE_SHARED = 2.0, 2.0, 0.1, 0.06  # GB
MUCH_OTHER_WORK = 0.4  # of a core
LOOKING_S, ANSWER_S = 1.0, 6.0  # how long to look at other programs; how long an address may take
FEW_FILES = 512  # that may be open at once
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


class Finding(NamedTuple):
    """What was found about one thing.

    Args:
        thing: its name.
        state: `FINE`, `LOOK` or `WRONG`.
        found: what is there.
        advice: what to do, in one line; empty where all is fine.
    """

    thing: str
    state: str
    found: str
    advice: str = ""


def python() -> Iterable[Finding]:
    """Look at Python, and at where it is."""
    version, oldest = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, OLDEST_PYTHON))
    if sys.version_info[:2] < OLDEST_PYTHON:
        advice = f"Python {oldest} or newer is needed: install it, then make setup PYTHON=python{oldest}"
        yield Finding("Python", WRONG, version, advice)
    else:
        yield Finding("Python", FINE, f"{version}, {sys.executable}")
    course = _course()
    if course and (course / ".venv").is_dir() and course not in Path(sys.prefix).resolve().parents:
        advice = f"This is not the course's environment: source {course / '.venv' / 'bin' / 'activate'}"
        yield Finding("environment", LOOK, sys.prefix, advice)


def packages() -> Iterable[Finding]:
    """Compare the packages with the ranges that are needed, and with the exact set that is tested."""
    wanted = _wanted_packages()
    if wanted is None:
        advice = "The kit is not installed: run make setup in the course's folder, or pip install -e ."
        yield Finding("packages", WRONG, "no lab_kit", advice)
        return
    missing, old = [], []
    for name, least in wanted:
        have = _version(name)
        if have is None:
            missing.append(name)
        elif _numbers(have) < _numbers(least):
            old.append(f"{name} {have} (at least {least})")
    if missing or old:
        found = "; ".join([*[f"{name} is missing" for name in missing], *[f"{one} is too old" for one in old]])
        yield Finding("packages", WRONG, found, "Run make setup, or pip install -r requirements/prod.txt")
        return
    exact = _exact_packages()
    other = [f"{name} {have}" for name, tested in exact if (have := _version(name)) and _public(have) != tested]
    if other:
        some = ", ".join(other[:4]) + (", ..." if len(other) > 4 else "")
        found = f"{len(other)} of {len(exact)} are not of the tested version: {some}"
        yield Finding("packages", LOOK, found, "Usually that is all right. If something fails, run make setup first.")
    else:
        yield Finding("packages", FINE, f"{len(wanted)} of {len(wanted)}, of the tested versions")


def torch() -> Iterable[Finding]:
    """Ask PyTorch for its devices, in a process of its own: a broken one may crash."""
    if _version("torch") is None:
        return  # `packages` says it
    command = [sys.executable, "-c", ASK_TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError) as error:
        answer, last = None, str(error)
    if answer is None:
        advice = "PyTorch cannot be imported. Install it again: pip install --force-reinstall torch torchvision"
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


def cores() -> Iterable[Finding]:
    """Look for a second at how busy the cores are, and with what."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil
    except ImportError:
        yield Finding("cores", FINE, f"{count}")
        return
    running = []
    for process in psutil.process_iter(["name"]):
        try:
            process.cpu_percent()  # the first call begins to count
            running.append(process)
        except psutil.Error:
            continue
    busy = psutil.cpu_percent(LOOKING_S) / 100 * (psutil.cpu_count() or 1)
    shares = []
    for process in running:
        try:
            shares.append((process.cpu_percent() / 100, process.info["name"] or "?"))
        except psutil.Error:
            continue
    most = ", ".join(f"{name} ({share:.1f})" for share, name in sorted(shares, reverse=True)[:3] if share > 0.1)
    found = f"{count}, of which other programs keep {busy:.1f} busy"
    if busy > MUCH_OTHER_WORK:
        advice = f"Training is slower beside other programs. Busy cores: {most or 'unknown'}. Close what you can."
        yield Finding("cores", LOOK, found, advice)
    else:
        yield Finding("cores", FINE, found)


def memory() -> Iterable[Finding]:
    """Look at what memory is free, and at what workers and programs may take."""
    try:
        import psutil

        memory = psutil.virtual_memory()
        free, whole = memory.available / 1e9, memory.total / 1e9
        found = f"{free:.1f} of {whole:.1f} GB are free"
        if free < LITTLE_MEMORY:
            yield Finding("memory", LOOK, found, f"Training takes up to {LITTLE_MEMORY:g} GB: close other programs.")
        else:
            yield Finding("memory", FINE, found)
    except ImportError:
        pass
    if Path("/dev/shm").is_dir():
        shared = shutil.disk_usage("/dev/shm").free / 1e9
        found = f"{shared:.2f} GB in /dev/shm"
        advice = "Workers hand over batches there: use --num_workers 0, or give a container more (--shm-size=1g)."
        yield Finding("shared memory", *((LOOK, found, advice) if shared < LITTLE_SHARED else (FINE, found)))
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if 0 <= most < FEW_FILES:
            advice = "Many workers need more: ulimit -n 1024, in the terminal in which you train."
            yield Finding("open files", LOOK, f"{most} at once", advice)
    except ImportError:  # Windows has no such limit
        pass


def folders() -> Iterable[Finding]:
    """Look at the folders to which the course writes: may it, and how much fits?"""
    places = (
        ("data root", _data_root()),
        ("run folders", Path.cwd()),
        ("temporary files", Path(tempfile.gettempdir())),
    )
    for name, folder in places:
        there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        advice = {
            "data root": "TEXT_RECOGNIZER_DATA names another folder for the data.",
            "run folders": "Work in a folder of your own, or choose one with --log_dir.",
            "temporary files": "TMPDIR names another folder for temporary files.",
        }[name]
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            found = f"{folder}: {error.strerror or error}"
            yield Finding(name, WRONG, found, f"Nothing can be written there. {advice}")
            continue
        free = shutil.disk_usage(there).free / 1e9
        found = f"{folder}: {free:.1f} GB are free"
        if free < FULL_DISK:
            yield Finding(name, WRONG, found, f"The disk is full: delete something, such as old runs. {advice}")
        elif free < LITTLE_DISK:
            yield Finding(name, LOOK, found, f"EMNIST needs 2 GB. {advice}")
        else:
            yield Finding(name, FINE, found)


def data_sets(network: bool) -> Iterable[Finding]:
    """Look for each data set on disk; where it is not there, ask the addresses from which it comes."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        return
    import tomllib

    described = {}
    for root in (_course() / "data" if _course() else None, _data_root()):  # the data root's own count
        for path in sorted(root.glob("raw/*/metadata.toml")) if root else []:
            try:
                described[path.parent.name] = tomllib.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                yield Finding(path.parent.name, WRONG, f"{path} cannot be read", "Get it back: git checkout data/raw")
    if not described:
        advice = "No data set is described here. Start this in the course's folder, or in a lab's."
        yield Finding("data sets", LOOK, "none known", advice)
        return
    addresses = [url for one in described.values() for file in one.get("files", []) for url in file.get("urls", [])]
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(addresses, pool.map(_answers, addresses))) if network else {}  # noqa: B905  new in Python 3.10
    unreachable = False
    for name, description in described.items():
        files = description.get("files", [])
        thing, folder = f"data: {name}", _data_root() / "downloaded" / name
        if all(_is_there(folder / file["filename"], file.get("size")) for file in files):
            yield Finding(thing, FINE, "on disk")
            continue
        size = sum(file.get("size", 0) for file in files) / 1e6
        found = f"not on disk; {f'{size:,.0f} MB' if size else 'its size is not known'}"
        if not network:
            yield Finding(thing, FINE, f"{found} to download; the network was left alone")
        elif all(any(answers.get(url) for url in file.get("urls", [])) for file in files):
            yield Finding(thing, FINE, f"{found} can be downloaded")
        else:
            unreachable = True
            yield Finding(thing, LOOK, f"{found}; no address of it answers")
    if unreachable:
        advice = (
            "Without them, the course trains on handwriting that a program draws. Behind a proxy, set HTTPS_PROXY. Or "
            "put the files there by hand: docs/data.md says how."
        )
        yield Finding("network", LOOK, "some data cannot be downloaded", advice)


def browser() -> Iterable[Finding]:
    """Look for a browser, which lab 6's page and the tests of pages need."""
    mac = Path("/Applications/Google Chrome.app").exists() or Path("/Applications/Safari.app").exists()
    found = next((name for name in BROWSERS if shutil.which(name)), None)
    if found or mac or sys.platform == "win32":
        yield Finding("browser", FINE, found or "there")
    else:
        advice = "Pages of the labs open in any browser, also on another machine; tests of pages need Chromium."
        yield Finding("browser", LOOK, "none found", advice)


def examine(network: bool) -> list[Finding]:
    """Return all findings; a look that fails is a finding, too."""
    looks = {
        "Python": python, "packages": packages, "PyTorch": torch, "cores": cores, "memory": memory, "folders": folders,
        "data sets": lambda: data_sets(network), "browser": browser,
    }  # fmt: skip
    findings: list[Finding] = []
    for thing, look in looks.items():
        try:
            findings += look()
        except Exception as error:  # whatever is broken here, the rest is worth knowing
            advice = "This look failed. Please report it, with this table."
            findings.append(Finding(thing, LOOK, f"{type(error).__name__}: {error}", advice))
    return findings


def table(findings: Iterable[Finding], width: int) -> str:
    """Return the findings as a table of this width, and the advice below it."""
    rows = list(findings)
    first = max(len(row.thing) for row in rows)
    lines = []
    for row in rows:
        start = f"{row.thing:<{first}}  {row.state:<5}  "
        lines += textwrap.wrap(
            start + " ".join(row.found.split()), max(width, len(start) + 20), subsequent_indent=" " * len(start),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    advice = [f"{row.thing}: {row.advice}" for row in rows if row.advice]
    end = ["", *advice] if advice else ["", "This machine is fit for the course."]
    return "\n".join([*lines, *end])


def main(words: list[str] | None = None) -> int:
    """Print the table; return 1 if the course does not run here, else 0."""
    parser = argparse.ArgumentParser("python -m lab_kit.doctor", description=__doc__.splitlines()[0])
    parser.add_argument("--no_network", "--no-network", action="store_true", help="do not ask any address")
    arguments = parser.parse_args(words)
    findings = examine(not arguments.no_network)
    text = table(findings, shutil.get_terminal_size((100, 24)).columns)
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    return int(any(finding.state == WRONG for finding in findings))


def _course() -> Path | None:
    """Return the folder of the course, or of the lab that was copied away from it, in which one works; None outside."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "labs.toml").is_file():
            return folder
    kit = Path(__file__).resolve().parent.parent  # where the kit lies, if it was not copied into an environment
    return kit if (kit / "labs.toml").is_file() else None


def _data_root() -> Path:
    override = os.environ.get("TEXT_RECOGNIZER_DATA")
    return Path(override).expanduser() if override else (_course() or Path.cwd()) / "data"


def _wanted_packages() -> list[tuple[str, str]] | None:
    """Return names and lowest versions of what the kit needs; None if the kit is not installed."""
    try:
        needs = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\d.]+)", need) for need in needs if _is_for_here(need))
    return [match.groups() for match in found if match]  # type: ignore[misc]


def _is_for_here(need: str) -> bool:
    """Return whether a requirement is the kit's own, and for this system."""
    marker = need.partition(";")[2]
    system = re.search(r"sys_platform\s*(==|!=)\s*[\"'](\w+)[\"']", marker)
    return "extra" not in marker and (system is None or (system[1] == "==") == (system[2] == sys.platform))


def _exact_packages() -> list[tuple[str, str]]:
    course = _course()
    path = course / "requirements" / "prod.txt" if course else None
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
    pairs = (re.match(r"([\w.-]+)==([^\s;]+)\s*(;.*)?$", line) for line in lines)
    return [(match[1], match[2]) for match in pairs if match and not match[3]]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _public(version: str) -> str:
    return version.partition("+")[0]  # after it, who built it


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", _public(version))[:3]))


def _is_there(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def _answers(url: str) -> bool:
    """Return whether an address answers; nothing is downloaded but its first bytes."""
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0", "User-Agent": DISTRIBUTION})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return bool(answer.read(1))
    except (OSError, ValueError):  # urllib's errors are among the first
        return False


if __name__ == "__main__":
    sys.exit(main())
