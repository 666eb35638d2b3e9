"""HTTP by uvicorn, with an answer in words to what is no HTTP, and an end to waiting for what never comes."""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # in which the head of a request must have arrived, and a refused body must have ended
MOST_CONNECTIONS = 500  # each is a file of this process, of which systems allow 1,024 or fewer
WORDS = {
    400: "This is not HTTP as it should be.",
    408: "The request took too long to arrive.",
    431: "The head of this request is too long.",
    501: "This way of sending a body is not known here.",
    503: "There are too many connections just now. Try again in a moment.",
}


class Connection(H11Protocol):
    """One connection of a browser or program."""

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many already."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; uvicorn calls it while it handles h11's exception."""
        self._refuse(getattr(sys.exception(), "error_status_hint", 400))

    def _watch(self) -> None:
        """Let the time run while a head is incomplete, or a body still comes that has been answered already."""
        incomplete = self.conn.their_state is h11.IDLE
        ignored = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (incomplete or ignored):
            self._unwatch()
        elif self._end is None:
            self._end = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _unwatch(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _too_slow(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(408)
        else:  # nothing has been asked yet: browsers open connections before they need them
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer with a status, if it is not too late for that, and close the connection."""
        self._unwatch()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            phrase = HTTPStatus(status).phrase
            body = json.dumps({"error": WORDS.get(status, phrase)})
            head = (
                f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
            )
            self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
