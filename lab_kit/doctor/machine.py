"""Look at cores, memory and disks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab_kit.doctor import places
from lab_kit.doctor.finding import FINE, LOOK, WRONG, Finding
from lab_kit.limits import container_memory, usable_cores

LITTLE_MEMORY, LITTLE_DISK, FULL_DISK, LITTLE_SHARED = 2.0, 2.0, 0.1, 0.06  # GB
MUCH_OTHER_WORK = 0.4  # of a core
LOOKING_S = 1.0  # how long to look at other programs
FEW_FILES = 512  # that may be open at once


def cores() -> Iterable[Finding]:
    """Look for a second at how busy the cores are, and with what."""
    count = usable_cores()
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
            shares.append((process.cpu_percent() / 100, process.info["name"] or "?", process.pid))
        except psutil.Error:
            continue
    most = ", ".join(
        f"{name} ({share:.1f}, process {pid})" for share, name, pid in sorted(shares, reverse=True)[:3] if share > 0.1
    )
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
        most, left = container_memory() or (memory.total, memory.available)
        free, whole = min(memory.available, left) / 1e9, min(memory.total, most) / 1e9
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
    targets = (
        ("data root", places.data_root()),
        ("run folders", Path.cwd()),
        ("temporary files", Path(tempfile.gettempdir())),
    )
    for name, folder in targets:
        there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        advice = {
            "data root": (
                "TEXT_RECOGNIZER_DATA says so: let it name a folder of yours."
                if os.environ.get("TEXT_RECOGNIZER_DATA")
                else "TEXT_RECOGNIZER_DATA names another folder for the data."
            ),
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
