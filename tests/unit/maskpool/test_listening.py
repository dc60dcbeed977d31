"""The socket that the server listens at."""

from __future__ import annotations

import asyncio
import socket

from web.serve import listen


def test_answers_do_not_wait_for_an_acknowledgement() -> None:
    """Nagle's delay, 40 ms beside a client's delayed acknowledgement, is off."""
    made: list[bool] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            one = transport.get_extra_info("socket")
            made.append(bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            transport.close()

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        with listen("127.0.0.1:0") as listening:
            address = listening.getsockname()
            async with await loop.create_server(Protocol, sock=listening):
                reader, writer = await asyncio.open_connection(*address)
                await reader.read()
                writer.close()

    asyncio.run(connect())
    assert made == [True]
