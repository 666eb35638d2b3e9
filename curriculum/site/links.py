"""Links of the documents, which fit the repository, made to fit the site; those that lead nowhere are named.

A document stays what it is, line by line; only the targets of its links change:

- to a document: the page that shows it;
- to a file of a lab, or of the code at the end of the course: the page of this code, so that it can be read offline;
- to a module of the kit: its description;
- to anything else, such as a test or a folder: its address in the repository.

A picture from another server becomes its alternative text: a page loads nothing from elsewhere.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from curriculum.manifest import Manifest
from curriculum.site.pages import Page
from curriculum.tour import README

PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
FENCE = re.compile(r"\s*(?:[-*]\s+|\d+\.\s+)?(`{3,}|~{3,})")
# A code span, to be left alone; a picture; the end of a link; a link's definition.
PARTS = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|!\[(?P<alt>[^\]]*)\]\((?P<picture>[^)\s]+)\)"
    r"|(?P<before>\]\()(?P<link>[^)\s]+)(?=\))"
    r"|(?P<name>^\[[^\]]+\]:\s+)(?P<defined>\S+)"
)


@dataclass
class Links:
    """The links of all documents.

    Attributes:
        problems: a line for each link that leads nowhere and each picture without a text, "file:line: what".
        pictures: the pictures that the pages show, as paths in the repository.
    """

    manifest: Manifest
    first: Page
    problems: list[str] = field(default_factory=list)
    pictures: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._pages = {name: page.file for page in self.first for name in (page.source, *page.describes) if name}

    def fitted(self, page: Page, text: str, cell: str = "") -> str:
        """Return a page's Markdown with links that fit the site.

        Args:
            cell: where in a notebook the text stands, such as "cell 3".
        """
        lines = []
        for number, line, is_code in _lines(text):
            where = f"{page.source or page.place}:{cell or number}"
            lines.append(line if is_code else PARTS.sub(lambda part, at=where: self._part(page, part, at), line))
        return "\n".join(lines)

    def _part(self, page: Page, part: re.Match, where: str) -> str:
        if part["code"]:
            return part[0]
        if part["picture"]:
            if not part["alt"].strip():
                self.problems.append(f"{where}: a picture without an alternative text: {part['picture']}")
            if ELSEWHERE.match(part["picture"]):
                return part["alt"]
            return f"![{part['alt']}]({self._target(page, part['picture'], where)})"
        target = self._target(page, part["link"] or part["defined"], where)
        return f"{part['before'] or part['name']}{target}"

    def _target(self, page: Page, target: str, where: str) -> str:
        """Return where a link leads in the site."""
        address, hash_, anchor = target.partition("#")
        if not address or ELSEWHERE.match(address):
            return target
        folder = posixpath.dirname(page.source or "")
        name = posixpath.normpath(posixpath.join(folder, address))
        path = self.manifest.root / name
        if name.startswith("..") or address.startswith("/") or not path.exists():
            self.problems.append(f"{where}: a link leads nowhere: {target}")
            return target
        here = posixpath.dirname(page.file)
        if file := self._page_of(name):
            return posixpath.relpath(file, here or ".") + (hash_ + anchor if name.endswith((".md", ".ipynb")) else "")
        if name.lower().endswith(PICTURES):
            self.pictures.add(name)
            return posixpath.relpath(name, here or ".")
        kind = "tree" if path.is_dir() else "blob"
        return f"https://github.com/{self.manifest.repository}/{kind}/main/{name}{hash_}{anchor}"

    def _page_of(self, name: str) -> str | None:
        """Return the file of the page that shows a file or a folder of the repository; None without one."""
        lab, _, rest = name.partition("/")
        names = [name, f"{name}/{README}"]
        if any(lab == one.folder for one in self.manifest.labs):
            names.append(rest)
        return next((self._pages[one] for one in names if one in self._pages), None)


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield number, text, and whether it is in a block of code, of each line."""
    fence = ""
    for number, line in enumerate(text.split("\n"), start=1):
        found = FENCE.match(line)
        if fence:
            yield number, line, True
            if found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif found:
            fence = found[1]
            yield number, line, True
        else:
            yield number, line, False
