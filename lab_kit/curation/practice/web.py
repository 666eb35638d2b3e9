"""Serve pictures and dead links on this machine, to practise collecting without a network.

python -m lab_kit.curation.practice.web practice

serves the practice set's collection, at addresses that do not tell what the pictures show, together with addresses that
fail in the ways that are common on the real web. It writes the list `practice/urls.csv`. Leave it running, and run in
another terminal:

python -m lab_kit.curation.collect practice/urls.csv pictures
"""

import csv
import io
import socket
import struct
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab_kit.atomic_write import write_text
from lab_kit.command_line import command_line
from lab_kit.curation.practice.make_set import HTML_PAGE
from lab_kit.curation.quarantine import list_picture_files
from lab_kit.errors import UserError
from lab_kit.program import run

BAD = ("404", "410", "500", "stall", "half", "reset", "page", "called-a-picture", "huge", "endless", "trickle", "loop")
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif",
         ".svg": "image/svg+xml"}  # fmt: skip
HUGE = 50_000_000  # bytes


class PracticeWeb:
    """A web server for a practice set's collection on 127.0.0.1; as a context manager, it runs in a thread.

    Args:
        folder: a practice set.
        port: the server's port; 0 for any free one.

    Attributes:
        address: of the server, such as "http://127.0.0.1:8000".
        asked: the paths of all requests so far, in order.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        collected = Path(folder) / "collected"
        self.files = {f"/pictures/{Path(f).name}": collected / f for f in list_picture_files(collected)}
        self.asked: list[str] = []
        self.closing = threading.Event()
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be used: {error.strerror}. Choose another one, or 0 for any free one."
            ) from None
        self._server.web = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def urls(self) -> list[tuple[str, str]]:
        """Return (class, address) of every picture of the collection, with the bad addresses in between."""
        good = [(file.parent.name, self.address + path) for path, file in self.files.items()]
        bad = [f"{self.address}/bad/{name}.jpg" for name in BAD]
        bad += [
            self.address.replace("http:", "https:") + "/bad/not-https.jpg",
            "file:///etc/passwd",
            "http://",
            "a picture",
        ]
        classes = sorted({label for label, _ in good})
        every = max(1, len(good) // len(bad))
        for number, url in enumerate(bad):
            good.insert(min(len(good), number * (every + 1)), (classes[number % len(classes)], url))
        return sorted(good, key=lambda pair: pair[0])

    def write_urls(self, path: Path) -> None:
        """Write the list for `collect`: a CSV file with the columns class and url."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["class", "url"])
        table.writerows(self.urls())
        write_text(text.getvalue(), path)

    def serve_forever(self) -> None:
        """Serve until the program is stopped."""
        self._server.serve_forever()

    def __enter__(self) -> "PracticeWeb":
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self.close()

    def close(self) -> None:
        """Stop the server, and all answers that it is still sending."""
        self.closing.set()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    web: PracticeWeb

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: they mean that the client has closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        web = self.server.web
        web.asked.append(self.path)
        path = self.path.split("?")[0]
        with suppress(OSError):
            if path in web.files:
                self._answer(web.files[path].read_bytes(), TYPES.get(Path(path).suffix, "application/octet-stream"))
            else:
                name = path.rsplit("/", 1)[-1].split(".")[0].replace("-", "_")
                getattr(self, f"_bad_{name}", self._bad_404)()

    def log_message(self, *_) -> None:
        """Log nothing."""

    def _answer(self, body: bytes, kind: str = "text/html", status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _picture(self) -> bytes:
        return next(file.read_bytes() for path, file in self.server.web.files.items() if path.endswith(".jpg"))

    def _wait(self, seconds: float) -> bool:
        """Wait; return False if the server is being stopped."""
        return not self.server.web.closing.wait(seconds)

    def _bad_404(self) -> None:
        self._answer(HTML_PAGE, status=404)

    def _bad_410(self) -> None:
        self._answer(HTML_PAGE, status=410)

    def _bad_500(self) -> None:
        self._answer(HTML_PAGE, status=500)

    def _bad_stall(self) -> None:
        self._wait(600)
        self.close_connection = True

    def _bad_half(self) -> None:
        self._answer(self._picture()[:1000], "image/jpeg", length=5000)
        self.close_connection = True

    def _bad_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _bad_page(self) -> None:
        self._answer(HTML_PAGE)

    def _bad_called_a_picture(self) -> None:
        self._answer(HTML_PAGE, "image/jpeg")

    def _bad_huge(self) -> None:
        self._answer(b"", "image/jpeg", length=HUGE)
        for _ in range(HUGE // 1_000_000):
            self.wfile.write(bytes(1_000_000))

    def _bad_endless(self) -> None:
        """Send data without end, and without a length in the head."""
        self.close_connection = True
        self._head_without_length()
        while not self.server.web.closing.is_set():
            self.wfile.write(bytes(100_000))

    def _bad_trickle(self) -> None:
        """Send one byte every 0.3 s, for a very long time."""
        self.close_connection = True
        self._head_without_length()
        for byte in self._picture() * 1000:
            self.wfile.write(bytes([byte]))
            if not self._wait(0.3):
                break

    def _bad_loop(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/bad/loop.jpg?again=" + str(time.monotonic_ns()))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head_without_length(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Connection", "close")
        self.end_headers()


def practice_web(folder: Path, port: int = 0) -> None:
    """Serve a practice set's pictures and dead links on this machine until Ctrl-C; write their list, urls.csv.

    Args:
        folder: a practice set.
        port: the server's port; 0 for any free one.
    """
    from lab_kit.plain_console import PlainConsole

    folder = Path(folder)
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: it must be from 0 to 65535.")
    web = PracticeWeb(folder, port)
    web.write_urls(folder / "urls.csv")
    say = PlainConsole(soft_wrap=True).print
    say(f"Serving {len(web.files)} pictures, and {len(web.urls()) - len(web.files)} dead links, at {web.address}")
    say("Leave this running, and stop it with Ctrl-C at the end. In another terminal, run:")
    say(command_line("python", "-m", "lab_kit.curation.collect", folder / "urls.csv", "pictures"))
    try:
        web.serve_forever()
    finally:
        web.close()


if __name__ == "__main__":
    run(practice_web)
