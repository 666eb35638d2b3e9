"""The course tool: builds the labs from one codebase, and proves that they cannot drift."""

import importlib.util
import sys

if importlib.util.find_spec("jupytext") is None:  # as in a Python that is not the course's
    sys.stderr.write("error: jupytext is not installed. Run: make setup, then source .venv/bin/activate\n")
    sys.exit(2)
