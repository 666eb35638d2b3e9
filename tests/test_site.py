"""The website: whole, without a network, for all people; and what is wrong in it is named."""

import queue
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from filelock import FileLock

from curriculum import manifest, notebooks
from curriculum.__main__ import main
from curriculum.site import serve
from lab_kit.errors import UserError
from lab_kit.paths import project_root
from tests.programs import chromium

ROOT = project_root()
COURSE = manifest.load(ROOT)
KINDS = {
    "home": "index.html",
    "lab": "lab3/index.html",
    "homework": "lab5/homework.html",  # with formulas
    "notebook": "lab1/notebooks/01-gradient-descent-from-scratch.html",  # with a player
    "tables": "lab5/notebooks/01-your-own-data.html",
    "changes": "lab2/changes.html",
    "side by side": "lab7/side-by-side.html",
    "code": "lab1/code/text_recognizer/models/mlp.py.html",
    "document": "docs/data.html",
    "api": "lab_kit/decoding.html",
    "search": "search.html",
    "slides": "lab1/slides.html",
}


pytest.importorskip("sphinx", reason="Sphinx is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API modifications")  # of what MyST uses


@dataclass
class Read(HTMLParser):
    """What a page refers to."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    pictures: list[dict[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") != "canonical" and found.get("href"):
            self.loaded.append(found["href"])
        if found.get("src"):
            self.loaded.append(found["src"])
        if tag == "img":
            self.pictures.append(found)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The website of the course, built once for all processes that test it."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "popen-gw" in base.name else base) / "whole-site"
    with FileLock(f"{place}.lock"):
        if not place.is_dir():
            command = [sys.executable, "-m", "curriculum", "--root", str(ROOT), "site", "--out", str(place)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Read]:
    """All pages, read."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        if path.parent.name == "_static":  # a template of the theme
            continue
        found[path.relative_to(site).as_posix()] = page = Read()
        page.feed(path.read_text(encoding="utf-8"))
    return found


def test_there_is_a_page_for_all_that_the_course_has(pages):
    for lab in COURSE.labs:
        wanted = [f"{lab.folder}/{name}.html" for name in ("index", "homework", "code/index", "slides")]
        wanted += [f"{lab.folder}/{name}.html" for name in ("changes", "side-by-side") if lab.number > 1]
        wanted += [source.built.replace(".ipynb", ".html") for source in notebooks.sources(COURSE, lab)]
        wanted += [f"{lab.folder}/code/{name.removesuffix('.md')}.html" for name in COURSE.added(lab)]
        assert [name for name in wanted if name not in pages] == []
    documents = [f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md") if path.stem != "README"]
    rooms = [
        f"lab_kit/{path.parent.relative_to(ROOT / 'lab_kit')}.html"
        for path in (ROOT / "lab_kit").glob("*/**/__init__.py")
    ]
    assert [name for name in (*documents, *rooms, "lab_kit/modules.html") if name not in pages] == []


def test_every_link_leads_to_a_page_and_a_place_that_are_there(site, pages):
    dead = []
    for name, page in pages.items():
        for link in {*page.links, *page.loaded}:
            if re.match(r"[a-z]+:|//", link) or link in ("#", ""):
                continue
            address, _, anchor = link.partition("#")
            target = ((site / name).parent / unquote(address.partition("?")[0])).resolve() if address else site / name
            if not target.is_file():
                dead.append(f"{name}: {link}")
            elif anchor and target.suffix == ".html":
                there = pages[target.relative_to(site.resolve()).as_posix()] if address else page
                dead += [] if unquote(anchor) in there.ids else [f"{name}: {link}"]
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site, pages):
    remote = [
        f"{name}: {link}" for name, page in pages.items() for link in page.loaded if re.match(r"(https?:)?//", link)
    ]
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        remote += [f"{style.name}: {address}" for address in re.findall(r"url\(['\"]?((?:https?:)?//[^)]+)", text)]
        remote += [f"{style.name}: {line}" for line in re.findall(r"@import[^;]*https?:[^;]*", text)]
    assert remote == []


def test_every_picture_has_a_text(pages):
    bare = [
        f"{name}: {one.get('src', '')[:60]}"
        for name, page in pages.items()
        for one in page.pictures
        if not one.get("alt")
    ]
    assert bare == []
    assert sum(len(page.pictures) for page in pages.values()) > 70


def test_every_page_is_in_the_menu(pages):
    """Each page can be reached from the home page by the menus alone, which all pages share."""
    seen, new = set(), {"index.html"}
    while new:
        seen |= new
        reached = set()
        for name in new:
            folder = Path("/", name).parent
            for link in pages[name].links:
                address = link.partition("#")[0]
                if address.endswith(".html") and not re.match(r"[a-z]+:", address):
                    reached.add(str((folder / address).resolve().relative_to("/")))
        new = {name for name in reached if name in pages} - seen
    assert set(pages) - seen <= {"search.html"}


def test_all_people_can_use_every_kind_of_page_in_light_and_dark_and_on_a_phone(site):
    """axe-core finds nothing serious; no page is wider than a phone; nothing asks for a network."""
    from axe_playwright_python.sync_playwright import Axe

    axe, found, wide, remote = Axe(), [], [], []
    with chromium() as browser:
        for colours in ("light", "dark"):
            context = browser.new_context(color_scheme=colours, viewport={"width": 390, "height": 800})
            page = context.new_page()
            page.on("request", lambda request: remote.append(request.url) if request.url.startswith("http") else None)
            for kind, name in KINDS.items():
                page.goto((site / name).as_uri())
                for one in axe.run(page).response["violations"]:
                    if one["impact"] in ("serious", "critical"):
                        found += [f"{kind}, {colours}: {one['id']}: {node['html'][:90]}" for node in one["nodes"][:3]]
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wide.append(f"{kind}, {colours}")
            context.close()
    assert found == []
    assert wide == []
    assert remote == []


