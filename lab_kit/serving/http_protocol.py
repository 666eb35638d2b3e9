"""The HTTP protocol of uvicorn with timeouts, a limit of connections, and errors as JSON."""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lab_kit.web_security import SECURITY_HEADERS

HEADER_TIMEOUT_S = 10.0  # for the header of a request to arrive, and for a refused body to end
MAX_CONNECTIONS = 500  # each takes a file descriptor, of which a process often has 1,024
STATUS_MESSAGES = {
    400: "Malformed HTTP request.",
    408: "The request took too long to arrive. Send it again.",
    431: "The header of the request is too long.",
    501: "This transfer encoding is not supported.",
    503: "The server has too many connections. Try again in a moment.",
}


class HttpProtocol(H11Protocol):
    """One HTTP connection of a client."""

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Accept the connection, or refuse it (503) if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503)
        else:
            self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeout of a connection that has ended."""
        self._stop_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle data from the client."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._update_timeout()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request; uvicorn calls this while it handles the exception of h11."""
        self._refuse(getattr(sys.exception(), "error_status_hint", 400))

    def _update_timeout(self) -> None:
        """Run the timeout while a header is incomplete, or while a body arrives that was already answered."""
        incomplete = self.conn.their_state is h11.IDLE
        ignored = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (incomplete or ignored):
            self._stop_timeout()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(HEADER_TIMEOUT_S, self._on_timeout)

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _on_timeout(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(408)
        else:  # no request yet: browsers open connections before they need them
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer with an error status, if no answer has begun yet, and close the connection."""
        self._stop_timeout()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            phrase = HTTPStatus(status).phrase
            body = json.dumps({"error": STATUS_MESSAGES.get(status, phrase)})
            headers = {"Content-Type": "application/json", "Content-Length": len(body), "Connection": "close"}
            head = "".join(f"{name}: {value}\r\n" for name, value in (headers | SECURITY_HEADERS).items())
            self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n{body}".encode())
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
