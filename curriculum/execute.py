"""Run notebooks from top to bottom, in a fresh kernel, inside their own lab."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from curriculum import alternative_texts, notebooks, tree
from curriculum.manifest import Manifest
from curriculum.notebooks import Source
from lab_kit.errors import UserError

TIMEOUT_S = 1800  # of a cell, on a busy machine
FAST = "COURSE_FAST"


def build(manifest: Manifest, source: Source, fast: bool = False, force: bool = False) -> int:
    """Execute a notebook and write it, outputs included, into its lab; returns its size in bytes.

    With `force`, one there that was edited by hand is replaced; a copy stays in the lab's `.replaced/`.

    Raises:
        UserError: a cell fails, or the notebook there was edited by hand. Nothing was written.
    """
    path = manifest.root / source.built
    if (edited := _is_edited(path)) and not force:
        raise UserError(
            f"{source.built} was edited by hand. To keep the edit, make it in {source.path.name}; to replace it, add "
            f"--force, and a copy stays in {tree.REPLACED}/."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {FAST: "1"} if fast else {}
    notebook = run(notebooks.assemble(manifest, source), path.parent, environment, name=source.built)
    if edited:
        tree.keep_copies(path.parent.parent, [f"{path.parent.name}/{path.name}"])
    tree.write_whole(path, (nbformat.writes(notebook) + "\n").encode())
    return path.stat().st_size


def _is_edited(path: Path) -> bool:
    """Return whether a built notebook has other cells than it was built with."""
    if not path.is_file():
        return False
    there = notebooks.read(path)
    return there.metadata.get("course", {}).get("sources") != notebooks.fingerprint(there)


def run(notebook: NotebookNode, folder: Path, environment: Mapping[str, str], name: str) -> NotebookNode:
    """Execute a notebook in `folder`, and return it with its outputs.

    Raises:
        UserError: a cell fails.
    """
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", FAST)}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,  # the time of day is no part of the course
        coalesce_streams=True,  # of a progress bar, only its end stays
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it advises to encrypt what stays on this machine
    )
    try:
        client.execute(env=variables | dict(environment))
    except (DeadKernelError, AssertionError) as error:  # nbclient trips over a kernel that died
        raise UserError(f"{name} fails: the kernel died. Was there too little memory?") from error
    except (CellExecutionError, CellTimeoutError) as error:
        message = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
        raise UserError(f"{name} fails: {message[-1]}") from error
    notebook.metadata["language_info"] = notebooks.METADATA["language_info"]  # the kernel adds its exact version
    alternative_texts.write_into(notebook)
    return notebook
