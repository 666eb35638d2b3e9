"""The programs that train, and those that look at what was trained."""

import importlib.util
import sys

for package in ("lab_kit", "pytorch_lightning"):
    if importlib.util.find_spec(package) is None:
        sys.stderr.write(f"error: {package} is not installed. Run: make setup, then source .venv/bin/activate\n")
        sys.exit(2)
