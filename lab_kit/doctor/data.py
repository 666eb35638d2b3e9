"""Look for each data set: on disk, or at the addresses from which it comes."""

from __future__ import annotations

import http.client
import sys
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab_kit.doctor import places
from lab_kit.doctor.finding import FINE, LOOK, OLDEST_PYTHON, WRONG, Finding
from lab_kit.version import DISTRIBUTION

ANSWER_S = 6.0  # how long an address may take


def data_sets(network: bool) -> Iterable[Finding]:
    """Look for each data set on disk; where it is not there, ask the addresses from which it comes."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        return
    import tomllib

    described = {}
    course = places.course()
    for root in ([course / "data"] if course else []) + [places.data_root()]:  # the data root's own descriptions count
        for path in sorted(root.glob("raw/*/metadata.toml")):
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
        thing, folder = f"data: {name}", places.data_root() / "downloaded" / name
        if all(_is_there(folder, file) for file in files):
            yield Finding(thing, FINE, "on disk")
            continue
        size = sum(file.get("size", 0) for file in files) / 1e6
        found = f"not on disk; {f'{size:,.0f} MB' if size else 'of unknown size'}"
        if not network:
            yield Finding(thing, FINE, f"{found}, to download; the network was left alone")
        elif all(any(answers.get(url) for url in file.get("urls", [])) for file in files):
            yield Finding(thing, FINE, f"{found} can be downloaded")
        else:
            unreachable = True
            yield Finding(thing, LOOK, f"{found}; no address of it answers")
    if unreachable:
        advice = (
            "Without them, the course trains on handwriting that a program draws. Behind a proxy, set HTTPS_PROXY. Or "
            f"put the files of each into a folder with its name by hand, in {places.data_root() / 'downloaded'}."
        )
        yield Finding("network", LOOK, "some data cannot be downloaded", advice)


def _is_there(folder: Path, file: dict) -> bool:
    """Return whether a file of the metadata is in the folder, as it comes or as a browser has unpacked it."""
    path, size, unpacked = folder / file["filename"], file.get("size"), file.get("unpacked", {}).get("size")
    if path.is_file():
        return size in (None, path.stat().st_size)
    return bool(unpacked) and any(one.is_file() and one.stat().st_size == unpacked for one in folder.rglob("*"))


def _answers(url: str) -> bool:
    """Return whether an address answers; nothing is downloaded but its first bytes."""
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0", "User-Agent": DISTRIBUTION})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return bool(answer.read(1))
    except (OSError, ValueError, http.client.HTTPException):  # urllib's errors are among the first
        return False
