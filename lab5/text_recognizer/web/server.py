"""From the command line to a running server, and to its end."""

import gc
import ipaddress
import logging
import os
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import cv2
import numpy as np
import uvicorn
from rich.console import Console

from text_recognizer.errors import UserError
from text_recognizer.paths import readable
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.backends import Backend
from text_recognizer.web.app import app
from text_recognizer.web.protocol import Connection
from text_recognizer.web.service import CLOSING_SECONDS, Service

if TYPE_CHECKING:
    from text_recognizer.feedback.store import Store

HERE = ("127.0.0.1", "localhost", "[::1]")  # names of this machine that a page of ours can have
MOST_WORKERS = 64
# After which a thread that reads lets the one go on that talks to everybody. With Python's 5 ms, each of its steps
# would wait so long while a picture is being read, and to refuse somebody would take as long as to read.
SWITCH_SECONDS = 0.0001


def serve(
    folder: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    backend: Backend = "onnx",
    workers: int = 2,
    queue: int = 32,
    feedback: Path | None = None,
) -> None:
    """Serve a page on which one writes, and which reads it at once; programs send their pictures to /predict.

    Args:
        folder: of a shipped model: `python -m text_recognizer.export RUN` makes one.
        host: 127.0.0.1 for this machine alone; 0.0.0.0 for everybody who can reach it.
        port: of the page's address; 0 takes a free one.
        backend: what runs the network: onnx, int8 or torch.
        workers: threads that read.
        queue: drawings that can wait for them; the next one is told to come again.
        feedback: a file, such as feedback.sqlite, that keeps what visitors allow to be kept. Without it, nothing is.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise UserError(f"workers must be 1 to {MOST_WORKERS}, not {workers}: one for each processor core is enough.")
    if queue < 1:
        raise UserError(f"queue must be at least 1, not {queue}.")
    console = Console(soft_wrap=True, highlight=False)
    sys.setswitchinterval(SWITCH_SECONDS)
    cv2.setNumThreads(1)  # our own threads share the work already, by whole pictures
    with _listen(host, port) as listener:
        recognizer = Recognizer.load(folder, backend)
        recognizer.read(np.zeros((1, *recognizer.card.input_dims), np.uint8))  # or the first visitor would wait longer
        service = Service(recognizer, _open(feedback), workers, queue)
        address = _address(host, listener.getsockname()[1])
        _welcome(console, service, address, feedback)
        gc.collect()
        gc.freeze()  # what is there stays: to look through all of it again and again would make visitors wait
        try:
            names = HERE if _is_loopback(host) else None
            settings = uvicorn.Config(
                app(service, names),
                http=Connection,
                ws="none",
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,  # s; browsers keep connections open
            )
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what it reports are clients that have gone
            Server(settings, service).run(sockets=[listener])
        finally:
            done = service.close()
            unfinished = "" if done else " Not everybody was answered in time."
            console.print(f"\nStopped. {service.metrics.pictures:,} pictures read, {_kept(service)}.{unfinished}")


class Server(uvicorn.Server):
    """Ends in order: nothing new is begun, what has been begun is finished, and the exit code is 0.

    Args:
        config: uvicorn's settings.
        service: what is served.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._ticks = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end at Ctrl-C or SIGTERM; at a second one, do not wait."""
        if self._service.closing:
            self.should_exit = self.force_exit = True
        self._service.closing = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop listening: once everybody is answered, or has been waited for long enough."""
        if self._service.closing:
            self._ticks += 1  # ten of them take a second
            if self._service.idle or self._ticks > 10 * CLOSING_SECONDS:
                self.should_exit = True
        return await super().on_tick(counter)


def _open(feedback: Path | None) -> "Store | None":
    """Return the store in a file."""
    if feedback is None:
        return None
    from text_recognizer.feedback.store import Store

    return Store.open(feedback)


def _welcome(console: Console, service: Service, address: str, feedback: Path | None) -> None:
    card = service.card
    what = {"character": "characters", "line": "lines", "picture": "pictures"}[card.kind]
    console.print(f"{card.model_class} reads {what}, {_how_well(card.figures)}(model {service.digest}):")
    console.print(f"\n    [bold]{address}[/]\n")
    console.print(f"Programs send pictures to {address}predict: see {address}docs")
    if feedback is None:
        console.print(
            "Nothing is kept of what is written. --feedback FILE.sqlite keeps what visitors allow to be kept."
        )
    else:
        console.print(f"What visitors allow to be kept is kept in {readable(feedback)}: see {address}drift")
    console.print("Ctrl-C ends it.")


def _how_well(figures: dict[str, float]) -> str:
    if "test_cer" in figures:
        return f"{figures['test_cer']:.1%} of the test lines' characters wrongly "
    return f"{figures['test_acc']:.1%} of the test pictures right " if "test_acc" in figures else ""


def _kept(service: Service) -> str:
    return "none kept" if not service.metrics.kept_pictures else f"{service.metrics.kept_pictures:,} kept"


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: there is no such port or host here, or it is taken.
    """
    if not 0 <= port < 1 << 16:
        raise UserError(f"There is no port {port}: take one from 1024 to 65535.")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Said to be TCP, it gets TCP_NODELAY from asyncio; or else each answer would wait 40 ms for its second packet.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise UserError(f"This machine has no address {host} ({_reason(error)}): try 127.0.0.1.") from None
    try:
        if os.name != "nt":  # where it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that has just been given back
        listener.bind(place)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UserError(f"Port {port} of {host} cannot be used ({_reason(error)}): name another with --port.") from None
    return listener


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(host: str, port: int) -> str:
    """Return the address at which a browser of this machine finds the page."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"
