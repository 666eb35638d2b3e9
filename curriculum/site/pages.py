"""Which pages the site has, and their menu: all of it follows from labs.toml and from the files that are there."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

from curriculum import notebooks
from curriculum.manifest import Lab, Manifest
from curriculum.site import code, kit
from curriculum.tour import README
from lab_kit.errors import UserError

# Where documents are. Each must be a page, but for copies, and what runs leave behind.
DOCUMENTS = ("*.md", "docs/**/*.md", "lab*/**/*.md", "lab*/notebooks/*.ipynb", "curriculum/*.md", "lab_kit/**/*.md")
NO_PAGES = ("lab*/data/*", "*/logs/*", "*/.*")


@dataclass(frozen=True)
class Page:
    """One page, and those below it in the menu.

    Attributes:
        place: where it is in the site, without the ending, such as "lab1/homework".
        source: the document in the repository that it shows, such as "lab1/homework/README.md"; None: it shows `text`.
        text: Markdown, whose links start at the repository's root.
        title: its name in the menu, if that is not its heading.
        describes: the files of the repository for which a link leads here.
    """

    place: str
    source: str | None = None
    text: str = ""
    title: str = ""
    describes: tuple[str, ...] = ()
    children: tuple["Page", ...] = ()

    def __iter__(self) -> Iterator["Page"]:
        """Yield this page, and all below it."""
        yield self
        for child in self.children:
            yield from child

    @property
    def file(self) -> str:
        """The file that Sphinx reads, such as "lab1/homework.md"."""
        return self.place + (".ipynb" if self.source and self.source.endswith(".ipynb") else ".md")


def home(manifest: Manifest) -> Page:
    """Return the first page, with all others below it.

    Raises:
        UserError: docs/README.md, which gives the order of the documentation, is missing.
    """
    docs = tuple(_document(name) for name in _linked(manifest, f"docs/{README}") if fnmatch(name, "docs/*.md"))
    project = tuple(_document(path.name) for path in sorted(manifest.root.glob("*.md")) if path.name != README)
    teaching = (Page("slides", text=_slides(manifest)), *project)
    rooms = tuple(
        Page(room.place, text=room.text, title=room.title, describes=room.files) for room in kit.rooms(manifest.root)
    )
    sections = (
        Page("labs", text=_list_of_labs(manifest), children=tuple(_lab(manifest, lab) for lab in manifest.labs)),
        Page("docs/index", f"docs/{README}", children=docs),
        Page("lab_kit/index", f"lab_kit/{README}", children=rooms),
        Page("curriculum/index", f"curriculum/{README}", children=teaching),
    )
    return Page("index", README, children=sections)


def in_no_menu(manifest: Manifest, first: Page) -> list[str]:
    """Name the documents of the repository that are no page of the site, and the pages without their document."""
    shown = {page.source for page in first if page.source}
    paths = [path for pattern in DOCUMENTS for path in manifest.root.glob(pattern)]
    there = {path.relative_to(manifest.root).as_posix() for path in paths}
    left = [name for name in sorted(there - shown) if not any(fnmatch(f"/{name}", f"/{no}") for no in NO_PAGES)]
    return [
        *(f"{name}: is in no menu. {_how(name)}" for name in left),
        *(f"{name}: is missing." for name in sorted(shown) if not (manifest.root / name).is_file()),
    ]


def _how(name: str) -> str:
    if name.startswith("docs/"):
        return f"Link to it in docs/{README}, whose links are the menu."
    return "Move it to the top of its lab, or into docs/." if name.startswith("lab") else "Move it into docs/."


def _document(name: str) -> Page:
    return Page(name.removesuffix(".md").lower(), name)


def _lab(manifest: Manifest, lab: Lab) -> Page:
    """Return a lab's page; below it are its notebooks, its homework, what it changes, and its code."""
    folder = lab.folder
    shown = [Page(source.built.removesuffix(".ipynb"), source.built) for source in notebooks.sources(manifest, lab)]
    shown.append(Page(f"{folder}/homework", f"{folder}/homework/{README}"))
    others = sorted(path.name for path in (manifest.root / folder).glob("*.md") if path.name != README)
    shown += [_document(f"{folder}/{name}") for name in others]
    if lab.number > 1:
        shown.append(Page(f"{folder}/changes", text=code.changes(manifest, lab), title="What changes"))
    files = tuple(_code(manifest, lab, name) for name in manifest.added(lab))
    shown.append(Page(f"{folder}/code/index", text=code.contents(manifest, lab), title="Code", children=files))
    return Page(f"{folder}/index", f"{folder}/{README}", title=f"Lab {lab.number}", children=tuple(shown))


def _code(manifest: Manifest, lab: Lab, name: str) -> Page:
    """Return the page of a file that a lab adds."""
    place = f"{lab.folder}/code/{name.removesuffix('.md')}"
    short = "/".join(name.split("/")[-2:]) if name.startswith("data/") else posixpath.basename(name)
    if name.endswith(".md"):
        return Page(place, name, title=short)
    return Page(place, text=code.listing(manifest, name), title=short, describes=(name,))


def _list_of_labs(manifest: Manifest) -> str:
    rows = [f"| [Lab&nbsp;{lab.number}]({lab.folder}/{README}) | {lab.title} |" for lab in manifest.labs]
    return "\n".join(["# Labs", "", "| lab | about |", "| --- | --- |", *rows, ""])


def _slides(manifest: Manifest) -> str:
    about = (
        "A file for each lab, for the projector: what its README says, in few words and large letters. The arrow keys "
        "turn the slides, and the browser prints them. A file needs nothing else: copy it where you like."
    )
    rows = [f'<li><a href="{lab.folder}/slides.html">Lab {lab.number}: {lab.title}</a></li>' for lab in manifest.labs]
    return "\n".join(["# Slides", "", about, "", "<ul>", *rows, "</ul>", ""])


def _linked(manifest: Manifest, name: str) -> list[str]:
    """Return the files to which a document links, in its order."""
    path = manifest.root / name
    if not path.is_file():
        raise UserError(f"{name} is missing: its links are the menu.")
    targets = re.findall(r"\]\(([^)#\s:]+)", path.read_text(encoding="utf-8"))
    names = [posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) for target in targets]
    return list(dict.fromkeys(one for one in names if one != name and (manifest.root / one).is_file()))
