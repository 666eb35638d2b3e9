"""What this process may use of the machine: cores, by affinity and quota, and memory, by the limit of its container."""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup")  # Linux's control groups, version 2, as a process in a container sees its own


def usable_cores() -> int:
    """Return how many cores this process may use: by affinity, and by the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _read("cpu.max").split()  # microseconds of CPU in a period, and the period
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or no limit: "max"
        return cores


def container_memory() -> tuple[int, int] | None:
    """Return the most bytes that the container may hold, and how many of them are free; None without a limit.

    Copies of files in memory are given up when memory is needed, so they count as free.
    """
    try:
        most = int(_read("memory.max"))
        programs = next(line.split()[1] for line in _read("memory.stat").splitlines() if line.startswith("anon "))
        return most, max(0, most - int(programs))
    except (OSError, ValueError, StopIteration):
        return None


def _read(name: str) -> str:
    return (CONTAINER / name).read_text(encoding="ascii")
