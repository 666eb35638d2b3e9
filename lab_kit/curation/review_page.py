"""A web page to review pictures in the browser, with the keyboard.

python -m lab_kit.curation.review_page review.csv pictures

Only the person at this machine can use the server: it listens at 127.0.0.1, and it answers only its own page (see
`same_origin`). A proxy for this person alone, as in Codespaces and Jupyter, may stand in front of it.
"""

import json
import os
import secrets
import socket
import webbrowser
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lab_kit.command_line import command_line
from lab_kit.curation.apply_review import apply_command, progress_text
from lab_kit.curation.review_file import Picture
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.curation.shown_picture import encode_for_browser
from lab_kit.errors import UserError
from lab_kit.html_page import template
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run
from lab_kit.same_origin import ServerNames
from lab_kit.web_security import SecurityMiddleware, page_headers

LONGEST = 1600  # pixels of the longer side, to which pictures are reduced for the page
MAX_REQUEST = 20_000  # bytes


def review_page(
    review: Path, folder: Path, port: int = 0, open_browser: bool = False, public_name: list[str] | None = None
) -> None:
    """Review pictures in the browser, with the keyboard; every proposal is written to the review's file at once.

    Args:
        review: the review's CSV file.
        folder: the data set under review.
        port: of the page's address; 0 takes a free one, for one review always the same if possible.
        open_browser: show the page in the browser at once.
        public_name: the name of a proxy in front of the page, as in the browser's address.
    """
    serve(ReviewQueue.open(review, folder), port, open_browser, public_name or ())


def serve(queue: ReviewQueue, port: int = 0, open_browser: bool = False, public: Sequence[str] = ()) -> None:
    """Serve the page of a review until Ctrl-C, then print the progress and the command that applies the review.

    Args:
        queue: the review.
        port: of the page's address; 0 takes a free one, for one review always the same if possible.
        open_browser: show the page in the browser at once.
        public: names of a proxy in front of the page, as in the browser's address.

    Raises:
        UserError: the port is in use, or its number or a name is not allowed.
    """
    names = ServerNames.of("127.0.0.1", "127.0.0.1", public)
    console = PlainConsole(soft_wrap=True)
    with _listen(queue, port) as listener:
        port = listener.getsockname()[1]
        address = f"http://127.0.0.1:{port}/"
        settings = uvicorn.Config(
            create_app(queue, port, names),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,  # s; browsers keep connections open
        )

        def announce() -> None:
            counts = queue.counts()
            console.print(f"{counts['all']} pictures to review, {counts['seen']} of them looked at already:")
            console.print(f"\n    {address}\n", style="bold")
            console.print("Ctrl-C ends the review; every proposal is on disk already.")
            if open_browser:
                webbrowser.open(address)

        try:
            _AnnouncingServer(settings, announce).run(sockets=[listener])
        except KeyboardInterrupt:  # this is how the user ends it
            pass
        finally:
            console.print(f"\n{progress_text(queue)}")
            console.print("Nothing has been changed yet. To write a new data set with these proposals:")
            console.print(f"\n    {apply_command(queue)}\n")


class _AnnouncingServer(uvicorn.Server):
    """A server that calls `announce` once it runs: a Ctrl-C after that finds it ready to end in order."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def create_app(queue: ReviewQueue, port: int = 0, names: ServerNames = ServerNames()) -> Starlette:  # noqa: B008
    """Create the web application for a review.

    Args:
        queue: the review; the application uses it from one thread.
        port: its port, for the command that starts it again.
        names: the names under which it is reached.
    """
    page = template(Path(__file__).with_suffix(".html"))
    # Part of the pictures' addresses, so that a browser does not show cached pictures of another review.
    session = secrets.token_hex(4)

    async def show(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(page.render(nonce=nonce), headers=page_headers(nonce))

    async def state(request: Request) -> Response:
        queue.refresh()
        return JSONResponse(
            {
                "name": queue.folder.resolve().name,
                "classes": queue.classes,
                "pictures": [vars(picture) for picture in queue.pictures],
                "version": queue.version,
                "session": session,
                "restart": restart_command(queue, port, names),
                "counts": queue.counts(),
                "command": apply_command(queue),
            }
        )

    async def propose(request: Request) -> Response:
        proposal = _proposal(await _json(request))
        queue.propose(**proposal)
        return _changed(queue, queue.picture(proposal["file"]))

    async def undo(request: Request) -> Response:
        _check_is_json(request)
        return _changed(queue, queue.undo())

    async def picture(request: Request) -> Response:
        file = queue.folder / queue.picture(request.query_params.get("file", "")).file
        content, kind = await run_in_threadpool(encode_for_browser, file, LONGEST)
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})

    return Starlette(
        routes=[
            Route("/", show),
            Route("/state", state),
            Route("/picture", picture),
            Route("/propose", propose, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
        ],
        middleware=[Middleware(SecurityMiddleware, names=names)],
        exception_handlers={UserError: _refusal, OSError: _refusal},
    )


def restart_command(queue: ReviewQueue, port: int, names: ServerNames) -> str:
    """Return the command line that starts this page again at this port."""
    places = [path.resolve() for path in (queue.path, queue.folder)]
    public = [word for name in sorted(names.public) for word in ("--public-name", name)]
    return command_line("python", "-m", "lab_kit.curation.review_page", *places, "--port", str(port), *public)


def _changed(queue: ReviewQueue, picture: Picture | None) -> Response:
    """Answer with the changed picture; from a version that skips numbers, the page knows of other changes."""
    return JSONResponse({"picture": picture and vars(picture), "version": queue.version, "counts": queue.counts()})


def _refusal(request: Request, error: Exception) -> Response:
    message = (
        str(error) if isinstance(error, UserError) else f"{error.filename or 'A file'}: {error.strerror or error}."
    )
    return JSONResponse({"error": message}, 400)


def _check_is_json(request: Request) -> None:
    """Refuse other types: a form of another page cannot send JSON, and its script would have to ask first (CORS)."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(403, "Proposals are sent as JSON.")


async def _json(request: Request) -> object:
    _check_is_json(request)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST:
            raise UserError("The request is too long for a proposal.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("The request is not a proposal.") from None


def _proposal(content: object) -> dict[str, object]:
    match content:
        case {
            "file": str(file),
            "proposal": str(proposal),
            "new_label": str(new_label),
            "grade": None | int() as grade,
        }:
            return {"file": file, "proposal": proposal, "new_label": new_label, "grade": grade}
    raise UserError("The request is not a proposal.")


def _listen(queue: ReviewQueue, port: int) -> socket.socket:
    """Return a socket that listens at `port`; if it is 0, at a port that is the same each time, if possible."""
    if not 0 <= port < 1 << 16:
        raise UserError(f"There is no port {port}: choose one from 1024 to 65535, or leave out --port.")
    usual = 49152 + zlib.crc32(str(queue.path.resolve()).encode()) % 16000
    for choice in [port] if port else [usual, 0]:
        try:
            return _bind(choice)
        except OSError as error:
            if port or not choice:
                reason = error.strerror or error
                raise UserError(
                    f"Port {port} cannot be used ({reason}): choose another one, or leave out --port."
                ) from None
    raise AssertionError("unreachable")


def _bind(port: int) -> socket.socket:
    # With IPPROTO_TCP, asyncio sets TCP_NODELAY. Without it, each answer waits 40 ms for its second packet.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # on Windows, it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that a port can be used again at once
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    run(review_page)
