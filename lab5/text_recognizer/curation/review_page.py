"""A review in the browser, driven by the keyboard.

python -m text_recognizer.curation.review_page review.csv pictures

The server is for the person at this machine alone: it listens at 127.0.0.1, and it answers its own page only. Another
page that is open in the same browser could otherwise send it proposals, or be served under a name that leads to
127.0.0.1 (DNS rebinding) and read the pictures.
"""

import json
import os
import secrets
import shlex
import socket
import subprocess
import webbrowser
import zlib
from pathlib import Path

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from text_recognizer.curation.apply_review import command, in_words
from text_recognizer.curation.review_file import Picture
from text_recognizer.curation.review_queue import ReviewQueue
from text_recognizer.curation.shown_picture import shown_picture
from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.program import run

HERE = ("127.0.0.1", "localhost", "[::1]")  # names of this machine that a page of ours can have
LONGEST = 1600  # pixels of the longer side of a picture that the page shows
MAX_REQUEST = 20_000  # bytes

# What a browser must not do with what it gets from here: guess its type, run it, frame it, or give it to other pages.
SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
NOTHING_RUNS = "default-src 'none'; sandbox; frame-ancestors 'none'"
ONLY_THE_PAGE_RUNS = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'nonce-{nonce}'; "
    "script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def review_page(review: Path, folder: Path, port: int = 0, open_browser: bool = False) -> None:
    """Review pictures in the browser, with the keyboard; what is proposed is kept in the review's file at once.

    Args:
        review: the review's CSV file.
        folder: the data set under review.
        port: of the page's address; 0 takes a free one, for one review always the same if possible.
        open_browser: show the page in the browser at once.
    """
    serve(ReviewQueue.open(review, folder), port, open_browser)


def serve(queue: ReviewQueue, port: int = 0, open_browser: bool = False) -> None:
    """Serve the page of a review until Ctrl-C, then say what there is and how to apply it.

    Args:
        queue: the review.
        port: of the page's address; 0 takes a free one, for one review always the same if possible.
        open_browser: show the page in the browser at once.

    Raises:
        UserError: the port is taken, or is none.
    """
    console = Console(soft_wrap=True, highlight=False)
    with _listen(queue, port) as listener:
        port = listener.getsockname()[1]
        address = f"http://127.0.0.1:{port}/"
        settings = uvicorn.Config(
            app(queue, port),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,  # s; browsers keep connections open
        )
        try:
            counts = queue.counts()
            console.print(f"{counts['all']} pictures to review, {counts['seen']} of them looked at already:")
            console.print(f"\n    [bold]{address}[/]\n\nCtrl-C ends the review; every proposal is on disk already.")
            if open_browser:
                webbrowser.open(address)
            uvicorn.Server(settings).run(sockets=[listener])
        except KeyboardInterrupt:  # the way to end it
            pass
        finally:
            console.print(f"\n{in_words(queue)}")
            console.print(f"Nothing has been changed yet. To write a new data set with it:\n\n    {command(queue)}\n")