def test_the_search_finds_words_in_files_without_a_server(site):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{(site / 'search.html').as_uri()}?q=teacher+forcing")
        page.wait_for_selector("#search-results li a")
        links = page.eval_on_selector_all("#search-results li a", "found => found.map(one => one.getAttribute('href'))")
    assert any("lab4" in link for link in links)


# ---------------------------------------------------------------- what is wrong is named

FILES = {
    "labs.toml": """
        repository = "someone/course"
        canonical = ["code"]
        may_differ = []
        ordinary_words = []
        shared = []
        exports = {}
        [[lab]]
        number = 1
        title = "The only one"
        main = ""
        adds = ["code/net.py"]
    """,
    "pyproject.toml": '[project]\nname = "course"\nversion = "1.2.3"\n',
    "README.md": "# A course: with one lab\n\nRead [the first](lab1/README.md), and [the docs](docs/README.md).\n",
    "docs/README.md": "# Documentation\n\n- [words](words.md)\n",
    "docs/words.md": "# Words\n\n## Net\n\nWhat learns.\n",
    "docs/net.png": "a picture",
    "lab1/README.md": "# Lab 1\n\nA [net](../docs/words.md#net), [code](code/net.py).\n\n![A net](../docs/net.png)\n",
    "lab1/code/net.py": "x = 1\n",
    "lab1/homework/README.md": "# Homework\n\nDo `[this](x)`.\n",
    "code/net.py": '"""A net."""\n\nx = 1\n',
    "lab_kit/README.md": "# The kit\n",
    "lab_kit/__init__.py": '"""The kit."""\n',
    "lab_kit/errors.py": 'def find(name: str) -> str:\n    """Find.\n\n    Args:\n        name: a word.\n    """\n',
    "curriculum/README.md": "# For instructors\n\nSee [labs.toml](../labs.toml), [errors](../lab_kit/errors.py).\n",
}  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A course of one lab, without notebooks."""
    root = tmp_path / "course"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(re.sub(r"^ {8}", "", text, flags=re.MULTILINE))
    return root


def build(root: Path, capsys: pytest.CaptureFixture) -> tuple[int, str]:
    code = main(["--root", str(root), "site", "--out", str(root / "site")])
    written = capsys.readouterr()
    return code, written.out + written.err


def test_links_fit_the_site(small, capsys):
    code, said = build(small, capsys)
    assert code == 0, said
    lab = (small / "site/lab1/index.html").read_text()
    assert 'href="../docs/words.html#net"' in lab
    assert 'href="code/code/net.py.html' in lab
    teaching = (small / "site/curriculum/index.html").read_text()
    assert 'href="https://github.com/someone/course/blob/main/labs.toml"' in teaching
    assert 'href="../lab_kit/modules.html"' in teaching
    assert "a word" in (small / "site/lab_kit/modules.html").read_text()


@pytest.mark.parametrize(
    ("name", "added", "said"),
    [
        ("lab1/README.md", "[a](../docs/wrods.md)\n", "lab1/README.md:7: a link leads nowhere: ../docs/wrods.md"),
        ("lab1/README.md", "![A net](images/n.png)\n", "lab1/README.md:7: a link leads nowhere: images/n.png"),
        ("lab1/README.md", "![](../docs/net.png)\n", "lab1/README.md:7: a picture without an alternative text"),
        ("lab1/README.md", "[a](../../elsewhere.md)\n", "lab1/README.md:7: a link leads nowhere: ../../elsewhere.md"),
        ("docs/more.md", "# More\n", "docs/more.md: is in no menu. Link to it in docs/README.md"),
        ("lab1/homework/more.md", "# More\n", "lab1/homework/more.md: is in no menu."),
        ("lab1/README.md", "[a](../docs/words.md#nett)\n", "lab1/README.md:7: "),
        ("docs/words.md", "[a](#nett)\n", "docs/words.md:7: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line_and_nothing_is_written(small, capsys, name, added, said):
    with (small / name).open("a") as file:
        file.write(f"\n{added}")
    code, written = build(small, capsys)
    assert code == 1
    lines = written.splitlines()
    assert [line for line in lines if line.startswith(said)], written
    assert "1 problem: no site was written." in lines[-1]
    if "#nett" in added:
        assert "'nett'" in written
    assert not (small / "site").exists()
    assert [path.name for path in small.glob("site*")] == []


def test_a_site_that_stands_is_kept_until_there_is_a_better_one(small, capsys):
    assert build(small, capsys)[0] == 0
    before = (small / "site/index.html").read_bytes()
    (small / "README.md").write_text("# A course\n\n[gone](gone.md)\n")
    assert build(small, capsys)[0] == 1
    assert (small / "site/index.html").read_bytes() == before


def test_a_folder_with_something_else_is_not_replaced(small, capsys):
    (small / "site").mkdir()
    (small / "site/thesis.txt").write_text("mine")
    code, said = build(small, capsys)
    assert code == 2
    assert "holds something else" in said
    assert (small / "site/thesis.txt").read_text() == "mine"


def test_a_built_site_is_shown_on_this_machine_alone(tmp_path):
    (tmp_path / "index.html").write_text("the course")
    said = queue.Queue()
    threading.Thread(target=serve.serve, args=(tmp_path, 0, said.put), daemon=True).start()
    address = said.get(timeout=20).split()[0]
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.read() == b"the course"


def test_a_port_that_is_taken_is_one_clear_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} cannot be used"):
            serve.serve(tmp_path, port, print)
    with pytest.raises(UserError, match="Port 99999 cannot be used"):
        serve.serve(tmp_path, 99999, print)
