"""Collecting from a web that misbehaves: every good picture comes, every bad address gets its reason."""

import csv
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_kit.curation import collect as collect_module
from lab_kit.curation.address_lists import read_lists
from lab_kit.curation.collect import Collection, collect
from lab_kit.curation.fetch import HEADERS, FetchError, FetchLimits, check_address
from lab_kit.curation.names import class_folder_name, class_name_from_term, file_stem_from_url
from lab_kit.curation.practice.make_set import HTML_PAGE
from lab_kit.curation.practice.web import BAD, PracticeWeb
from lab_kit.curation.search_terms import search_terms
from lab_kit.errors import UserError
from lab_kit.paths import code_root
from lab_kit.program import run

QUICK = {"patience": 1.0, "max_megabytes": 1.0}


@pytest.fixture
def practice(tmp_path) -> Path:
    """A set like a practice set, of pictures that are drawn in no time: noise, all of it different."""
    rng = np.random.default_rng(0)
    for number in range(24):
        file = tmp_path / "practice" / "collected" / ("star", "sun")[number % 2] / f"{number:04}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file, "PNG" if number == 4 else "JPEG")  # one has the wrong suffix
    return tmp_path / "practice"


@pytest.fixture
def web(practice):
    with PracticeWeb(practice) as web:
        yield web


def write_list(path: Path, pairs) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("class", "url"), *pairs])
    return path