def app(queue: ReviewQueue, port: int = 0) -> Starlette:
    """Return the page of a review as an application.

    Args:
        queue: the review; the application uses it from one thread.
        port: where it is served, for the command that starts it again.
    """
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    session = secrets.token_hex(4)  # in the pictures' addresses: a browser's cache must not outlive a server

    async def show(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        rules = {"Content-Security-Policy": ONLY_THE_PAGE_RUNS.format(nonce=nonce), "Cache-Control": "no-store"}
        return HTMLResponse(page.replace("{{nonce}}", nonce), headers=SAFETY | rules)

    async def state(request: Request) -> Response:
        queue.refresh()
        return _answer(
            {
                "name": queue.folder.resolve().name,
                "classes": queue.classes,
                "pictures": [vars(picture) for picture in queue.pictures],
                "version": queue.version,
                "session": session,
                "restart": restart_command(queue, port),
                "counts": queue.counts(),
                "command": command(queue),
            }
        )

    async def propose(request: Request) -> Response:
        proposal = _proposal(await _json(request))
        queue.propose(**proposal)
        return _changed(queue, queue.picture(proposal["file"]))

    async def undo(request: Request) -> Response:
        return _changed(queue, queue.undo())

    async def picture(request: Request) -> Response:
        file = queue.folder / queue.picture(request.query_params.get("file", "")).file
        content, kind = await run_in_threadpool(shown_picture, file, LONGEST)
        rules = {"Content-Security-Policy": NOTHING_RUNS, "Cache-Control": "private, max-age=3600"}
        return Response(content, media_type=kind, headers=SAFETY | rules)

    return Starlette(
        routes=[
            Route("/", show),
            Route("/state", state),
            Route("/picture", picture),
            Route("/propose", propose, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
        ],
        middleware=[Middleware(_OnlyOurPage)],
        exception_handlers={UserError: _refusal, OSError: _refusal},
    )


def restart_command(queue: ReviewQueue, port: int) -> str:
    """Return the command line that serves this page at this port."""
    places = [readable(path.resolve()) for path in (queue.path, queue.folder)]
    words = ["python", "-m", "text_recognizer.curation.review_page", *places, "--port", str(port)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _changed(queue: ReviewQueue, picture: Picture | None) -> Response:
    """Answer with the picture that has changed; a version more than one ahead tells the page that others have, too."""
    return _answer(
        {"picture": picture and vars(picture), "version": queue.version, "counts": queue.counts()},
    )


def _answer(content: object, status: int = 200) -> Response:
    rules = {"Content-Security-Policy": NOTHING_RUNS, "Cache-Control": "no-store"}
    return JSONResponse(content, status, headers=SAFETY | rules)


def _refusal(request: Request, error: Exception) -> Response:
    message = (
        str(error) if isinstance(error, UserError) else f"{error.filename or 'A file'}: {error.strerror or error}."
    )
    return _answer({"error": message}, 400)


async def _json(request: Request) -> object:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_REQUEST:
            raise UserError("This is too much for a proposal.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("This is not a proposal.") from None


def _proposal(content: object) -> dict[str, object]:
    match content:
        case {
            "file": str(file),
            "proposal": str(proposal),
            "new_label": str(new_label),
            "grade": None | int() as grade,
        }:
            return {"file": file, "proposal": proposal, "new_label": new_label, "grade": grade}
    raise UserError("This is not a proposal.")


class _OnlyOurPage:
    """Lets through what the person at this machine asks for, by our own page or by typing its address."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (reason := self._reason(scope)):
            await PlainTextResponse(f"Refused: {reason}.\n", 403, headers=SAFETY)(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    @staticmethod
    def _reason(scope: Scope) -> str:
        """Return why a request is refused, or an empty string."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in HERE and host not in HERE:
            return "this page is at 127.0.0.1 only"
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return "another page has asked"
        from_a_link = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not from_a_link:
            return "another page has asked"
        # A form of another page can send neither this type nor, without asking first, anything else that is let in.
        if scope["method"] == "POST" and headers.get("content-type", "").partition(";")[0] != "application/json":
            return "proposals are sent as JSON"
        return ""


def _listen(queue: ReviewQueue, port: int) -> socket.socket:
    """Return a socket at `port`; if that is 0, at one that is the same for this review each time, if it is free."""
    if not 0 <= port < 1 << 16:
        raise UserError(f"There is no port {port}: take one from 1024 to 65535, or leave --port out.")
    usual = 49152 + zlib.crc32(str(queue.path.resolve()).encode()) % 16000
    for choice in [port] if port else [usual, 0]:
        try:
            return _bound(choice)
        except OSError as error:
            if port or not choice:
                reason = error.strerror or error
                raise UserError(f"Port {port} cannot be used ({reason}): name another, or leave --port out.") from None
    raise AssertionError("unreachable")


def _bound(port: int) -> socket.socket:
    # Said to be TCP, it gets TCP_NODELAY from asyncio; or else each answer would wait 40 ms for its second packet.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # where it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that has just been given back
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    run(review_page)
