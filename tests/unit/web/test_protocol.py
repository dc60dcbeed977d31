"""What a connection may send: bodies of every shape, no head without end, no more than is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from maskpool.listening import listen
from web.protocol import Protocol

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes that came."""
    assert scope["type"] == "http"
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await _answer(send, str(size).encode())


async def _answer(send: Send, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(app: ASGIApp) -> AsyncIterator[Streams]:
    config = uvicorn.Config(app, http=Protocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with listen("127.0.0.1:0") as listening:
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        yield reader, writer
        writer.close()
        server.should_exit = True
        await serving


def ask(app: ASGIApp, talk: Callable[[Streams], Awaitable[bytes]]) -> bytes:
    async def run() -> bytes:
        async with connected(app) as streams:
            return await talk(streams)

    return asyncio.run(asyncio.wait_for(run(), 30))


def sent(*pieces: bytes) -> Callable[[Streams], Awaitable[bytes]]:
    async def talk(streams: Streams) -> bytes:
        reader, writer = streams
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head[9:12] + b" " + await reader.readexactly(length)

    return talk


@pytest.mark.parametrize("size", [0, 1, 65_537, 3_000_000])
def test_a_body_arrives_whole(size: int) -> None:
    about = b"Content-Length: %d\r\n\r\n" % size
    assert ask(count, sent(HEAD + about, b"x" * size)) == b"200 %d" % size


def test_many_small_chunks_are_one_body() -> None:
    chunks = b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    assert ask(count, sent(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunks)) == b"200 50000"


@pytest.mark.parametrize(
    "begun",
    [
        HEAD + b"X-Long: ",
        b"GET /",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: ",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["header", "target", "trailer", "extension"],
)
def test_what_never_ends_is_refused(begun: bytes) -> None:
    async def talk(streams: Streams) -> bytes:
        reader, writer = streams
        writer.write(begun)
        answer = asyncio.create_task(reader.read())
        count = 0
        while not answer.done() and count < 1_000:
            count += 1
            writer.write(b"x" * 4_096)
            await asyncio.sleep(0.001)
        assert count < 1_000
        return await answer

    assert ask(count, talk).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "begun",
    [
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot a number\r\n",
        HEAD + b"Two: words\nHere\r\n\r\n",
    ],
)
def test_what_two_could_read_differently_is_refused(begun: bytes) -> None:
    assert ask(count, sent(begun)).startswith(b"400 ")


async def put_more(writer: asyncio.StreamWriter, seconds: float) -> int:
    # Waited for first, so that a piece is written once whoever gives up.
    await asyncio.wait_for(writer.drain(), seconds)
    writer.write(b"x" * 1_000_000)
    return 1_000_000


def test_who_reads_slowly_makes_the_sender_wait() -> None:
    free = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await free.wait()
        await count(scope, receive, send)

    async def talk(streams: Streams) -> bytes:
        reader, writer = streams
        writer.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
        size = 0
        with suppress(TimeoutError):
            while size < 100_000_000:
                size += await put_more(writer, 0.5)
        # What the kernel takes on both sides, and one read.
        assert size < 50_000_000
        free.set()
        while size < 100_000_000:
            size += await put_more(writer, 30)
        head = await reader.readuntil(b"\r\n\r\n")
        return head[9:12] + b" " + await reader.readexactly(9)

    assert ask(slow, talk) == b"200 100000000"