def report(folder: Path) -> list[dict[str, str]]:
    with (folder / "collected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def collected(folder: Path) -> dict[str, bytes]:
    return {file.stem: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.suffix != ".csv"}


REASONS = {
    "404": "404 Not Found",
    "410": "410 Gone",
    "500": "500 Internal Server Error",
    "half": "the connection broke off",
    "reset": "the connection broke off",
    "page": "a web page, not a picture",
    "called-a-picture": "a web page, not a picture",
    "huge": "more than 1 MB: 50 MB",
    "endless": "more than 1 MB",
    "loop": "redirects without end",
    "not-https": "no secure connection: the server does not speak https as it should",
}


def test_every_good_picture_comes_every_bad_address_has_its_reason_and_a_rerun_fetches_the_rest(
    web, practice, tmp_path
):
    lists = tmp_path / "urls.csv"
    web.write_urls(lists)
    collect(lists, tmp_path / "pictures", **QUICK)
    rows = report(tmp_path / "pictures")
    assert [(row["class"], row["url"]) for row in rows] == web.urls()
    assert len(rows) == 24 + len(BAD) + 4

    assert collected(tmp_path / "pictures") == collected(practice / "collected")
    for row in rows:
        name = row["url"].rsplit("/", 1)[-1].removesuffix(".jpg")
        if "/pictures/" in row["url"]:
            assert row["file"] == f"{row['class']}/{name}.{'png' if name == '0004' else 'jpg'}"
            assert (practice / "collected" / row["class"] / f"{name}.jpg").read_bytes() == (
                tmp_path / "pictures" / row["file"]
            ).read_bytes()
            assert row["reason"] == ""
        else:
            assert row["file"] == ""
            assert row["reason"] == REASONS.get(name, row["reason"])
    others = {row["url"].rsplit("/", 1)[-1]: row["reason"] for row in rows}
    assert others["stall.jpg"].startswith("no answer within")
    assert "without an end" in others["trickle.jpg"]
    assert others["passwd"] == "only http and https addresses are fetched, not file:"
    assert others["a picture"] == "not a web address"

    asked = len(web.asked)
    web.files["/bad/404.jpg"] = practice / "collected" / "star" / "0002.jpg"  # it has come back
    (tmp_path / "pictures" / "star" / "0006.jpg").unlink()
    collect(lists, tmp_path / "pictures", **QUICK)
    again = web.asked[asked:]
    assert [path for path in again if "/pictures/" in path] == ["/pictures/0006.jpg"]
    back = next(row for row in report(tmp_path / "pictures") if row["url"].endswith("404.jpg"))
    assert back["file"] == "star/404.jpg"
    assert [row["reason"] for row in report(tmp_path / "pictures") if row["url"].endswith("0002.jpg")] == [
        "duplicate: copy of star/404.jpg"
    ]


def test_many_dead_servers_take_no_picture_along(web, tmp_path):
    good = [pair for pair in web.urls() if "/pictures/" in pair[1]]
    dead = [("star", f"{web.address}/bad/stall.jpg?{number}") for number in range(20)]
    collect(write_list(tmp_path / "urls.csv", dead + good), tmp_path / "pictures", at_once=8, **QUICK)
    rows = report(tmp_path / "pictures")
    assert all(row["reason"].startswith("no answer within") for row in rows[:20])
    assert all(row["file"] for row in rows[20:])
    positions = [place for place, path in enumerate(web.asked) if "/pictures/" in path]
    assert len(positions) == 24


def test_copies_are_set_aside_and_not_fetched_again_wherever_pictures_go(web, tmp_path, capsys):
    url = f"{web.address}/pictures/0002.jpg"
    pairs = [("star", url), ("star", url), ("star", url + "?size=large"), ("sun", f"{web.address}/pictures/0003.jpg")]
    lists = write_list(tmp_path / "urls.csv", pairs)
    pictures = tmp_path / "pictures"
    collect(lists, pictures, **QUICK)
    assert [(row["file"], row["reason"]) for row in report(pictures)] == [
        ("star/0002.jpg", ""),
        ("", "listed before"),
        ("star/0002-3.jpg", "duplicate: copy of star/0002.jpg"),
        ("sun/0003.jpg", ""),
    ]
    aside = tmp_path / "pictures-quarantine" / "duplicate" / report(pictures)[2]["file"]
    assert aside.is_file()
    before, asked = report(pictures), len(web.asked)
    (pictures / "train" / "sun").mkdir(parents=True)
    shutil.move(pictures / "star" / "0002.jpg", pictures / "train" / "sun")  # another class, and another part
    collect(lists, pictures, **QUICK)
    assert len(web.asked) == asked
    assert report(pictures) == before
    assert "already there" in capsys.readouterr().out


def test_a_file_of_somebody_elses_is_not_overwritten(web, tmp_path):
    mine = tmp_path / "pictures" / "star" / "0002.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    lists = write_list(tmp_path / "urls.csv", [("star", f"{web.address}/pictures/0002.jpg")])
    collect(lists, tmp_path / "pictures", **QUICK)
    assert mine.read_bytes() == b"mine"
    assert report(tmp_path / "pictures")[0]["file"] == "star/0002~2.jpg"


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(500)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    lists = write_list(tmp_path / "urls.csv", [("star", f"https://127.0.0.1:{server.server_address[1]}/a.jpg")])
    with pytest.raises(UserError, match="No picture was collected"):
        collect(lists, tmp_path / "pictures", **QUICK)
    server.shutdown()
    assert report(tmp_path / "pictures")[0]["reason"].startswith("certificate not valid: self")


# Interrupted


def start(lists: Path, pictures: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "lab_kit.curation.collect", lists, pictures, "--at_once", "2"]
    return subprocess.Popen(command, cwd=code_root(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle_it_goes_on_where_it_was(web, practice, tmp_path, number, monkeypatch):
    pairs = [pair for pair in web.urls() if "/pictures/" in pair[1]]
    lists, pictures = write_list(tmp_path / "urls.csv", pairs), tmp_path / "pictures"
    slow = web._server.RequestHandlerClass._answer

    def answer(self, *arguments, **settings):
        time.sleep(0.05)
        slow(self, *arguments, **settings)

    monkeypatch.setattr(web._server.RequestHandlerClass, "_answer", answer)
    program = start(lists, pictures)
    wait_for(lambda: len(web.asked) > 8)
    program.send_signal(number)
    written = program.communicate(timeout=30)[0]
    assert program.returncode == (-9 if number == signal.SIGKILL else 130)
    assert "Traceback" not in written
    if number == signal.SIGINT:
        assert [(row["class"], row["url"]) for row in report(pictures)] == pairs
    done, first = len(collected(pictures)), Counter(web.asked)
    assert 3 < done < 24
    web.asked.clear()
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    collect(lists, pictures)
    assert collected(pictures) == collected(practice / "collected")
    assert all(row["file"] and not row["reason"] for row in report(pictures))
    assert sum((first & Counter(web.asked)).values()) <= 2 * 2  # what was under way, and what was just written
    assert sorted(file.name for file in pictures.iterdir()) == ["collected.csv", "star", "sun"]


def test_a_full_disk_is_a_reason_and_no_end(web, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collect_module, "write_bytes", full)
    lists = write_list(tmp_path / "urls.csv", [("star", f"{web.address}/pictures/0002.jpg")])
    with pytest.raises(UserError, match="No picture was collected"):
        collect(lists, tmp_path / "pictures", **QUICK)
    assert report(tmp_path / "pictures")[0]["reason"] == "cannot be written: No space left on device"


# Names and lists


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../x", "/etc", "a/b", "a\\b", "C:", "con", "NUL.txt", "a\0b", "a\nb", "x.", ".x", "train",
     "a" * 101, "com1", "~root", "a?"],
)  # fmt: skip
def test_a_class_cannot_lead_elsewhere(tmp_path, name):
    with pytest.raises(UserError) as wrong:
        class_folder_name(name)
    assert "\n" not in str(wrong.value)
    write_list(tmp_path / "urls.csv", [(name, "http://127.0.0.1:9/a.jpg")])
    with pytest.raises(UserError):
        collect(tmp_path / "urls.csv", tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_good_names_stay_as_they_are():
    for name in ("star", "Grizzly bear", "gibson_les_paul", "Käse", "日本", "a.b"):
        assert class_folder_name(name) == name
    assert class_folder_name("Ka\u0308se") == "K\u00e4se"


@pytest.mark.parametrize(
    ("url", "stem"),
    [
        ("http://a.b/c/bear.JPG?x=1", "bear"),
        ("http://a.b/..%2f..%2fetc%2fpasswd.jpg", "passwd"),
        ("http://a.b/..%5c..%5cwin.ini.png", "win-ini"),
        ("http://a.b/", "picture"),
        ("http://a.b/.htaccess", "htaccess"),
        ("http://a.b/con.jpg", "picture-con"),
        ("http://a.b/" + "x" * 500 + ".jpeg", "x" * 60),
        ("http://a.b/a%00b%0ac:d.png", "a-b-c-d"),
        ("http://[", "picture"),
    ],
)
def test_files_are_called_after_their_address_and_lie_where_they_should(url, stem):
    assert file_stem_from_url(url) == stem


def test_names_differ_in_more_than_capitals_and_over_all_classes(tmp_path):
    pairs = [("star", "http://a.b/1/x.jpg"), ("star", "http://a.b/2/X.jpg"), ("sun", "http://a.b/3/x.png")]
    collection = Collection(write_list(tmp_path / "urls.csv", pairs), tmp_path / "pictures")
    assert collection._stems == ["x", "X-2", "x-3"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.b/c.jpg", "data:image/png;base64,AAAA", "http://", "x", "http://["]
)
def test_only_the_web_is_asked(url):
    with pytest.raises(FetchError):
        check_address(url)


def test_lists_are_read_in_order_with_comments_and_marks_of_other_programs(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "sun.txt").write_bytes(
        b"\xef\xbb\xbf# suns\r\nhttp://a.b/1.jpg\r\n\r\n  http://a.b/2.jpg \r\n"
    )
    (tmp_path / "lists" / "star.txt").write_text('"http://a.b/3.jpg",\n')
    wanted = read_lists(tmp_path / "lists")
    assert [(w.label, w.url[-5:]) for w in wanted] == [("star", "3.jpg"), ("sun", "1.jpg"), ("sun", "2.jpg")]


TABLE = "class;url\r\nsonne;http://a.b/1.jpg\r\nStern;http://a.b/2.jpg\r\n"


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace(";", ",").encode(),
        TABLE.encode(),  # as Excel writes it where the comma is the decimal mark
        TABLE.replace(";", "\t").encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.encode("utf-16"),  # with a byte order mark: Excel's "Unicode text", PowerShell's >
        b"\xfe\xff" + TABLE.replace(";", "\t").encode("utf-16-be"),
        ("sep=;\r\n" + TABLE).encode(),
        TABLE.replace("class;url", "Class ; URL").encode(),
        TABLE.replace("\r\n", ";;\r\n").encode() + b";;;\r\n",  # columns and rows that were emptied
        TABLE.replace("\r\n", "\r").encode(),  # an old Mac's
        TABLE.replace("class;url", "class;who;url").replace(";http", ";me;http").encode(),
        TABLE.replace(";", "; ").replace("http", '"http').replace(".jpg", '.jpg"').encode(),
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, content):
    (tmp_path / "urls.csv").write_bytes(content)
    rows = [(row.label, row.url) for row in read_lists(tmp_path / "urls.csv")]
    assert rows == [("sonne", "http://a.b/1.jpg"), ("Stern", "http://a.b/2.jpg")]


def test_servers_are_asked_for_formats_that_every_program_reads():
    asked = re.findall(r"image/(\w+)", HEADERS["Accept"])
    assert asked == ["jpeg", "png", "webp"]  # and not for AVIF, which many servers would send then


def test_an_address_may_have_the_mark_that_is_between_fields(tmp_path):
    for mark in ",;":
        (tmp_path / "urls.csv").write_text(f"class{mark}url\nsun{mark}http://a.b/1{mark}2.jpg?c=3{mark}4\n")
        assert read_lists(tmp_path / "urls.csv")[0].url == f"http://a.b/1{mark}2.jpg?c=3{mark}4"


def test_lists_and_terms_may_be_in_utf_16(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "sun.txt").write_text("# suns\nhttp://a.b/1.jpg\n", encoding="utf-16")
    assert [entry.url for entry in read_lists(tmp_path / "lists")] == ["http://a.b/1.jpg"]
    (tmp_path / "terms.csv").write_text("term;leave_out\nles paul guitar;guitar\n", encoding="utf-16")
    search_terms(tmp_path / "terms.csv", tmp_path / "found")
    assert (tmp_path / "found" / "les_paul.txt").is_file()


def test_a_report_that_a_spreadsheet_has_saved_is_still_the_report(web, tmp_path, capsys):
    some = [pair for pair in web.urls() if "/pictures/" in pair[1]][:3]
    write_list(tmp_path / "urls.csv", some)
    collect(tmp_path / "urls.csv", tmp_path / "pictures", **QUICK)
    path = tmp_path / "pictures" / "collected.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-16")
    capsys.readouterr()
    collect(tmp_path / "urls.csv", tmp_path / "pictures", **QUICK)
    assert "already there" in capsys.readouterr().out
    assert len(report(tmp_path / "pictures")) == len(some)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no"),
        ("class,url\n", "There is no address"),
        ("label,address\nstar,http://a.b\n", "needs the columns class and url"),
        ("class,url\nStar,http://a.b/1\nstar,http://a.b/2\n", "differ in capitals only"),
        (b"class,url\nstar,http://a.b/\xff\n", "UTF-8"),
    ],
)
def test_lists_that_are_none_are_refused_in_one_line(tmp_path, capsys, content, words):
    path = tmp_path / "urls.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as end:
        run(collect, [str(path), str(tmp_path / "pictures")])
    message = capsys.readouterr().err
    assert end.value.code == 2
    assert words in message
    assert message.count("\n") == 1


