"""How bytes of a connection become requests: uvicorn's parser in C, with bounds and deadlines."""

from __future__ import annotations

import asyncio
import resource
from enum import Enum
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web import headers
from web.problems import Problem, answer

#: Bytes of a request's head, or of what stands between two pieces of its body. The parser itself
#: keeps as many as come. The bytes of one read, at most 256 KiB, are looked at together.
_MAX_HEAD = 64 * 1024

#: Seconds from a connection, or a request's first byte, to the end of the request's head.
_HEAD_SECONDS = 20.0

#: Of a body that we wait for, so many bytes must come in each so many seconds.
_BODY_SECONDS, _LEAST_BYTES = 60.0, 6_000

#: Of an answer that waits for its reader, so many bytes must go out in each so many seconds. The
#: kernel takes a few megabytes for whoever reads nothing; what is behind that holds a thread's
#: piece in memory, a connection, and what the route has open.
_ANSWER_SECONDS, _LEAST_OUT = 60.0, 6_000

#: Connections of one process, and the files that it opens beside them.
_MAX_CONNECTIONS, _OTHER_FILES = 2_000, 200


class _Due(Enum):
    """What is to come next over a connection."""

    HEAD = "head"
    BODY = "body"


class Protocol(HttpToolsProtocol):
    """One connection: what never ends, comes too slowly or is no HTTP is refused by a problem.

    Args:
        secure: Whether browsers speak TLS to the proxy before us.
        known: What uvicorn says.
    """

    def __init__(self, *, secure: bool = False, **known: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**known)
        self._secure = secure
        self._since = 0
        self._reading: _Due | None = None
        self._armed: _Due | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle_from = 0.0
        # Of the body, since the timer was set: what came, and whether we ever made the sender wait.
        self._came, self._held = 0, False
        self._writes: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._idle_from = self.loop.time()
        if len(self.connections) > most_connections() and not self._make_room():
            sentence = "this server has as many connections as it takes; try again in a moment"
            self._refuse(Problem(503, "busy", sentence, headers={"Retry-After": "2"}))
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As ``asyncio.Protocol``."""
        self._arm(None)
        self._stop_watching_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The transport's: an answer waits for its reader."""
        super().pause_writing()
        if self._writes is None:
            self._watch_reader()

    def resume_writing(self) -> None:
        """The transport's: the reader went on."""
        super().resume_writing()
        self._stop_watching_reader()

    def _watch_reader(self) -> None:
        waits = self.transport.get_write_buffer_size()
        self._writes = self.loop.call_later(_ANSWER_SECONDS, self._on_unread, waits)

    def _stop_watching_reader(self) -> None:
        if self._writes is not None:
            self._writes.cancel()
            self._writes = None

    def _on_unread(self, waited: int) -> None:
        """Nothing is added while writing is paused: what is less now was read."""
        if waited - self.transport.get_write_buffer_size() >= _LEAST_OUT:
            self._watch_reader()
        else:
            # What is not sent yet is dropped; closing would wait for the reader again.
            self._writes = None
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """As ``asyncio.Protocol``."""
        self._since += len(data)
        self._came += len(data)
        super().data_received(data)
        if self._since > _MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"a request's head may have {_MAX_HEAD:,} bytes")
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._refuse(Problem(400, "request.malformed", msg.rstrip(".")))

    def on_message_begin(self) -> None:
        """The parser's: a request begins."""
        super().on_message_begin()
        self._reading = _Due.HEAD

    def on_headers_complete(self) -> None:
        """The parser's: a head is over."""
        super().on_headers_complete()
        self._since, self._reading = 0, _Due.BODY

    def on_body(self, body: bytes) -> None:
        """The parser's: a piece of a body is there."""
        super().on_body(body)
        self._since = 0
        self._held |= self.flow.read_paused

    def on_message_complete(self) -> None:
        """The parser's: a request is over."""
        super().on_message_complete()
        self._since, self._reading = 0, None

    def on_response_complete(self) -> None:
        """The cycle's: an answer is sent."""
        self._idle_from = self.loop.time()
        super().on_response_complete()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        """Set the clock for what is to come next; a few bytes between requests begin one."""
        due = self._reading or (None if self._answering else _Due.HEAD)
        if self.transport.is_closing():
            due = None
        if due is not self._armed:
            self._arm(due)

    def _arm(self, due: _Due | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed = due
        if due is not None:
            # Whoever is told to go on within a span has all of the next one.
            told_to_wait = due is _Due.BODY and self.cycle.waiting_for_100_continue
            self._came, self._held = 0, self.flow.read_paused or told_to_wait
            seconds = _HEAD_SECONDS if due is _Due.HEAD else _BODY_SECONDS
            self._timer = self.loop.call_later(seconds, self._on_late)

    def _on_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._armed is _Due.BODY:
            waits = self._held or self.flow.read_paused or self.cycle.waiting_for_100_continue
            fine = waits or self._came >= _LEAST_BYTES
        else:
            # Of a second request, while the first is answered.
            fine = self._answering
        if fine:
            self._arm(self._armed)
        elif self._reading is None and not self._since:
            self.transport.close()
        else:
            what = f"request's {self._armed.value if self._armed else ''}"
            sentence = f"the {what} comes too slowly or not at all; send it again"
            self._refuse(Problem(408, "request.slow", sentence))

    def _refuse(self, problem: Problem) -> None:
        """Answer and close; only close where that would stand in the midst of another answer."""
        begun = self.cycle is not None and self.cycle.response_started
        if not begun or not (self._answering or self._reading is _Due.BODY):
            self.transport.write(self._written(problem))
        self.transport.close()
        self._arm(None)

    def _written(self, problem: Problem) -> bytes:
        """An answer as it goes over the line, with the headers that every answer has."""
        made = answer(problem)
        own = [*self.server_state.default_headers, *made.raw_headers]
        lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
        lines += [b": ".join(one) for one in (*own, *headers.usual(secure=self._secure))]
        return b"\r\n".join([*lines, b"connection: close", b"", bytes(made.body)])

    def _make_room(self) -> bool:
        """Close the connection that has asked for nothing for longest; False where all are busy."""
        idle = [one for one in self.connections if isinstance(one, Protocol) and one.is_idle]
        idle = [one for one in idle if one is not self]
        if not idle:
            return False
        oldest = min(idle, key=lambda one: one._idle_from)  # noqa: SLF001 - our own class
        oldest.transport.close()
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked here: no head is whole, and nothing is being answered."""
        reads = self._reading is _Due.BODY
        return not (reads or self._answering or self.transport.is_closing())


def most_connections() -> int:
    """How many one process takes, so that files are left for the database and the store."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(1, min(_MAX_CONNECTIONS, soft - _OTHER_FILES))
