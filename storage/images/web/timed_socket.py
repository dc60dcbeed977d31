"""A socket whose every call ends at one deadline, and that brings no more bytes than allowed."""

from __future__ import annotations

import io
import selectors
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which a transfer is given up.

    Attributes:
        seconds: From its start.
        end: On the monotonic clock.
    """

    seconds: float
    end: float

    @classmethod
    def in_seconds(cls, seconds: float) -> Deadline:
        """A deadline so many seconds from now."""
        return cls(seconds, time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: The deadline has passed.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class TooManyBytes(Exception):
    """More bytes arrived than the transfer may bring; asking again would bring them again."""


class TimedSocket:
    """A connected socket, each of whose calls must be over at the deadline of the transfer.

    A socket's own timeout starts again with each byte, so one byte a second would never end. Bytes
    are counted here too, before any length that the other side states is relied upon.
    """

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._bytes_left = 0
        self.deadline = deadline
        self.ended = False

    def allow(self, size: int) -> None:
        """Let so many more bytes arrive; until this is called, none may."""
        self._bytes_left = size

    def sendall(self, data: Any) -> None:  # noqa: ANN401 - as a socket takes it
        """Send everything."""
        self._raw.settimeout(self.deadline.left())
        self._raw.sendall(data)

    def receive_into(self, buffer: Any) -> int:  # noqa: ANN401 - as a socket takes it
        """Read what is there, at least a byte; 0 at the end, which ``ended`` remembers.

        Raises:
            TooManyBytes: More has arrived than ``allow`` allowed.
            TimeoutError: The deadline has passed.
        """
        self._raw.settimeout(self.deadline.left())
        size = self._raw.recv_into(buffer)
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise TooManyBytes
        self.ended = size == 0
        return size

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """What ``http.client`` reads a response from."""
        return io.BufferedReader(_Incoming(self))

    def spoke(self) -> bool:
        """Whether data or the end arrived while no answer was expected."""
        if isinstance(self._raw, ssl.SSLSocket) and self._raw.pending():
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._raw, selectors.EVENT_READ)
            return bool(selector.select(0))

    def close(self) -> None:
        """Do nothing: ``http.client`` closes its socket before the answer's body is read."""

    def shut(self) -> None:
        """Close it."""
        self._raw.close()


class _Incoming(io.RawIOBase):
    """The reading side of a socket; closing it leaves the socket open for the next request."""

    def __init__(self, source: TimedSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as above
        return self._source.receive_into(buffer)
