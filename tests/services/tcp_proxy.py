"""A network that can be hurt: a TCP proxy on loopback whose connections a test cuts or silences.

A client is given the proxy's port in place of the server's. What it meets there says ``mode``:

* ``OPEN``: everything passes.
* ``CUT``: existing connections are reset, new ones as soon as they are accepted.
* ``BLACK_HOLE``: connections stay, new ones are accepted, nothing passes, nobody is told. Those
  that were in it stay dead for ever, as behind a firewall that lost its table; later ones are well.
* ``STALL``: the same, but afterwards everything that was held back arrives, however late.
* ``SLOW``: every piece takes ``delay`` seconds more.
* ``DROP_REPLIES``: requests pass, answers vanish. Connections that lost one are reset afterwards.

``lose_reply_to`` is the scalpel: it lets one request through and loses just its answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

Result = TypeVar("Result")

_PIECE = 1 << 16

#: ``SO_LINGER`` with no time: closing sends a reset instead of a farewell.
_RESET = struct.pack("ii", 1, 0)


class Mode(Enum):
    """How the network is; see the module."""

    OPEN = auto()
    CUT = auto()
    BLACK_HOLE = auto()
    STALL = auto()
    SLOW = auto()
    DROP_REPLIES = auto()


_SILENT = (Mode.BLACK_HOLE, Mode.STALL)


@dataclass(eq=False)
class _Link:
    """One client's connection, and the one to the server behind it."""

    writers: list[asyncio.StreamWriter]
    #: It was in a black hole, which it never leaves.
    dead: bool = False
    #: It lost an answer, and can be of no further use.
    robbed: bool = False
    #: What is still to be seen of the words that ``lose_reply_to`` waits for.
    awaited: tuple[bytes, ...] = ()
    #: The request went through; its answer will not.
    losing: bool = False

    def reset(self) -> None:
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


@dataclass
class TcpProxy:
    """See the module. Every method may be called from any thread.

    Attributes:
        target: Port of the server, on loopback.
        delay: Seconds, in mode ``SLOW``.
        port: The proxy's own.
        replies_lost: Pieces of answers that vanished so far.
    """

    target: int
    delay: float = 0.2
    port: int = field(default=0, init=False)
    replies_lost: int = field(default=0, init=False)
    _mode: Mode = Mode.OPEN
    _links: set[_Link] = field(default_factory=set)
    _wanted: list[tuple[bytes, ...]] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def mode(self) -> Mode:
        """How the network is now."""
        return self._mode

    def set(self, mode: Mode) -> None:
        """Change it; when this returns, it is changed."""
        self._call(lambda: self._set(mode))

    def lose_reply_to(self, *words: bytes) -> None:
        """Lose one answer: of a request with the last word, on a connection that had the rest.

        ``lose_reply_to(b"COPY instances", b"COMMIT")`` loses the answer of the first COMMIT that
        follows a COPY into that table. The connection is reset when the server has answered.
        """
        self._call(lambda: self._wanted.append(words))

    def still_to_lose(self) -> int:
        """Answers asked to be lost that were not met yet."""
        return self._call(
            lambda: len(self._wanted) + sum(bool(link.awaited) for link in self._links)
        )

    def _call(self, act: Callable[[], Result]) -> Result:
        async def acted() -> Result:
            async with self._changed:
                result = act()
                self._changed.notify_all()
            return result

        return asyncio.run_coroutine_threadsafe(acted(), self._loop).result(10)

    def _set(self, mode: Mode) -> None:
        if self._mode == Mode.BLACK_HOLE:
            for link in self._links:
                link.dead = True
        for link in list(self._links):
            if mode == Mode.CUT or link.robbed:
                link.reset()
        self._mode = mode

    async def _serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link([writer])
        self._links.add(link)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A reset is what this is for, and being cancelled is how it ends.
            with suppress(OSError, asyncio.CancelledError):
                await self._join(link, reader, writer)
        finally:
            link.reset()
            self._links.discard(link)
            self._tasks.discard(task)

    async def _join(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._passable(link)
        if self._mode == Mode.CUT:
            return
        back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        link.writers.append(forth)
        ways = [
            asyncio.ensure_future(self._requests(link, reader, forth)),
            asyncio.ensure_future(self._replies(link, back, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _passable(self, link: _Link) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not link.dead and self._mode not in _SILENT)
        if self._mode == Mode.SLOW:
            await asyncio.sleep(self.delay)

    async def _requests(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_PIECE):
            await self._passable(link)
            self._look_for_words(link, piece)
            writer.write(piece)
            await writer.drain()

    def _look_for_words(self, link: _Link, piece: bytes) -> None:
        if not link.awaited and self._wanted and self._wanted[0][0] in piece:
            link.awaited = self._wanted.pop(0)
        while link.awaited and link.awaited[0] in piece:
            _, _, piece = piece.partition(link.awaited[0])
            link.awaited = link.awaited[1:]
            link.losing = not link.awaited

    async def _replies(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_PIECE):
            await self._passable(link)
            if link.losing or self._mode == Mode.DROP_REPLIES:
                self.replies_lost += 1
                link.robbed = True
                if link.losing:
                    return
                continue
            writer.write(piece)
            await writer.drain()

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextmanager
def tcp_proxy(target: int) -> Iterator[TcpProxy]:
    """An open proxy before a port of loopback."""
    proxy = TcpProxy(target)
    thread = threading.Thread(target=proxy._loop.run_forever, name="tcp-proxy", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy._serve(), proxy._loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy._end(server), proxy._loop).result(10)
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join(10)
        proxy._loop.close()
