"""A pytest plugin that reports the checks of homework as a list of requirements: what is met, and what is not yet.

The first line of a check's docstring is the requirement. The message of its assertion says what to do.
"""

import os
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter  # public from pytest 9 on; Colab has an older one

from lab_kit.grading import check_files
from lab_kit.grading.requirements import first_line, requirements

WIDTH = 100  # characters of a line, in a terminal that has as many


class EarlyExit(Exception):
    """Code has tried to end Python in the middle of the checks."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to check any other copy of the code than that of the lab around the homework."""
    lab = lab_of(config)
    for name in ("text_recognizer", "training"):
        found = Path(import_module(name).__file__).resolve().parent.parent
        if found != lab:
            raise pytest.UsageError(
                f"These checks are about {lab}, but Python has already imported {name} from {found}. "
                f"Check one lab at a time: python -m pytest {lab.name}/homework"
            )
    _refuse_early_exit(config)


def _refuse_early_exit(config: pytest.Config) -> None:
    """Make `os._exit` an error: code that calls it would end the checks, without a list and with exit code 0."""
    leave, this = os._exit, os.getpid()

    def refuse(code: int) -> None:
        if os.getpid() != this:  # a worker of a data loader ends so
            leave(code)
        raise EarlyExit("os._exit() ends Python at once, and all checks with it. Leave it out.")

    os._exit = refuse
    config.add_cleanup(lambda: setattr(os, "_exit", leave))


def lab_of(config: pytest.Config) -> Path:
    """Return the lab's folder: the one around the folder with pytest.ini."""
    return config.rootpath.resolve().parent


@pytest.fixture(autouse=True)
def same_random_numbers() -> Iterator[None]:
    """Let a check say the same thing each time."""
    import torch  # not at the top: it takes seconds, and the first line of output should not wait for them

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def pytest_sessionstart(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line(
        f"Checking the homework of {lab_of(session.config).name}. This takes from some seconds to a few minutes ..."
    )
    if names := check_files.changed(session.config.rootpath):
        folder = os.path.relpath(session.config.rootpath, session.config.invocation_params.dir)
        reporter.write_line("warning: these checks are not as handed out, so the list below says little. To get them:")
        for name in names:
            reporter.write_line(f"  git checkout {folder}/{name}")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    try:
        report = yield
    except SystemExit as error:  # pytest would end here, without a list
        report = pytest.CollectReport(collector.nodeid, "failed", str(error), [])
        report.lesson = "The code ends Python, with sys.exit() or exit(). Leave that out."
        return report
    if report.failed:
        report.lesson = _lesson(report.call.excinfo.value, lab_of(collector.config))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    report.place = item.session.items.index(item)
    report.exercise = first_line(item.module.__doc__)
    report.requirement = first_line(item.function.__doc__) or item.name
    report.lesson = _lesson(call.excinfo.value, lab_of(item.config)) if call.excinfo else ""
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Print nothing while the checks run: the list at the end says it all."""
    if report.when == "call":
        return report.outcome, "", ""
    return ("error", "", "") if report.failed else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Call it no success where a check was skipped, or the code has ended the checks early."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.OK and len(reporter.stats.get("passed", [])) < len(session.items):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the list."""
    kinds = ("passed", "failed", "error", "skipped")
    reports = [report for kind in kinds for report in terminalreporter.stats.get(kind, [])]
    checks = _one_for_each_requirement(report for report in reports if hasattr(report, "requirement"))
    broken = {Path(report.nodeid).name: report.lesson for report in reports if not hasattr(report, "requirement")}
    every = requirements(config.rootpath)
    not_started = [requirement for requirement in every if requirement.file.name in broken]
    width = min(config.get_terminal_writer().fullwidth, WIDTH)
    write = terminalreporter.write_line

    for exercise, group in groupby(checks, key=lambda report: report.exercise):
        write(exercise, bold=True)
        lesson = None
        for report in group:
            write(f"  [{'x' if report.passed else ' '}] {report.requirement}", green=report.passed)
            _write_lesson(write, "As above." if report.lesson == lesson else report.lesson, width)
            lesson = report.lesson or None
        write("")
    for exercise, group in groupby(not_started, key=lambda requirement: requirement.exercise):
        write(exercise, bold=True)
        missing = list(group)
        _write_lesson(write, f"These checks could not start:\n{broken[missing[0].file.name]}", width)
        for requirement in missing:
            write(f"  [ ] {requirement.text}")
        write("")

    folder = os.path.relpath(config.rootpath, config.invocation_params.dir)
    met = sum(report.passed for report in checks)
    asked = len(checks) + len(not_started)
    left_out = len(every) - asked
    if asked:
        write(f"{met} of {asked} requirements are met.", bold=True)
    if failed := [report for report in checks if not report.passed]:
        write("To run the first empty box by itself, with its whole traceback:")
        write(f"  python -m pytest {folder} -k {_name(failed[0])[1]} --tb=short")
    elif asked and met == len(every):
        write("Well done: that is all of it.", green=True)
    if left_out > 0:
        write(f"Left out: {left_out} of {len(every)}. To check all of them:")
        write(f"  python -m pytest {folder}")


def _one_for_each_requirement(reports: Iterable[pytest.TestReport]) -> list[pytest.TestReport]:
    """Return a report for each requirement, in order: one that has failed, if a check with several cases has one."""
    found: dict[tuple[str, str], pytest.TestReport] = {}
    for report in sorted(reports, key=lambda report: (report.place, report.passed)):
        if (before := found.get(_name(report))) is None or (before.passed and not report.passed):
            found[_name(report)] = report
    return list(found.values())


def _name(report: pytest.TestReport) -> tuple[str, str]:
    """Return file and function of a check."""
    file, _, function = report.nodeid.partition("::")
    return Path(file).name, function.split("::")[-1].split("[")[0]


def _write_lesson(write: Callable[..., None], lesson: str, width: int) -> None:
    for paragraph in lesson.splitlines():
        for line in textwrap.wrap(paragraph, width - 6, break_long_words=False, break_on_hyphens=False):
            write(f"      {line}", yellow=True)


def _lesson(error: BaseException, lab: Path) -> str:
    """Return what a student should read about why a check did not pass."""
    if isinstance(error, pytest.Collector.CollectError) and error.__cause__:
        error = error.__cause__  # pytest wraps what goes wrong in an import into a page of text
    frame = _last_frame_of_the_lab(error, lab)
    checks_own = frame is None or Path(frame[0]).name.startswith("test_")
    if isinstance(error, NotImplementedError) or (isinstance(error, AssertionError) and checks_own):
        return str(error).split("\nassert ")[0]  # without pytest's own addition
    message = _about_shapes(error) or f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        message, frame = f"{type(error).__name__}: {error.msg}", (error.filename, error.lineno, error.text or "")
    if frame:
        file, number, code = frame
        path = Path(file).resolve()
        shown = path.relative_to(lab) if path.is_relative_to(lab) else path
        message += f"\nin {shown}, line {number}: {code.strip()}"
    return message


def _about_shapes(error: BaseException) -> str | None:
    if not isinstance(error, RuntimeError | ValueError):
        return None
    from lab_kit.experiment import shape_errors  # not at the top: it imports PyTorch

    return shape_errors.explain(error)


def _last_frame_of_the_lab(error: BaseException, lab: Path) -> tuple[str, int, str] | None:
    """Return file, line number and code of the innermost call in the lab's own code, checks included."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(lab)]
    return (ours[-1].filename, ours[-1].lineno or 0, ours[-1].line or "") if ours else None
