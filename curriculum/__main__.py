"""The course tool: build the labs from labs.toml and the canonical code, check them, show what one adds to another.

python -m curriculum build | check | mentions | diff A B | list | notebooks | site | slides | gradescope | new-...
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from curriculum import (
    changed_code,
    check,
    diff,
    html,
    manifest,
    mentions,
    notebooks,
    publishing,
    release,
    snapshot,
    writing,
)
from lab_kit.errors import UserError, nearest
from lab_kit.output import accept_all_output
from lab_kit.plain_console import PlainConsole


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. Try python -m curriculum --help")


def main(arguments: Sequence[str]) -> int:
    """Run the tool; returns the exit code.

    It is 1 where `check` found something, 2 where the user can put things right, 130 after Ctrl-C.
    """
    accept_all_output()
    try:
        options = _parser().parse_args(arguments)
        course = manifest.load(options.root.resolve())
        return options.command(course, options, PlainConsole(soft_wrap=True)) or 0
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The same command begins again.\n")
        return 130
    except UnicodeDecodeError as error:
        name = _file_with(options.root, error.object) or f"A file with {error.object[:40]!r}"
        sys.stderr.write(f"error: {name} is not a text in UTF-8: save it as UTF-8 in an editor.\n")
        return 2
    except UserError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"error: Cannot use {error.filename or 'a file'}: {error.strerror or error}\n")
        return 2


def _file_with(root: Path, content: bytes) -> str:
    """Return the name of a file below a folder that has this content; empty if there is none."""
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for path in (Path(folder, name) for name in names):
            if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
                return path.relative_to(root).as_posix()
    return ""


def _build(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    if (options.upto is None) != (options.out is None):
        raise UserError("--upto and --out belong together: build --upto 1 --out DIR")
    if options.out:
        lab, out = course.lab(options.upto), options.out.resolve()
        done = release.build(course, lab, out, options.force, options.shrink, options.with_solutions)
        writing.say_what_was_written(console, str(options.out), done)
        return
    if options.shrink or options.with_solutions:
        raise UserError("--shrink and --with-solutions are about a release: build --upto N --out DIR")
    writing.build_labs(course, console, options.force)


def _check(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> int:
    problems = check.check(course, options.strict)
    for problem in problems:
        diff.print_diff(console, problem)
    if problems:
        console.print(f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''}.")
        if any("\n" in problem for problem in problems):
            console.print("Where a lab differs from what is built, `python -m curriculum build` writes it again:")
            console.print("nobody edits labs, but for homework and own classes.")
    else:
        if done := [f"{lab.folder}/{name}" for lab in course.labs for name in check.own_files(course, lab)]:
            console.print(f"Homework or own classes were seen, and not compared: {', '.join(done)}")
        sizes = ", ".join(f"{lab.folder} {len(snapshot.lab_files(course, lab))} files" for lab in course.labs)
        console.print(f"{'But for that, the' if done else 'The'} labs are as built: {sizes}")
    try:
        advice = mentions.report(course, changed_code.since(course, "HEAD"), most=5)
    except UserError as error:
        advice = [f"What mentions changed code was not looked for: {error}"]
    for line in advice:
        console.print(line)
    return 1 if problems else 0


def _mentions(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    changes = changed_code.since(course, options.since)
    for line in mentions.report(course, changes) or [f"Nothing mentions what has changed since {options.since}."]:
        console.print(line)


def _diff(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    if options.b is None if options.homework is None else options.a is not None:
        raise UserError("Compare two labs, diff 1 2; or homework with its solution, diff --homework 1")
    if options.homework is None:
        found = diff.changes(course, options.a, options.b)
        before, after = course.lab(options.a), course.lab(options.b)
    else:
        found, before, after = diff.homework_changes(course, options.homework)
    if options.html:
        html.write(options.html, found, before, after)
        console.print(f"Written: {options.html}")
    elif console.is_terminal:
        os.environ.setdefault("LESS", "-RF")  # so that the pager shows colours, and ends by itself after a short text
        with console.pager(styles=True):
            diff.show(console, found, before, after)
    else:
        diff.show(console, found, before, after)


def _list(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    for lab in course.labs:
        console.print(f"{lab.folder}: {lab.title}", style="bold")
        for name in course.added(lab):
            console.print(f"  {name}")


def _notebooks(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    chosen = notebooks.sources(course, course.lab(options.lab) if options.lab is not None else None)
    wanted = [source for source in chosen if options.only in source.path.stem]
    if not wanted:
        raise UserError(f"There is no such notebook.{nearest(options.only, [source.path.stem for source in chosen])}")
    writing.run_notebooks(course, wanted, console, options.fast, options.force)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m curriculum", description="Build, check and compare the labs.", allow_abbrev=False)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with labs.toml; this one if not given")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="write lab1/, lab2/, ...; or a repository that ends with lab N")
    build.add_argument("--upto", type=int, metavar="N", help="the last lab of a repository for students ...")
    build.add_argument("--out", type=Path, metavar="DIR", help="... which is written into this empty folder")
    build.add_argument("--with-solutions", type=int, default=0, metavar="N", help="the last lab with solutions there")
    build.add_argument(
        "--shrink", action="store_true", help="remove labs and solutions that are in DIR, and not asked for"
    )
    build.add_argument("--force", action="store_true", help="replace what was edited by hand, and keep a copy of it")
    build.set_defaults(command=_build)

    checking = commands.add_parser("check", help="build again elsewhere, and fail where the labs differ from it")
    checking.add_argument("--strict", action="store_true", help="fail where somebody has done homework, too")
    checking.set_defaults(command=_check)

    mentioning = commands.add_parser("mentions", help="list the passages that mention code which has changed")
    mentioning.add_argument(
        "--since", default="HEAD", metavar="REV", help="since which commit of git; HEAD if not given"
    )
    mentioning.set_defaults(command=_mentions)

    differing = commands.add_parser("diff", help="show what lab B adds to lab A, and changes in it; or solved homework")
    differing.add_argument("a", type=int, metavar="A", nargs="?")
    differing.add_argument("b", type=int, metavar="B", nargs="?")
    differing.add_argument("--homework", type=int, metavar="N", help="show the solution of a lab's homework instead")
    differing.add_argument("--html", type=Path, metavar="FILE", help="write a page to show in class instead")
    differing.set_defaults(command=_diff)

    listing = commands.add_parser("list", help="list the labs and the files that each adds")
    listing.set_defaults(command=_list)

    running = commands.add_parser("notebooks", help="execute the notebooks, and write them into the labs with outputs")
    running.add_argument("--lab", type=int, metavar="N", help="only those of this lab")
    running.add_argument("--only", default="", metavar="NAME", help="only those whose name contains this")
    running.add_argument("--fast", action="store_true", help="with hardly any work: to see that every cell runs")
    running.add_argument("--force", action="store_true", help="replace those that were edited by hand, and keep a copy")
    running.set_defaults(command=_notebooks)

    publishing.add_commands(commands)

    lab = commands.add_parser("new-lab", help="add a lab: its texts, homework and notebook, for you to change")
    lab.add_argument("title", help="what it is about, in a line")
    lab.add_argument(
        "--main", default="--data_class MNIST --model_class MLP --max_epochs 1", help="its main command's flags"
    )
    lab.set_defaults(command=writing.new_lab)

    dataset = commands.add_parser("new-dataset", help="add a dataset that is drawn in code, for you to change")
    dataset.add_argument("name", metavar="NAME", help="of its class, such as Outlines")
    dataset.add_argument("--lab", type=int, required=True, metavar="N", help="the lab that adds it")
    dataset.set_defaults(command=writing.new_dataset)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
