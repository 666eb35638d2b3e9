"""Start the web server from the command line, run it, and shut it down."""

import gc
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

from app.prediction_service import SHUTDOWN_TIMEOUT_S, PredictionService
from app.web_app import create_app
from lab_kit.checks import check_at_least
from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.same_origin import ServerNames
from lab_kit.serving.http_protocol import HttpProtocol
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.backends import Backend

if TYPE_CHECKING:
    from lab_kit.feedback.store import Store

MAX_WORKERS = 64
# Seconds after which a thread that reads must let the event loop continue. With Python's default of 5 ms, each step of
# the event loop would wait that long while a picture is read, and refusing a request would take as long as reading one.
THREAD_SWITCH_S = 0.0001


def serve(
    folder: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    backend: Backend = "onnx",
    workers: int = 2,
    queue: int = 32,
    feedback: Path | None = None,
    public_name: list[str] | None = None,
) -> None:
    """Serve a web page to write on, and an API: programs send pictures to /predict.

    Args:
        folder: the folder of a shipped model, made by `python -m text_recognizer.export RUN`.
        host: 127.0.0.1 for this machine alone; 0.0.0.0 for all machines in the network.
        port: the port of the server; 0 takes a free one.
        backend: what runs the network: onnx, int8 or torch.
        workers: threads that read pictures.
        queue: how many drawings can wait; further requests are refused (429).
        feedback: a file, such as feedback.sqlite, for pictures that visitors agree to have kept. Without it, no picture
            is kept.
        public_name: the name of a proxy in front of the server, as in the browser's address: read.example, or
            read.example:8080. For several names, give the flag several times.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"workers must be 1 to {MAX_WORKERS}, not {workers}. One for each processor core is enough.")
    check_at_least(1, queue=queue)
    console = PlainConsole(soft_wrap=True)
    sys.setswitchinterval(THREAD_SWITCH_S)
    cv2.setNumThreads(1)  # several threads already read one picture each
    with _open_socket(host, port) as listener:
        names = ServerNames.of(host, listener.getsockname()[0], public_name or ())
        recognizer = Recognizer.load(folder, backend)
        recognizer.read(np.zeros((1, *recognizer.card.input_dims), np.uint8))  # a warm-up for the first visitor
        service = PredictionService(recognizer, _open_store(feedback), workers, queue)
        address = _address(host, *listener.getsockname()[:2])
        _print_welcome(console, service, address, feedback)
        gc.collect()
        gc.freeze()  # what exists now stays: searching it again and again for garbage would make visitors wait
        try:
            settings = uvicorn.Config(
                create_app(service, names),
                http=HttpProtocol,
                ws="none",
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,  # s; browsers keep connections open
            )
            for library in ("asyncio", "python_multipart"):  # they report only what clients do wrong
                logging.getLogger(library).setLevel(logging.CRITICAL)
            GracefulServer(settings, service).run(sockets=[listener])
        finally:
            done = service.close()
            unfinished = "" if done else " Some requests were not answered in time."
            console.print(f"\nStopped. {service.metrics.pictures:,} pictures read, {_kept_text(service)}.{unfinished}")


class GracefulServer(uvicorn.Server):
    """A uvicorn server that finishes all requests before it stops, with exit code 0.

    Args:
        config: the settings of uvicorn.
        service: the service that it serves.
    """

    def __init__(self, config: uvicorn.Config, service: PredictionService) -> None:
        super().__init__(config)
        self._service = service
        self._ticks = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown at Ctrl-C or SIGTERM; at a second one, stop at once."""
        if self._service.closing:
            self.should_exit = self.force_exit = True
        self._service.closing = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop: when all requests are answered, or after the shutdown timeout."""
        if self._service.closing:
            self._ticks += 1  # ten per second
            if self._service.idle or self._ticks > 10 * SHUTDOWN_TIMEOUT_S:
                self.should_exit = True
        return await super().on_tick(counter)


def _open_store(feedback: Path | None) -> "Store | None":
    """Open the store of visitors' pictures; None without a file."""
    if feedback is None:
        return None
    from lab_kit.feedback.store import Store

    return Store.open(feedback)


def _print_welcome(console: PlainConsole, service: PredictionService, address: str, feedback: Path | None) -> None:
    card = service.card
    what = {"character": "characters", "line": "lines", "picture": "pictures"}[card.kind]
    console.print(f"{card.model_class} reads {what}, {_accuracy_text(card.figures)}(model {service.digest}):")
    console.print(f"\n    {address}\n", style="bold")
    console.print(f"Programs send pictures to {address}predict: see {address}docs")
    if feedback is None:
        console.print("No picture is kept. --feedback FILE.sqlite keeps the pictures of visitors who agree.")
    else:
        console.print(f"Pictures of visitors who agree are kept in {readable(feedback)}: see {address}drift")
    console.print("Ctrl-C stops the server.")


def _accuracy_text(figures: dict[str, float]) -> str:
    if "test_cer" in figures:
        return f"{figures['test_cer']:.1%} of the test lines' characters wrongly "
    return f"{figures['test_acc']:.1%} of the test pictures right " if "test_acc" in figures else ""


def _kept_text(service: PredictionService) -> str:
    return "none kept" if not service.metrics.kept_pictures else f"{service.metrics.kept_pictures:,} kept"


def _open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: the port or host does not exist, or the port is in use.
    """
    if not 0 <= port < 1 << 16:
        raise UserError(f"There is no port {port}. Choose one from 1024 to 65535.")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With IPPROTO_TCP, asyncio sets TCP_NODELAY. Without it, each answer would wait 40 ms for its second packet.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise UserError(f"This machine has no address {host} ({_reason(error)}). Try 127.0.0.1.") from None
    try:
        if os.name != "nt":  # on Windows, it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was in use a moment ago
        listener.bind(place)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UserError(
            f"Port {port} of {host} cannot be used ({_reason(error)}). Choose another with --port."
        ) from None
    return listener


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _address(host: str, bound: str, port: int) -> str:
    """Return the address of the page for a browser on this machine; `bound` is where the server listens."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bound, f"[{bound}]" if ":" in host else host)
    return f"http://{name}:{port}/"
