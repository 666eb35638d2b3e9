"""The course tool: build the labs from labs.toml and the canonical code, check them, show what one adds to another.

python -m curriculum build | check | diff A B | list | notebooks | site | slides
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from curriculum import check, diff, html, manifest, publishing, release, snapshot, tour
from lab_kit.errors import UserError, nearest
from lab_kit.plain_console import PlainConsole


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. Try python -m curriculum --help")


def main(arguments: Sequence[str]) -> int:
    """Run the tool; returns the exit code: 1 where `check` found something, 2 where the user can put things right."""
    try:
        options = _parser().parse_args(arguments)
        course = manifest.load(options.root.resolve())
        return options.command(course, options, PlainConsole(soft_wrap=True)) or 0
    except UserError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"error: Cannot use {error.filename or 'a file'}: {error.strerror or error}\n")
        return 2


def _build(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    if (options.upto is None) != (options.out is None):
        raise UserError("--upto and --out belong together: build --upto 1 --out DIR")
    if options.out:
        written, removed = release.build(course, course.lab(options.upto), options.out.resolve(), options.force)
        console.print(f"{options.out}: {len(written)} files written, {len(removed)} removed")
        return
    snapshot.build_packages(course)
    for name, (written, removed) in snapshot.build(course, course.root, options.force).items():
        console.print(f"{name}: {len(written)} files written, {len(removed)} removed")
    for name in tour.write(course):
        console.print(f"{name}: its generated lists are up to date again")


def _check(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> int:
    problems = check.check(course, options.strict)
    for problem in problems:
        diff.print_diff(console, problem)
    if problems:
        console.print(f"\n{len(problems)} problems. Nobody edits labs, but for homework and own classes:")
        console.print("`python -m curriculum build` writes them again.")
        return 1
    if done := [f"{lab.folder}/{name}" for lab in course.labs for name in check.own_files(course, lab)]:
        console.print(f"Homework or own classes were seen, and not compared: {', '.join(done)}")
    sizes = ", ".join(f"{lab.folder} {len(snapshot.lab_files(course, lab))} files" for lab in course.labs)
    console.print(f"{'But for that, the' if done else 'The'} labs are as built: {sizes}")
    return 0


def _diff(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    found = diff.changes(course, options.a, options.b)
    before, after = course.lab(options.a), course.lab(options.b)
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
    from curriculum import execute, notebooks  # here, because Jupyter takes a second to import

    chosen = notebooks.sources(course, course.lab(options.lab) if options.lab is not None else None)
    wanted = [source for source in chosen if options.only in source.path.stem]
    if not wanted:
        raise UserError(f"There is no such notebook.{nearest(options.only, [source.path.stem for source in chosen])}")
    for source in wanted:
        start = time.perf_counter()
        size = execute.build(course, source, options.fast, options.force)
        seconds = time.perf_counter() - start
        console.print(f"{source.built}: {seconds:.0f} s, {size / 1e3:,.0f} kB")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m curriculum", description="Build, check and compare the labs.", allow_abbrev=False)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with labs.toml; this one if not given")
    commands = parser.add_subparsers(required=True, metavar="build | check | diff | list | notebooks | site | slides")

    build = commands.add_parser("build", help="write lab1/, lab2/, ...; or a repository that ends with lab N")
    build.add_argument("--upto", type=int, metavar="N", help="the last lab of a repository for students ...")
    build.add_argument("--out", type=Path, metavar="DIR", help="... which is written into this empty folder")
    build.add_argument("--force", action="store_true", help="drop what was edited by hand in generated files")
    build.set_defaults(command=_build)

    checking = commands.add_parser("check", help="build again elsewhere, and fail where the labs differ from it")
    checking.add_argument("--strict", action="store_true", help="fail where somebody has done homework, too")
    checking.set_defaults(command=_check)

    differing = commands.add_parser("diff", help="show what lab B adds to lab A, and changes in it")
    differing.add_argument("a", type=int, metavar="A")
    differing.add_argument("b", type=int, metavar="B")
    differing.add_argument("--html", type=Path, metavar="FILE", help="write a page to show in class instead")
    differing.set_defaults(command=_diff)

    listing = commands.add_parser("list", help="list the labs and the files that each adds")
    listing.set_defaults(command=_list)

    running = commands.add_parser("notebooks", help="execute the notebooks, and write them into the labs with outputs")
    running.add_argument("--lab", type=int, metavar="N", help="only those of this lab")
    running.add_argument("--only", default="", metavar="NAME", help="only those whose name contains this")
    running.add_argument("--fast", action="store_true", help="with hardly any work: to see that every cell runs")
    running.add_argument("--force", action="store_true", help="drop what was edited by hand in the labs' notebooks")
    running.set_defaults(command=_notebooks)

    publishing.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
