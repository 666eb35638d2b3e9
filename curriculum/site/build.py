"""Build the site: collect the documents in a temporary folder, let Sphinx make pages of them, and be strict."""

import io
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from curriculum import diff, html, notebooks, slides
from curriculum.manifest import Manifest
from curriculum.site import code, notebook_page, pages
from curriculum.site.links import Links
from curriculum.site.pages import Page
from curriculum.site.settings import settings
from lab_kit.atomic_write import replaced_folder
from lab_kit.errors import UserError

OURS = "objects.inv"  # every site that Sphinx made has this file


@dataclass(frozen=True)
class Built:
    """What came of a build: how many pages and bytes, or a line for each thing that is wrong."""

    pages: int
    size: int
    problems: list[str]


def build(manifest: Manifest, out: Path) -> Built:
    """Build the site into the folder `out`, in place of what was built there before; with a problem, write nothing.

    Raises:
        UserError: `out` holds something else than a site.
    """
    if out.exists() and not (out / OURS).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out} holds something else: choose an empty folder, or one that holds a site.")
    first = pages.home(manifest)
    problems = pages.in_no_menu(manifest, first)
    with tempfile.TemporaryDirectory(prefix="course-site-") as folder:
        documents, result = Path(folder) / "documents", Path(folder) / "site"
        if not problems:
            problems = _collect(manifest, first, documents)
        if not problems:
            problems = _make_pages(manifest, first, documents, result)
        if problems:
            return Built(0, 0, problems)
        _add_whole_pages(manifest, result)
        files = [path for path in result.rglob("*") if path.is_file()]
        count = sum(path.suffix == ".html" and path.parent.name != "_static" for path in files)
        with replaced_folder(out) as unfinished:
            shutil.copytree(result, unfinished, dirs_exist_ok=True)
        return Built(count, sum(path.stat().st_size for path in files), [])


def _collect(manifest: Manifest, first: Page, documents: Path) -> list[str]:
    """Write all pages as Sphinx reads them, with their menus and pictures; returns what is wrong, a line each."""
    links = Links(manifest, first)
    problems = []
    for page in first:
        path = documents / page.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            notebook = notebooks.read(manifest.root / page.source)
            text, found = notebook_page.page(notebook, page.source, lambda *part, of=page: links.fitted(of, *part))
            problems += found
        else:
            text = (manifest.root / page.source).read_text(encoding="utf-8") if page.source else page.text
            text = links.fitted(page, text) + _menu(page)
        path.write_text(text, encoding="utf-8")
    for name in links.pictures:
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest.root / name, documents / name)
    return links.problems + problems


def _menu(page: Page) -> str:
    """Return what names the pages below a page, after its last line, so that its lines keep their numbers."""
    if not page.children:
        return ""
    rows = [f"{child.title} </{child.place}>" if child.title else f"/{child.place}" for child in page.children]
    return "\n".join(["", "", "```{toctree}", ":hidden:", ":titlesonly:", "", *rows, "```", ""])


def _make_pages(manifest: Manifest, first: Page, documents: Path, result: Path) -> list[str]:
    """Let Sphinx make the pages; returns its warnings, a line each."""
    warnings = io.StringIO()
    try:
        with patch_docutils(), docutils_namespace():  # what Sphinx adds to docutils, it adds for this build
            app = Sphinx(
                documents,
                None,
                result,
                documents.parent / "doctrees",
                "html",
                confoverrides=settings(manifest),
                status=None,
                warning=warnings,
                freshenv=True,
                parallel=os.cpu_count() or 1,
            )
            app.build(force_all=True)
    except SphinxError as error:
        return [f"Sphinx: {error}"]
    sources = {str(documents / page.file): page.source or page.place for page in first}
    return [_as_ours(line, sources) for line in warnings.getvalue().splitlines() if line.strip()]


def _as_ours(warning: str, sources: dict[str, str]) -> str:
    """Return a warning with the name of the document in the repository."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", warning)
    for file, source in sources.items():
        plain = plain.replace(f"{file}:", f"{source}:")
    return plain.replace(": WARNING: ", ": ")


def _add_whole_pages(manifest: Manifest, result: Path) -> None:
    """Write what is a file of its own, without the site's frame: slides, and two labs side by side."""
    for lab in manifest.labs:
        slides.write(manifest, lab, result / lab.folder / slides.NAME)
        if lab.number > 1:
            before = manifest.lab(lab.number - 1)
            changes = diff.changes(manifest, before.number, lab.number)
            html.write(result / lab.folder / code.SIDE_BY_SIDE, changes, before, lab)
