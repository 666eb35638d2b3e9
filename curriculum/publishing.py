"""The commands that write for others: `site`, a website; `slides`, for the projector; `gradescope`, an autograder."""

import argparse
import time
from pathlib import Path
from typing import Any

from curriculum import gradescope, slides
from curriculum.manifest import Manifest
from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole


def add_commands(commands: Any) -> None:
    """Add the commands to those of the tool: to what `add_subparsers` of its parser returned."""
    site = commands.add_parser("site", help="write the course as a website; what leads nowhere in it is an error")
    site.add_argument("--out", type=Path, default=Path("site"), metavar="DIR", help="where; ./site if not given")
    site.add_argument("--serve", action="store_true", help="then show it, on this machine only")
    site.add_argument("--port", type=int, default=8001, help="where --serve shows it; 8001 if not given")
    site.set_defaults(command=write_site)

    projected = commands.add_parser("slides", help="write slides of the labs' READMEs, one file for each lab")
    projected.add_argument("--lab", type=int, metavar="N", help="only those of this lab")
    projected.add_argument(
        "--out", type=Path, default=Path("slides"), metavar="DIR", help="where; ./slides if not given"
    )
    projected.set_defaults(command=write_slides)

    grading = commands.add_parser("gradescope", help="write the zip that Gradescope takes as an autograder")
    grading.add_argument("--lab", type=int, required=True, metavar="N", help="whose homework it grades")
    grading.add_argument("--out", type=Path, metavar="FILE", help="gradescope-labN.zip if not given")
    grading.set_defaults(command=write_autograder)


def write_site(course: Manifest, options: argparse.Namespace, console: PlainConsole) -> int:
    """Build the website, and serve it if asked to; returns the exit code: 1 where something is wrong in it.

    Raises:
        UserError: its packages are not installed, or it cannot be written or served there.
    """
    try:
        from curriculum.site import build, serve  # here, because only this command needs Sphinx
    except ModuleNotFoundError as error:
        raise UserError(f"The site is built with packages of its own ({error.name} is missing): make site") from error
    start = time.perf_counter()
    built = build.build(course, options.out)
    for problem in built.problems:
        console.print(problem)
    if count := len(built.problems):
        console.print(f"\n{count} {'problem' if count == 1 else 'problems'}: no site was written.")
        return 1
    seconds = time.perf_counter() - start
    console.print(f"{options.out}: {built.pages} pages, {built.size / 1e6:.1f} MB, {seconds:.0f} s")
    if options.serve:
        serve.serve(options.out, options.port, console.print)
    return 0


def write_slides(course: Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """Write the slides of one lab, or of all."""
    for lab in [course.lab(options.lab)] if options.lab is not None else course.labs:
        path = options.out / f"{lab.folder}.html"
        console.print(f"{path}: {slides.write(course, lab, path)} slides")


def write_autograder(course: Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """Write the zip that Gradescope takes."""
    lab = course.lab(options.lab)
    path = options.out or Path(f"gradescope-{lab.folder}.zip")
    size = gradescope.build(course, lab, path)
    console.print(f"Written: {path}, {size / 1e3:,.0f} kB. Upload it as the autograder of a programming assignment.")
