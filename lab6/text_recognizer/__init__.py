"""A codebase that learns to read handwriting."""

import importlib.util
import os
import sys

if __name__ != "text_recognizer":
    sys.stderr.write(f"error: {__name__} would find the code of another lab. Change to its folder first (cd).\n")
    sys.exit(2)
for package in ("lab_kit", "numpy"):
    if importlib.util.find_spec(package) is None:
        sys.stderr.write(f"error: {package} is not installed. Run: make setup, then source .venv/bin/activate\n")
        sys.exit(2)
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what a Mac's GPU cannot calculate, its processor does
