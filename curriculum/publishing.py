"""The commands of the course tool that write for others: a website, slides, an autograder."""

import argparse
import time
from pathlib import Path

from curriculum import gradescope as gradescope_zip
from curriculum import manifest
from curriculum import slides as lesson_slides
from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole


def site(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> int:
    """`site`: write the website; returns 1 where something in it leads nowhere."""
    try:
        from curriculum.site import build, serve  # here, because only this command needs Sphinx
    except ModuleNotFoundError as error:
        raise UserError(f"The site is built with packages of its own ({error.name} is missing): make site") from error
    start = time.perf_counter()
    built = build.build(course, options.out)
    for problem in built.problems:
        console.print(problem)
    if built.problems:
        count = len(built.problems)
        console.print(f"\n{count} {'problem' if count == 1 else 'problems'}: no site was written.")
        return 1
    seconds = time.perf_counter() - start
    console.print(f"{options.out}: {built.pages} pages, {built.size / 1e6:.1f} MB, {seconds:.0f} s")
    if options.serve:
        serve.serve(options.out, options.port, console.print)
    return 0


def slides(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """`slides`: write one file of slides for each lab."""
    for lab in [course.lab(options.lab)] if options.lab is not None else course.labs:
        path = options.out / f"{lab.folder}.html"
        console.print(f"{path}: {lesson_slides.write(course, lab, path)} slides")


def gradescope(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """`gradescope`: write the zip that Gradescope takes as an autograder."""
    lab = course.lab(options.lab)
    path = options.out or Path(f"gradescope-{lab.folder}.zip")
    size = gradescope_zip.build(course, lab, path)
    console.print(f"Written: {path}, {size / 1e3:,.0f} kB. Upload it as the autograder of a programming assignment.")
