"""Whoever connects and does not ask keeps nobody out: deadlines, room for others, refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from maskpool.listening import listen
from web import protocol
from web.protocol import Protocol

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nhi"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "_BODY_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "_ANSWER_SECONDS", 0.5)


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes that came, or notes that the sender left."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = str(size).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: ASGIApp, **settings: Any) -> AsyncIterator[Connect]:
    made: Any = partial(Protocol, **settings)
    server = uvicorn.Server(uvicorn.Config(app, http=made, log_config=None, lifespan="off"))
    with listen("127.0.0.1:0") as listening:
        task = asyncio.create_task(server.serve([listening]))
        opened: list[asyncio.StreamWriter] = []

        async def connect() -> Streams:
            streams = await asyncio.open_connection(*listening.getsockname()[:2])
            opened.append(streams[1])
            return streams

        yield connect
        for writer in opened:
            writer.close()
        server.should_exit = True
        await task


def run(talk: Callable[[Connect], Awaitable[Any]], app: ASGIApp = count, **settings: Any) -> Any:
    async def all_of_it() -> Any:
        async with serving(app, **settings) as connect:
            return await talk(connect)

    return asyncio.run(asyncio.wait_for(all_of_it(), 30))


def problem(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and content of the one refusal that an answer is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    return int(status.split()[1]), headers, json.loads(body)


async def drip(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, byte: bytes) -> bytes:
    """Send a byte every now and then until the other side has had enough; its answer."""
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(byte)
        await asyncio.sleep(0.05)
    return await answer


@pytest.mark.parametrize("begun", [b"G", HEAD, HEAD + b"X-Long: "])
def test_half_a_head_is_refused(begun: bytes) -> None:
    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(begun)
        return await reader.read()

    status, headers, content = problem(run(talk))
    assert (status, content["code"], headers["connection"]) == (408, "request.slow", "close")


def test_a_head_that_comes_by_single_bytes_is_refused() -> None:
    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(HEAD + b"X-Long: ")
        return await drip(writer, reader, b"x")

    assert problem(run(talk))[0] == 408


def test_a_connection_without_a_word_is_closed() -> None:
    async def talk(connect: Connect) -> bytes:
        reader, _ = await connect()
        return await reader.read()

    assert run(talk) == b""


@pytest.mark.parametrize("second", [b"\r\n", b"POST", HEAD], ids=["empty line", "word", "head"])
def test_a_second_request_that_never_ends_is_closed(second: bytes) -> None:
    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(WHOLE)
        first = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)
        assert first.startswith(b"HTTP/1.1 200")
        writer.write(second)
        return await reader.read()

    assert problem(run(talk))[0] == 408


@pytest.mark.parametrize("byte", [b"", b"x"], ids=["silent", "dripping"])
@pytest.mark.parametrize("about", [b"Content-Length: 100000\r\n\r\n", b""], ids=["long", "chunked"])
def test_a_body_that_stalls_is_refused(byte: bytes, about: bytes) -> None:
    about = about or b"Transfer-Encoding: chunked\r\n\r\n"
    piece = byte if about.startswith(b"Content") or not byte else b"1\r\n" + byte + b"\r\n"

    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(HEAD + about)
        return await drip(writer, reader, piece)

    assert problem(run(talk))[2]["code"] == "request.slow"


def test_a_body_that_comes_on_is_taken() -> None:
    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(HEAD + b"Content-Length: 60000\r\n\r\n")
        for _ in range(30):
            writer.write(b"x" * 2_000)
            await asyncio.sleep(0.05)
        return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(5)

    assert run(talk).endswith(b"60000")


def test_who_reads_slowly_is_patient() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(2)
        await count(scope, receive, send)

    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(HEAD + b"Content-Length: 3000000\r\n\r\n")
        writer.write(b"x" * 3_000_000)
        return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(7)

    assert run(talk, slow).endswith(b"3000000")


def test_who_was_not_told_to_go_on_may_wait() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.3)
        await count(scope, receive, send)

    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        # Its time begins here, not with the span in which it was told.
        await asyncio.sleep(0.4)
        writer.write(b"hi")
        return await reader.readuntil(b"\r\n\r\n")

    assert run(talk, slow).startswith(b"HTTP/1.1 200 ")


def test_half_of_a_second_request_does_not_end_the_first() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.5)
        await count(scope, receive, send)

    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(WHOLE + b"POST /")
        first = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)
        assert first.startswith(b"HTTP/1.1 200 ")
        return await reader.read()

    assert problem(run(talk, slow))[0] == 408


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", HEAD + b"No colon\r\n\r\n"])
def test_what_is_no_request_is_refused_as_everything_is(sent: bytes, *, secure: bool) -> None:
    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(sent)
        return await reader.read()

    status, headers, content = problem(run(talk, secure=secure))
    assert (status, content["code"], content["status"]) == (400, "request.malformed", 400)
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"
    assert ("strict-transport-security" in headers) is secure


def test_no_refusal_stands_in_the_midst_of_an_answer() -> None:
    async def begins(scope: Scope, receive: Receive, send: Send) -> None:
        about = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": about})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(2)

    async def talk(connect: Connect) -> bytes:
        reader, writer = await connect()
        writer.write(WHOLE)
        head = await reader.readuntil(b"half")
        writer.write(b"nonsense\r\n\r\n")
        return head + await reader.read()

    answer = run(talk, begins)
    assert answer.endswith(b"half")
    assert answer.count(b"HTTP/1.1") == 1


def test_those_who_ask_nothing_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 30)
    monkeypatch.setattr(protocol, "_MAX_CONNECTIONS", 3)

    async def talk(connect: Connect) -> tuple[bytes, list[bool]]:
        idle = []
        for _ in range(3):
            idle.append(await connect())
            idle[-1][1].write(HEAD)
            await asyncio.sleep(0.05)
        reader, writer = await connect()
        writer.write(WHOLE)
        answer = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        return answer, [one[0].at_eof() for one in idle]

    answer, closed = run(talk)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert closed == [True, False, False]


def test_where_all_are_busy_one_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_MAX_CONNECTIONS", 2)
    free = asyncio.Event()

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await free.wait()
        await count(scope, receive, send)

    async def talk(connect: Connect) -> tuple[bytes, list[bytes]]:
        both = [await connect() for _ in range(2)]
        for _, writer in both:
            writer.write(WHOLE)
        await asyncio.sleep(0.2)
        reader, _ = await connect()
        refused = await reader.read()
        free.set()
        return refused, [await one[0].readuntil(b"\r\n\r\n") for one in both]

    refused, answers = run(talk, busy)
    status, headers, content = problem(refused)
    assert (status, content["code"], headers["retry-after"]) == (503, "busy", "2")
    assert all(one.startswith(b"HTTP/1.1 200 ") for one in answers)


def test_files_are_left_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol.resource, "getrlimit", lambda _: (1_024, 4_096))
    assert protocol.most_connections() == 824
    monkeypatch.setattr(protocol.resource, "getrlimit", lambda _: (100_000, 100_000))
    assert protocol.most_connections() == 2_000


#: More than kernels hold for a connection, in pieces as a download has them.
PIECE, PIECES = b"x" * 1_000_000, 64


class Download:
    """Answers with many pieces, and notes how many it was asked for and whether it is over."""

    def __init__(self) -> None:
        self.sent = 0
        self.over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(PIECES):
                self.sent += 1
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.over.set()


def test_who_never_reads_an_answer_holds_it_no_longer_than_the_deadline() -> None:
    app = Download()

    async def talk(connect: Connect) -> float:
        reader, writer = await connect()
        del reader  # asyncio reads 128 KiB by itself and then waits, too
        loop = asyncio.get_running_loop()
        began = loop.time()
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        # Once the connection is dropped all pieces that are left go nowhere.
        await asyncio.wait_for(app.over.wait(), 15)
        return loop.time() - began

    assert 0.4 < run(talk, app) < 10


def test_who_reads_slowly_gets_the_whole_answer() -> None:
    app = Download()

    async def talk(connect: Connect) -> int:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        size = 0
        # Far longer than the deadline in all, and never as long without a byte.
        while piece := await reader.read(4_000_000):
            size += len(piece)
            await asyncio.sleep(0.002)
        return size

    assert run(talk, app) > len(PIECE) * PIECES
