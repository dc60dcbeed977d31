"""One process that serves: it listens, says that it lives, and ends without dropping a request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from functools import partial
from threading import Event
from types import FrameType

import uvicorn
from fastapi import FastAPI

from db import services
from db.session import Database
from maskpool.errors import MaskpoolError
from maskpool.listening import inherited, listen
from maskpool.settings import Settings
from producer.dispatch.heartbeat import Heartbeat
from web.app import create_app
from web.protocol import Protocol

log = logging.getLogger(__name__)

#: Seconds that requests in hand have once a stop was asked for.
_GRACE_SECONDS = 10

#: Seconds that whoever connected in the last moment has to ask.
_LAST_WORD_SECONDS = 0.25

#: Seconds between two signs of life.
_BEAT_SECONDS = 1.0


def serve(settings: Settings, inherits: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Of the pool.
        inherits: The file descriptor of a socket that listens already, from a supervisor.

    Raises:
        ConfigError: A setting is missing or refused, or the address is taken.
    """
    app = create_app(settings)
    listening = listen(settings.serve_address) if inherits is None else inherited(inherits)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn sends itself the signal once more when it has ended, which is no failure.
        signal.signal(number, lambda *_: None)
    with listening:
        log.info("the web server answers at %s", app.state.place.url)
        asyncio.run(_serve(app, listening, settings))
    log.info("the web server has stopped, as it was asked to")


class _Server(uvicorn.Server):
    """Says at once that it is asked to stop: streams end first, or they would hold it up."""

    def __init__(self, config: uvicorn.Config, closing: Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, but hear out whoever has just made one."""
        waiting = [made for one in sockets or () for made in _accept_all(one)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for made in waiting:
            await loop.connect_accepted_socket(self._protocol, made)
        # uvicorn would close a connection whose request is on its way as if it asked for nothing.
        await asyncio.sleep(_LAST_WORD_SECONDS)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes for each connection that it accepts itself."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


def _accept_all(listening: socket.socket) -> list[socket.socket]:
    """The connections that the kernel made and nobody took: closing would reset them."""
    made = []
    with suppress(BlockingIOError):
        while True:
            made.append(listening.accept()[0])
    for one in made:
        one.setblocking(False)
    return made


async def _serve(app: FastAPI, listening: socket.socket, settings: Settings) -> None:
    config = uvicorn.Config(
        app,
        http=partial(Protocol, secure=app.state.place.secure),  # type: ignore[arg-type]
        log_config=None,
        # Requests may carry a one-time token in their address.
        access_log=False,
        # ``web.hosts`` decides whose forwarded headers count.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    database: Database = app.state.pool.database
    heart = Heartbeat(database, settings.health_file, services.WEB)
    beating = asyncio.create_task(_beat(heart, database))
    try:
        await _Server(config, app.state.closing).serve(sockets=[listening])
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        heart.leave()
        database.close()


async def _beat(heart: Heartbeat, database: Database) -> None:
    """Say again and again that the loop goes round, and whether the database answers."""
    while True:
        await asyncio.to_thread(_beat_once, heart, database)
        await asyncio.sleep(_BEAT_SECONDS)


def _beat_once(heart: Heartbeat, database: Database) -> None:
    try:
        with database.read():
            pass
        heart.round_done()
    except MaskpoolError as error:
        heart.round_failed(error)
