"""Slides of a lab: what its README says, in few words and large letters, as one file that needs no other.

Each heading begins a slide. Of a paragraph its first sentence is shown, of a list its items' first sentences; tables,
code and pictures are shown whole, on slides of their own where there is much of them.
"""

import base64
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

from curriculum.manifest import Lab, Manifest
from curriculum.tour import README
from curriculum.tree import write_whole
from lab_kit.errors import UserError
from lab_kit.html_page import template

NAME = "slides.html"
TEMPLATE = Path(__file__).resolve().parent / NAME
LINES = 11  # on a slide, beside its heading
SPARE = 3  # lines more than these do no harm: the page makes them a little smaller
ROWS = 8  # of a table
CODE_LINES = 16
WIDTH = 62  # characters in a line
DRAWN = ("|", "│", "┃", "┌", "┏", "┡", "└", "├", "╭", "╰")  # how a line of a table begins that a program printed
# A list to look things up in, and what is folded, such as the answers to questions.
NOT_SHOWN = re.compile(r"<!-- new files -->.*?<!-- end of new files -->|<details\b.*?</details>", re.DOTALL)
NUMBERED = re.compile(r"\*\*\d+\.\*\*")  # a question, with its choices below
TASK = re.compile(r"(\*\*)?(Predict|Question|\d+\.)")
SENTENCE = re.compile(r"(?<=[.?!:])\s+(?=[A-Z`*\"(])")


class Part(NamedTuple):
    """What is shown of one block: the lines that it takes, and whether it begins a slide."""

    lines: int
    html: Markup
    begins: bool = False


@dataclass(frozen=True)
class Slide:
    """One slide: its heading, and what is below, as HTML."""

    heading: Markup
    parts: tuple[Markup, ...]
    first: bool = False  # the lab's title


def write(manifest: Manifest, lab: Lab, path: Path) -> int:
    """Write a lab's slides into a file, and return how many there are.

    Raises:
        UserError: the lab has no README, it shows a picture that is not there, or the file cannot be written.
    """
    readme = manifest.root / lab.folder / README
    try:
        shown = slides(readme.read_text(encoding="utf-8"), readme.parent)
    except OSError as error:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}.") from error
    try:
        write_whole(path, template(TEMPLATE).render(lab=lab, slides=shown).encode())
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error
    return len(shown)


def slides(text: str, folder: Path) -> list[Slide]:
    """Return the slides of a document.

    Args:
        text: Markdown, as GitHub reads it.
        folder: where its pictures are.
    """
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found: list[Slide] = []
    heading, parts = Markup(""), []
    for node in SyntaxTreeNode(parser.parse(NOT_SHOWN.sub("", text))).children:
        if node.type == "heading" and int(node.tag[1:]) <= 3:
            found += _packed(heading, parts, first=not found)
            heading, parts = _inline(node.children[0], parser), []
        else:
            parts += _parts(node, parser, folder)
    return found + _packed(heading, parts, first=not found)


def _packed(heading: Markup, parts: list[Part], first: bool) -> list[Slide]:
    """Share out the parts of a section among as many slides as they need."""
    pages: list[list[Markup]] = [[]]
    left = LINES
    for part in parts:
        if (part.begins or part.lines > left + SPARE) and pages[-1]:
            pages.append([])
            left = LINES
        pages[-1].append(part.html)
        left -= part.lines
    shown = [page for page in pages if page or first]
    return [Slide(heading, tuple(page), first and number == 0) for number, page in enumerate(shown) if heading]


def _parts(node: SyntaxTreeNode, parser: MarkdownIt, folder: Path) -> Iterator[Part]:
    """Yield what is shown of one block, in pieces that fit on a slide."""
    if node.type == "paragraph":
        pictures = [child for child in node.children[0].children if child.type == "image"]
        for shown in filter(None, (_picture(picture, folder) for picture in pictures)):
            yield Part(LINES, shown)
        if not pictures and (sentence := _first_sentence(node.children[0], parser)):
            is_numbered = NUMBERED.match(node.children[0].content) is not None
            yield Part(_lines(sentence), Markup("<p>{}</p>").format(sentence), begins=is_numbered)
    elif node.type in ("bullet_list", "ordered_list"):
        texts = [item.children[0] for item in node.children if item.children and item.children[0].type == "paragraph"]
        items = [_first_sentence(text.children[0], parser) for text in texts]
        tag = "ul" if node.type == "bullet_list" else "ol"
        for start, group in _groups(items, LINES):
            rows = Markup("").join(Markup("<li>{}</li>").format(item) for item in group)
            at = Markup(' start="{}"').format(start + 1) if tag == "ol" else ""
            yield Part(sum(map(_lines, group)), Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), at, rows))
    elif node.type in ("fence", "code_block"):
        lines = node.content.rstrip("\n").split("\n")
        each = ceil(len(lines) / ceil(len(lines) / CODE_LINES))
        for start in range(0, len(lines), each):
            yield _code(lines[start : start + each])
    elif node.type == "table":
        yield from _table(node, parser)


