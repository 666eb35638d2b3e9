"""The page on which people write and are read, and the API behind it."""

import importlib.util
import os
import sys

if __name__ != "app":
    sys.stderr.write(f"error: {__name__} would find the code of another lab. Change to its folder first (cd).\n")
    sys.exit(2)
for package in ("lab_kit", "fastapi", "fastapi_offline"):
    if importlib.util.find_spec(package) is None:
        sys.stderr.write(f"error: {package} is not installed. Run: make setup, then source .venv/bin/activate\n")
        sys.exit(2)
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what a Mac's GPU cannot calculate, its processor does
