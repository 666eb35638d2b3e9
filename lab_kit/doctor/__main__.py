"""Is this machine fit for the course? A table, and one line of advice for whatever is not fine.

    python -m lab_kit.doctor

It needs nothing but Python, of any version from 3.8 on: so it can say what else is missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable

from lab_kit.doctor import data, machine, software
from lab_kit.doctor.finding import LOOK, WRONG, Finding


def examine(network: bool) -> list[Finding]:
    """Return all findings; a look that fails is a finding, too."""
    looks = {
        "Python": software.python, "packages": software.packages, "PyTorch": software.torch, "cores": machine.cores,
        "memory": machine.memory, "folders": machine.folders, "data sets": lambda: data.data_sets(network),
        "browser": software.browser,
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
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"error: Cannot write the table: {error.strerror}.\n")
        os._exit(2)  # Python would try once more to write, and print a traceback
    return int(any(finding.state == WRONG for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