def _code(lines: list[str]) -> Part:
    """Return lines of code; a table that is drawn with characters keeps its lines, in letters that are small enough."""
    blocks = Markup("")
    for drawn, group in groupby(lines, key=lambda line: line.lstrip().startswith(DRAWN)):
        block = list(group)
        size = f"{140 / max(len(line) for line in block):.2f}" if drawn else ""
        style = Markup(' class="drawn" style="font-size: min(.74em, {}cqw)"').format(size) if drawn else ""
        blocks += Markup("<pre{}><code>{}</code></pre>").format(style, "\n".join(block))
    taken = sum(1 + len(line) // (WIDTH + 14) for line in lines)
    return Part(round(taken * 0.7) + 1, blocks)


def _table(node: SyntaxTreeNode, parser: MarkdownIt) -> Iterator[Part]:
    """Yield a table in pieces of a few rows, each with the table's head."""
    head, body = node.children[0], node.children[1] if len(node.children) > 1 else None
    top = _row(head.children[0], "th", parser)
    rows = [_row(row, "td", parser) for row in body.children] if body else []
    pieces = [group for _, group in _groups(rows, ROWS)]
    for group in pieces:
        table = Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(top, Markup("").join(group))
        yield Part(1 + sum(map(_lines, group)), table, begins=len(pieces) > 1)


def _row(row: SyntaxTreeNode, tag: str, parser: MarkdownIt) -> Markup:
    cells = [Markup("<{0}>{1}</{0}>").format(Markup(tag), _inline(cell.children[0], parser)) for cell in row.children]
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _groups(items: list[Markup], most: int) -> Iterator[tuple[int, list[Markup]]]:
    """Yield the items in groups of at most so many lines, each with the number of its first item."""
    start, lines = 0, 0
    for number, item in enumerate(items):
        if number > start and lines + _lines(item) > most:
            yield start, items[start:number]
            start, lines = number, 0
        lines += _lines(item)
    if items:
        yield start, items[start:]


def _lines(html: Markup) -> int:
    return 1 + len(html.striptags()) // WIDTH


def _first_sentence(inline: SyntaxTreeNode, parser: MarkdownIt) -> Markup:
    """Return the first sentence of a paragraph, and the next where the first asks or announces.

    What students shall predict or answer is shown up to its question; what stands in brackets is not shown.
    """
    words = " ".join(inline.content.split())
    if words.startswith("("):
        return Markup("")
    sentences = SENTENCE.split(words)
    count = 2 if sentences[0].endswith(("?", ":")) else 1
    if TASK.match(words):
        count = next((n for n, sentence in enumerate(sentences, start=1) if sentence.endswith("?")), count)
    while count < len(sentences) and " ".join(sentences[:count]).count("**") % 2:  # bold words are shown whole
        count += 1
    return Markup(_without_links(parser.renderInline(" ".join(sentences[:count]))))


def _inline(node: SyntaxTreeNode, parser: MarkdownIt) -> Markup:
    return Markup(_without_links(parser.renderInline(node.content)))


def _without_links(html: str) -> str:
    """Return the words alone: a file in a lecture room leads nowhere."""
    return re.sub(r"</?a\b[^>]*>|<!--.*?-->", "", html)


def _picture(node: SyntaxTreeNode, folder: Path) -> Markup:
    """Return a picture as a part of the page, with its alternative text below it; none for one on another server."""
    source, text = str(node.attrs["src"]), " ".join(node.content.split())
    if re.match(r"[a-z]+:", source):
        return Markup("")
    path = folder / source
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    data = base64.b64encode(path.read_bytes()).decode()
    return Markup('<figure><img alt="{}" src="data:{};base64,{}"><figcaption>{}</figcaption></figure>').format(
        text, kind, data, text
    )
