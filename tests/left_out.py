"""No test is skipped in silence: the end says what was left out, and where nothing may be, that is a failure."""

import os
from collections import Counter
from typing import Any

import pytest

NOTHING = "SKIP_NOTHING"  # set by `.ci/run`, which installs all that the tests need
HOW = (
    "Chromium, nginx and PostgreSQL are programs of the system (Debian: apt-get install chromium nginx postgresql); "
    "`make research` installs MLflow and Weights & Biases; `make site` installs Sphinx."
)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the whole run fail for a skipped test, where nothing may be skipped."""
    if os.environ.get(NOTHING) and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was left out, and how to get it."""
    skipped = _skipped(config)
    if not skipped:
        return
    terminalreporter.section("left out")
    for reason, count in Counter(skipped).most_common():
        terminalreporter.write_line(f"{count} {'tests' if count > 1 else 'test'}: {reason}")
    if any(reason.endswith("is not installed") for reason in skipped):
        terminalreporter.write_line(HOW)
    if os.environ.get(NOTHING):
        terminalreporter.write_line(f"{NOTHING} is set: this is a failure.", red=True)


def _skipped(config: pytest.Config) -> list[str]:
    """Return the reasons; none in the processes of xdist, which report to the first one."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports]
