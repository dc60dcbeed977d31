"""The socket that the server listens at."""

from __future__ import annotations

import asyncio
import socket

import pytest

from maskpool.errors import ConfigError
from maskpool.listening import inherited, listen


@pytest.mark.parametrize("handed_over", [False, True])
def test_answers_do_not_wait_for_an_acknowledgement(handed_over: bool) -> None:
    """Nagle's delay, 40 ms beside a client's delayed acknowledgement, is off."""
    made: list[bool] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            one = transport.get_extra_info("socket")
            made.append(bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            transport.close()

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        listening = listen("127.0.0.1:0")
        if handed_over:
            listening = inherited(listening.detach())
        with listening:
            address = listening.getsockname()
            async with await loop.create_server(Protocol, sock=listening):
                reader, writer = await asyncio.open_connection(*address)
                await reader.read()
                writer.close()

    asyncio.run(connect())
    assert made == [True]


def test_an_address_is_taken_as_soon_as_somebody_listens() -> None:
    with listen("127.0.0.1:0") as first:
        host, port = first.getsockname()
        with pytest.raises(ConfigError, match="cannot be listened at"):
            listen(f"{host}:{port}")


def test_a_descriptor_that_does_not_listen_is_refused() -> None:
    with socket.socket() as idle, pytest.raises(ConfigError, match="does not listen"):
        inherited(idle.detach())
    with pytest.raises(ConfigError, match="is no socket"):
        inherited(999)
