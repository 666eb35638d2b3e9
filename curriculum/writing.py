"""The commands of the course tool that write into the course, and say on the console what they have written."""

import argparse
import time

from curriculum import check_lists, manifest, notebooks, scaffold, snapshot, tour
from curriculum.notebooks import Source
from curriculum.tree import Written
from lab_kit.plain_console import PlainConsole


def build_labs(course: manifest.Manifest, console: PlainConsole, force: bool = False) -> None:
    """Build the packages, the labs and the generated parts of the READMEs."""
    snapshot.build_packages(course)
    for name, done in snapshot.build(course, course.root, force).items():
        say_what_was_written(console, name, done)
    for name in tour.write(course) + check_lists.write(course):
        console.print(f"{name}: its generated lists are up to date again")


def say_what_was_written(console: PlainConsole, folder: str, done: Written) -> None:
    """Say what became of a folder, and where copies of edited files are."""
    console.print(f"{folder}: {len(done.written)} files written, {len(done.removed)} removed")
    for name in done.replaced:
        console.print(f"{folder}/{name} had been edited: as it was, it is in {done.copies}")


def run_notebooks(
    course: manifest.Manifest, wanted: list[Source], console: PlainConsole, fast: bool = False, force: bool = False
) -> None:
    """Execute notebooks, and write them into their labs."""
    from curriculum import execute  # here, because Jupyter takes a second to import

    for source in wanted:
        start = time.perf_counter()
        size = execute.build(course, source, fast, force)
        seconds = time.perf_counter() - start
        console.print(f"{source.built}: {seconds:.0f} s, {size / 1e3:,.0f} kB")


def new_lab(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """`new-lab`: write the first version of a lab, build it, and run its notebooks."""
    course = _with_new_files(course, scaffold.new_lab(course, options.title, options.main), console)
    run_notebooks(course, notebooks.sources(course, course.labs[-1]), console)
    folder = course.labs[-1].folder
    console.print(f"Next: write {folder}/README.md, and add {folder} to the table of labs in README.md.")


def new_dataset(course: manifest.Manifest, options: argparse.Namespace, console: PlainConsole) -> None:
    """`new-dataset`: write a data class that draws its pictures, and build the labs with it."""
    _with_new_files(course, scaffold.new_dataset(course, options.name, options.lab), console)
    console.print(f"Try it: python training/run_experiment.py --data_class {options.name} --max_epochs 1")


def _with_new_files(course: manifest.Manifest, made: list[str], console: PlainConsole) -> manifest.Manifest:
    """Name what a scaffold has written, and build the labs with it; returns the course as it is now."""
    for name in made:
        console.print(f"{name} {'has the new lines' if name == manifest.NAME else 'is new'}")
    course = manifest.load(course.root)
    build_labs(course, console)
    return course