def test_where_nothing_was_collected_nobody_is_sent_on(tmp_path, capsys):
    (tmp_path / "urls.csv").write_text("class,url\nstar,file:///etc/passwd\n")
    with pytest.raises(SystemExit) as end:
        run(collect, [str(tmp_path / "urls.csv"), str(tmp_path / "pictures")])
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert "No picture was collected" in err
    assert "Next:" not in out
    assert [row["reason"] for row in report(tmp_path / "pictures")] == [
        "only http and https addresses are fetched, not file:"
    ]


def test_impossible_limits_are_refused(tmp_path):
    with pytest.raises(UserError, match="--timeout"):
        collect(tmp_path, tmp_path, timeout=0)
    assert FetchLimits(1, 1, 1, 1, 1, 1).at_once == 1


# Search terms


def test_terms_become_lists_and_a_filled_list_stays(tmp_path):
    terms = tmp_path / "terms.csv"
    terms.write_text("term,leave_out\ngibson les paul guitar,guitar\nGibson SG guitar,guitar\nblack bear,\n")
    search_terms(terms, tmp_path / "lists", tmp_path / "pictures")
    names = ["black_bear", "gibson_les_paul", "gibson_sg"]
    assert sorted(file.stem for file in (tmp_path / "lists").iterdir()) == names
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == names
    with pytest.raises(UserError, match="no address"):  # comments only
        read_lists(tmp_path / "lists")
    bear = tmp_path / "lists" / "black_bear.txt"
    bear.write_text("http://a.b/bear.jpg\n")
    search_terms(terms, tmp_path / "lists")
    assert bear.read_text() == "http://a.b/bear.jpg\n"


def test_terms_that_make_no_class_or_the_same_one_are_refused(tmp_path):
    assert class_name_from_term("Teddy Bear", "") == "teddy_bear"
    with pytest.raises(UserError, match="Nothing is left"):
        class_name_from_term("guitar", "Guitar")
    (tmp_path / "terms.csv").write_text("term,leave_out\nbear toy,toy\nbear,\n")
    with pytest.raises(UserError, match="both be called bear"):
        search_terms(tmp_path / "terms.csv", tmp_path / "lists")


def test_the_practice_web_has_every_picture_under_an_address_that_tells_nothing(web, practice):
    urls = web.urls()
    assert Counter(label for label, url in urls if "/pictures/" in url) == {"star": 12, "sun": 12}
    assert not any("star" in url or "sun" in url for _, url in urls)
    assert HTML_PAGE.startswith(b"<!DOCTYPE html>")
