"""Programs that tests need besides Python. `.ci/run` installs them: only elsewhere may a test be left out for one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright


def find(name: str) -> str | None:
    """Return the path of a program; None if it is not installed."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))


def require(name: str, path: str | None) -> str:
    """Return the path of a program; without one, skip the test, or let it fail where nothing may be skipped."""
    if path is None:
        (pytest.fail if os.environ.get("SKIP_NOTHING") else pytest.skip)(f"{name} is not installed")
    return path


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Start Chromium, the system's or Playwright's own, with further flags of its command line."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = require("Chromium", find("chromium") or find("google-chrome") or (own if Path(own).exists() else None))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])
        try:
            yield browser
        finally:
            browser.close()
