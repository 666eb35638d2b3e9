"""Show a built site on this machine, and to nobody else."""

import functools
import http.server
from collections.abc import Callable
from pathlib import Path

from lab_kit.errors import UserError

ADDRESS = "127.0.0.1"


def serve(folder: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve the site in `folder` until Ctrl-C.

    Raises:
        UserError: the port is taken, or is none.
    """
    handler = functools.partial(_Quiet, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((ADDRESS, port), handler)
    except (OSError, OverflowError) as error:
        raise UserError(f"Port {port} cannot be used: take another one with --port.") from error
    with server:
        say(f"http://{ADDRESS}:{server.server_port} shows it. Ctrl-C ends.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Stopped.")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *values: object) -> None:
        pass
