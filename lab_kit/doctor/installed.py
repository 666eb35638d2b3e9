"""Which packages are installed, which are needed, and which set is tested."""

from __future__ import annotations

import importlib.metadata
import re
import sys

from lab_kit.doctor.places import course
from lab_kit.version import DISTRIBUTION


def wanted_packages() -> list[tuple[str, str]] | None:
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


def exact_packages() -> list[tuple[str, str]]:
    """Return names and versions of the exact set that is tested; empty outside the course's folder."""
    folder = course()
    path = folder / "requirements" / "prod.txt" if folder else None
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
    pairs = (re.match(r"([\w.-]+)==([^\s;]+)\s*(;.*)?$", line) for line in lines)
    return [(match[1], match[2]) for match in pairs if match and not match[3]]


def version(name: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def public(version: str) -> str:
    """Return a version without what follows its `+`: who built it."""
    return version.partition("+")[0]


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, to compare it by."""
    return tuple(map(int, re.findall(r"\d+", public(version))[:3]))
