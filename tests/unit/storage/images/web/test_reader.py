"""Reading from the web against a real server on loopback, which does its worst."""

from __future__ import annotations

import gc
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import NotConnected
from ipaddress import ip_network
from typing import Any

import pytest
from services.web_server import Handler, WebServer, web_server

from maskpool.errors import BrokenOff, ImageError, Unreachable
from storage.images.web.connections import Connector, system_resolver
from storage.images.web.reader import WebLimits, WebReader
from storage.images.web.timed_socket import Deadline
from storage.images.web.urls import split_web

BODY = bytes(range(256)) * 20

#: The only addresses that count as open in these tests.
OPEN = [ip_network("127.0.0.1/32"), ip_network("127.0.0.2/32")]


@dataclass
class Names:
    """A resolver that knows what the test tells it, and remembers what it was asked."""

    known: dict[str, Sequence[str]] = field(
        default_factory=lambda: {"images.test": ["127.0.0.1"], "cdn.images.test": ["127.0.0.1"]}
    )
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.known[host]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as site:
        site.page("/a.jpg", BODY)
        yield site


@pytest.fixture
def open_reader(names: Names) -> Iterator[Callable[..., WebReader]]:
    readers: list[WebReader] = []

    def make(
        *, hosts: Sequence[str] = ("images.test", "*.images.test"), **changes: Any
    ) -> WebReader:
        options: dict[str, Any] = {"networks": OPEN, "resolve": names}
        options |= {name: changes.pop(name) for name in list(changes) if name in (*options, "tls")}
        limits = WebLimits(hosts, **{"max_bytes": 1_000_000, "seconds": 20.0, **changes})
        readers.append(WebReader(limits, Connector(**options)))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.fixture
def reader(open_reader: Callable[..., WebReader]) -> WebReader:
    return open_reader()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Generous: a busy machine is no failure, a transfer without an end is one."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


# What works.


def test_an_image_is_read_by_name(reader: WebReader, site: WebServer) -> None:
    assert reader.read(site.url("/a.jpg?size=large#top")) == BODY
    (seen,) = site.seen
    assert seen.target == "/a.jpg?size=large"
    assert seen.headers["Host"] == f"images.test:{site.port}"
    assert seen.headers["Accept-Encoding"] == "identity"
    assert seen.headers["User-Agent"].startswith("maskpool/")


def test_a_connection_serves_several_images(
    reader: WebReader, site: WebServer, names: Names
) -> None:
    for _ in range(3):
        assert reader.read(site.url("/a.jpg")) == BODY
    assert len({seen.client for seen in site.seen}) == 1
    assert names.asked == ["images.test"]


def test_a_connection_that_the_server_gave_up_is_replaced(
    reader: WebReader, site: WebServer
) -> None:
    def last(handler: Handler) -> None:
        handler.say(200, BODY)  # no word about it, but this was the last answer
        handler.close_connection = True

    site.pages["/a.jpg"] = last
    for _ in range(3):
        assert reader.read(site.url("/a.jpg")) == BODY
    assert len({seen.client for seen in site.seen}) == 3


def test_what_comes_behind_an_answer_is_not_taken_for_the_next_one(
    reader: WebReader, site: WebServer
) -> None:
    read, said = threading.Event(), threading.Event()

    def chatty(handler: Handler) -> None:
        handler.say(200, BODY)
        read.wait(20)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        said.set()

    site.pages["/b.jpg"] = chatty
    assert reader.read(site.url("/b.jpg")) == BODY
    read.set()
    assert said.wait(20)
    assert reader.read(site.url("/a.jpg")) == BODY


def test_an_answer_in_chunks_or_up_to_the_end_is_read(reader: WebReader, site: WebServer) -> None:
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n2;note=x\r\nde\r\n0\r\nTrailer: y\r\n\r\n")

    def until_closed(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY)
        handler.close_connection = True

    site.pages |= {"/chunked": chunked, "/closed": until_closed}
    assert reader.read(site.url("/chunked")) == b"abcde"
    assert reader.read(site.url("/closed")) == BODY
    assert reader.read(site.url("/a.jpg")) == BODY


def test_threads_share_a_reader(reader: WebReader, site: WebServer) -> None:
    for number in range(8):
        site.page(f"/{number}", bytes([number]) * 5000)
    wrong: list[int] = []

    def work() -> None:
        for turn in range(40):
            number = turn % 8
            if reader.read(site.url(f"/{number}")) != bytes([number]) * 5000:
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(site.seen) == 240
    assert len({seen.client for seen in site.seen}) <= 6


def test_a_reader_that_is_forgotten_leaves_no_socket(site: WebServer, names: Names) -> None:
    forgotten = WebReader(WebLimits(["*"], 10_000, 20.0), Connector(OPEN, names))
    assert forgotten.read(site.url("/a.jpg")) == BODY
    del forgotten
    gc.collect()  # a socket left open would be a ResourceWarning, which is an error here


def test_the_environments_proxy_is_not_asked(
    reader: WebReader, site: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY")
    assert reader.read(site.url("/a.jpg")) == BODY


# Where it leads.


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        (["127.0.0.3"], "127.0.0.3 is a loopback address"),
        (["::1"], "::1 is a loopback address"),
        (["127.0.0.1", "10.0.0.1"], "10.0.0.1 is a private address"),
        (["10.0.0.1", "127.0.0.1"], "10.0.0.1 is a private address"),
        (["127.0.0.1", "fe80::1%lo"], "link-local"),
        (["169.254.169.254"], "metadata"),
        (["::ffff:192.168.0.1"], "private"),
    ],
)
def test_a_name_with_an_inner_address_is_refused(
    reader: WebReader, site: WebServer, names: Names, addresses: list[str], sentence: str
) -> None:
    names.known["images.test"] = addresses
    with pytest.raises(ImageError, match=sentence) as caught:
        reader.read(site.url("/a.jpg"))
    assert "MASKPOOL_SOURCE_NETWORKS" in str(caught.value)
    assert site.seen == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::]"]
)
def test_no_spelling_of_loopback_gets_through(
    open_reader: Callable[..., WebReader], site: WebServer, host: str
) -> None:
    reader = open_reader(hosts=["*"], networks=(), resolve=system_resolver)
    with pytest.raises(ImageError, match=r"may not read from|there is no host"):
        reader.read(site.url("/a.jpg", host=host))
    assert site.seen == []


def test_the_address_that_was_judged_is_the_one_that_is_asked(
    reader: WebReader, names: Names
) -> None:
    """A name that means another host the second time it is looked up."""
    answers = iter([["127.0.0.1"], ["127.0.0.3"], ["127.0.0.3"]])
    with web_server() as outer, web_server("127.0.0.3", outer.port) as inner:
        outer.page("/a.jpg", b"outer")
        inner.page("/a.jpg", b"inner")
        names.known = {}
        asked: list[str] = []

        def rebinding(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return next(answers)

        reader = WebReader(WebLimits(["*"], 1000, 20.0), Connector(OPEN, rebinding))
        assert reader.read(outer.url("/a.jpg")) == b"outer"
        assert asked == ["images.test"], "one lookup, and it was judged"
        reader.close()
        again = WebReader(WebLimits(["*"], 1000, 20.0), Connector(OPEN, rebinding))
        with pytest.raises(ImageError, match="loopback"):
            again.read(outer.url("/a.jpg"))
        assert inner.seen == []


def test_a_connection_never_opens_itself_again(site: WebServer, names: Names) -> None:
    url = split_web(site.url("/a.jpg", host="127.0.0.1"))
    names.known["127.0.0.1"] = ["127.0.0.1"]
    connection = Connector(OPEN, names).open(url, Deadline.in_seconds(20))
    connection.close()
    with pytest.raises(NotConnected):  # it would look the name up, and judge nothing
        connection.http.request("GET", "/a.jpg")
    assert site.seen == []


def test_a_host_that_is_not_named_is_not_even_looked_up(
    reader: WebReader, site: WebServer, names: Names
) -> None:
    names.known["other.test"] = ["127.0.0.1"]
    with pytest.raises(ImageError, match=r"other\.test; add it to MASKPOOL_SOURCE_HOSTS"):
        reader.read(site.url("/a.jpg", host="other.test"))
    assert (names.asked, site.seen) == ([], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["a.jpg", "/a.jpg", "//cdn.images.test:{port}/a.jpg", "{url}"])
def test_a_redirect_is_followed(reader: WebReader, site: WebServer, status: int, to: str) -> None:
    to = to.format(port=site.port, url=site.url("/a.jpg", host="cdn.images.test"))
    site.pages["/old.jpg"] = lambda handler: handler.say(status, b"moved", Location=to)
    assert reader.read(site.url("/old.jpg")) == BODY


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("http://127.0.0.1:{port}/a.jpg", "may not read from 127.0.0.1; add it"),
        ("http://inner.images.test:{port}/a.jpg", "169.254.169.254 is a metadata service"),
        ("http://other.test:{port}/a.jpg", "redirects to another host: .*other.test; add it"),
        ("//other.test:{port}/a.jpg", "MASKPOOL_SOURCE_HOSTS"),
        ("file:///etc/passwd", "neither http:// nor https://"),
        ("s3://bucket/a.jpg", "neither http:// nor https://"),
        ("http://ann:hunter2@images.test:{port}/a.jpg", "user name or password"),
        ("http://images.test:25/a.jpg", "port 25"),
        ("http://[::1/a.jpg", "redirects to an address that is none"),
        ("/old.jpg", "redirects more than 5 times"),
        ("", "to nowhere"),
    ],
)
def test_a_redirect_is_judged_as_any_url(
    reader: WebReader, site: WebServer, names: Names, to: str, sentence: str
) -> None:
    names.known["inner.images.test"] = ["169.254.169.254"]
    names.known["other.test"] = ["127.0.0.1"]
    location = to.format(port=site.port)
    site.pages["/old.jpg"] = lambda handler: handler.say(302, Location=location)
    with pytest.raises(ImageError, match=sentence) as caught:
        reader.read(site.url("/old.jpg?sig=hunter2"))
    assert "hunter2" not in str(caught.value)
    assert {seen.target.partition("?")[0] for seen in site.seen} == {"/old.jpg"}
    assert len(site.seen) <= 6


def led(site: WebServer, to: str) -> str:
    """A URL that leads there."""
    location = to.format(port=site.port)
    site.pages["/led.jpg"] = lambda handler: handler.say(302, Location=location)
    return site.url("/led.jpg")


@pytest.mark.parametrize(
    ("to", "granted"),
    [
        ("http://cdn.images.test:{port}/a.jpg", ["cdn.images.test"]),
        ("http://cdn.images.test:{port}/a.jpg", ["*.images.test"]),
        ("http://cdn.images.test:{port}/a.jpg", None),
        # A grant that was taken back stops no batch that was submitted.
        ("/a.jpg", []),
    ],
)
def test_a_team_is_led_where_it_may_read(
    reader: WebReader, site: WebServer, to: str, granted: list[str] | None
) -> None:
    assert reader.read(led(site, to), lambda: granted) == BODY


@pytest.mark.parametrize("granted", [[], ["images.test"], ["dn.images.test", "*.cdn.images.test"]])
def test_a_team_is_led_nowhere_else(reader: WebReader, site: WebServer, granted: list[str]) -> None:
    with pytest.raises(ImageError, match=r"to cdn\.images\.test, where this batch's team may not"):
        reader.read(led(site, "http://cdn.images.test:{port}/a.jpg"), lambda: granted)
    assert [one.target for one in site.seen] == ["/led.jpg"]


def test_no_redirect_leads_a_team_to_the_pools_store(
    open_reader: Callable[..., WebReader], site: WebServer
) -> None:
    reader = open_reader(store_host="cdn.images.test")
    with pytest.raises(ImageError, match="may not read"):
        reader.read(led(site, "http://cdn.images.test:{port}/a.jpg"), lambda: ["*.images.test"])


def test_nobody_is_asked_for_grants_where_no_redirect_leads_elsewhere(
    reader: WebReader, site: WebServer
) -> None:
    assert reader.read(site.url("/a.jpg"), pytest.fail) == BODY
    assert reader.read(led(site, "/a.jpg"), pytest.fail) == BODY


def test_five_redirects_are_followed_and_a_sixth_is_not(reader: WebReader, site: WebServer) -> None:
    def step(handler: Handler) -> None:
        number = int(handler.path[1:])
        if number == 0:
            handler.say(200, BODY)
        else:
            handler.say(302, Location=f"/{number - 1}")

    site.pages |= {f"/{number}": step for number in range(7)}
    assert reader.read(site.url("/5")) == BODY
    with pytest.raises(ImageError, match="more than 5 times"):
        reader.read(site.url("/6"))


def test_a_url_with_a_password_is_refused_and_not_repeated(reader: WebReader) -> None:
    with pytest.raises(ImageError, match="user name or password") as caught:
        reader.read("http://ann:hunter2@images.test/a.jpg")
    assert "hunter2" not in str(caught.value)


def test_the_first_address_that_answers_is_used(
    reader: WebReader, site: WebServer, names: Names
) -> None:
    names.known["images.test"] = ["127.0.0.2", "127.0.0.1"]
    assert reader.read(site.url("/a.jpg")) == BODY


# How much, and for how long.


def raw_answer(data: bytes) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.site.over.is_set():
        handler.wfile.write(b"x" * 65536)


def endless_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.site.over.is_set():
        handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")


@pytest.mark.parametrize("page", [endless, endless_chunks])
def test_a_body_without_an_end_ends_at_the_limit(
    open_reader: Callable[..., WebReader], site: WebServer, page: Callable[[Handler], None]
) -> None:
    site.pages["/endless"] = page
    with (
        within(15),
        pytest.raises(ImageError, match="at least 100,001 bytes, more than the 100,000"),
    ):
        open_reader(max_bytes=100_000).read(site.url("/endless"))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#: What each sends first, and then again and again; http.client holds on to some, to others not.
WITHOUT_END = {
    "a chunk of -1 bytes": (CHUNKED + b"-1\r\n", b"x" * 65_536),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\n", b"A: b\r\n" * 8_192),
    "heads of 100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_048),
    "heads of 100 with fields": (b"", b"HTTP/1.1 100 Continue\r\n" + b"A: b\r\n" * 90 + b"\r\n"),
    "pieces of a chunk's size": (CHUNKED, b"1;" + b"x" * 60_000 + b"\r\ny\r\n"),
}


@pytest.mark.parametrize("kind", WITHOUT_END)
def test_what_is_no_body_ends_at_the_limit_too(
    open_reader: Callable[..., WebReader], site: WebServer, kind: str
) -> None:
    first, again = WITHOUT_END[kind]
    sent, limit = [0], 2_000_000

    def without_end(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(first)
        with suppress(OSError):
            while sent[0] < 200_000_000 and not handler.site.over.is_set():
                handler.wfile.write(again)
                sent[0] += len(again)

    site.pages["/endless"] = without_end
    reader = open_reader(max_bytes=limit)
    tracemalloc.start()
    try:
        with pytest.raises(
            ImageError, match=r"more than the 2,000,000 bytes allowed \(MASKPOOL_MA"
        ):
            reader.read(site.url("/endless"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * limit
    assert sent[0] < 20 * limit, "the rest waits in the sockets' buffers, which are not that large"
    assert reader.read(site.url("/a.jpg")) == BODY


def test_a_head_without_an_end_is_given_up(reader: WebReader, site: WebServer) -> None:
    def fields(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(OSError):
            while not handler.site.over.is_set():
                handler.wfile.write(b"A: " + b"b" * 60_000 + b"\r\n")

    site.pages["/endless"] = fields
    with within(15), pytest.raises((ImageError, Unreachable)):
        reader.read(site.url("/endless"))


def test_each_image_over_one_connection_may_have_its_bytes(
    open_reader: Callable[..., WebReader], site: WebServer
) -> None:
    site.page("/large.jpg", bytes(900_000))
    reader = open_reader(max_bytes=1_000_000)
    for _ in range(6):
        assert len(reader.read(site.url("/large.jpg"))) == 900_000
    assert len({seen.client for seen in site.seen}) == 1


def test_an_image_of_the_full_size_in_small_chunks_is_read(
    open_reader: Callable[..., WebReader], site: WebServer
) -> None:
    def in_chunks(handler: Handler) -> None:
        handler.wfile.write(CHUNKED + (b"40\r\n" + b"x" * 64 + b"\r\n") * 62_500 + b"0\r\n\r\n")

    site.pages["/chunks.jpg"] = in_chunks
    assert len(open_reader(max_bytes=4_000_000).read(site.url("/chunks.jpg"))) == 4_000_000


def test_the_limit_is_exact_and_a_length_beyond_it_is_refused_unread(
    open_reader: Callable[..., WebReader], site: WebServer
) -> None:
    assert open_reader(max_bytes=len(BODY)).read(site.url("/a.jpg")) == BODY
    with pytest.raises(ImageError, match=r"5,120 bytes, more than the 5,119 .*MAX_IMAGE_BYTES"):
        open_reader(max_bytes=len(BODY) - 1).read(site.url("/a.jpg"))
    site.pages["/large"] = raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    with pytest.raises(ImageError, match="99,999,999 bytes"):
        open_reader().read(site.url("/large"))


def test_a_length_that_is_too_small_ends_the_body_there(reader: WebReader, site: WebServer) -> None:
    site.pages["/lie"] = raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")
    assert reader.read(site.url("/lie")) == b"abc"
    assert reader.read(site.url("/a.jpg")) == BODY


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-9\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200",
        b"",
        b"SSH-2.0-OpenSSH_9.6 hunter2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off_or_none_is_tried_again(
    reader: WebReader, site: WebServer, answer: bytes
) -> None:
    site.pages["/cut"] = raw_answer(answer)
    with pytest.raises(BrokenOff, match=r"images.test") as caught:
        reader.read(site.url("/cut"))
    assert "hunter2" not in str(caught.value)
    assert reader.read(site.url("/a.jpg")) == BODY


def silence(handler: Handler) -> None:
    handler.site.over.wait(30)
    handler.close_connection = True


SLOW: dict[str, Callable[[Handler], None]] = {
    "nothing at all": silence,
    "a head, a byte at a time": lambda handler: handler.drip(
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 999
    ),
    "heads without an end": lambda handler: handler.drip(
        b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0.01
    ),
    "a body, a byte at a time": lambda handler: (
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"),
        handler.drip(b"x" * 999),
    )[0],
    "chunks, a byte at a time": lambda handler: (
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        handler.drip(b"1\r\nx\r\n" * 200),
    )[0],
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_transfer_ends_as_a_whole(
    open_reader: Callable[..., WebReader], site: WebServer, kind: str
) -> None:
    site.pages["/slow"] = SLOW[kind]
    with (
        within(10),
        pytest.raises(BrokenOff, match=r"longer than 0.6 s \(MASKPOOL_WEB_SECONDS\)"),
    ):
        open_reader(seconds=0.6).read(site.url("/slow"))


def test_slow_redirects_share_one_time(
    open_reader: Callable[..., WebReader], site: WebServer
) -> None:
    def slow(handler: Handler) -> None:
        handler.site.over.wait(0.3)
        handler.say(302, Location="/slow")

    site.pages["/slow"] = slow
    with pytest.raises(Unreachable, match=r"longer than 0.8 s"):
        open_reader(seconds=0.8).read(site.url("/slow"))
    assert len(site.seen) < 5


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_takes_the_call_and_says_nothing(
    open_reader: Callable[..., WebReader], scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with within(10), pytest.raises(Unreachable, match=r"longer than 0.5 s"):
            open_reader(seconds=0.5).read(f"{scheme}://images.test:{port}/a.jpg")


def test_a_name_server_that_says_nothing(open_reader: Callable[..., WebReader]) -> None:
    answer = threading.Event()

    def asleep(host: str, port: int) -> Sequence[str]:
        answer.wait(20)
        return ["127.0.0.1"]

    with within(10), pytest.raises(Unreachable, match=r"name server .* than 0.3 s") as caught:
        open_reader(seconds=0.3, resolve=asleep).read("http://images.test/a.jpg")
    answer.set()
    assert not isinstance(caught.value, BrokenOff), "a name server may be away for minutes"


# What is said.


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (404, ImageError, "there is no image http://images.test:.*/x.jpg… \\(it answers 404\\)"),
        (410, ImageError, "there is no image"),
        (401, ImageError, "access denied"),
        (403, ImageError, "access denied"),
        (400, ImageError, "answers 400"),
        (204, ImageError, "answers 204"),
        (206, ImageError, "answers 206"),
        (304, ImageError, "answers 304"),
        (408, Unreachable, "it answers 408"),
        (425, Unreachable, "it answers 425"),
        (429, Unreachable, "it answers 429"),
        (500, Unreachable, "it answers 500"),
        (503, Unreachable, "it answers 503"),
    ],
)
def test_a_status_is_for_good_or_for_now(
    reader: WebReader, site: WebServer, status: int, kind: type[Exception], sentence: str
) -> None:
    site.pages["/x.jpg"] = lambda handler: handler.say(status, b"")
    with pytest.raises(kind, match=sentence) as caught:
        reader.read(site.url("/x.jpg?sig=hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_packed_answer_is_refused(reader: WebReader, site: WebServer) -> None:
    site.pages["/z"] = lambda handler: handler.say(200, b"\x1f\x8b", Content_Encoding="gzip")
    with pytest.raises(ImageError, match=r"packed .'gzip'."):
        reader.read(site.url("/z"))


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (socket.EAI_NONAME, ImageError, "there is no host images.test"),
        (socket.EAI_AGAIN, Unreachable, "the name server for images.test"),
        (socket.EAI_FAIL, Unreachable, "the name server for images.test"),
    ],
)
def test_a_name_server_says_never_or_not_now(
    open_reader: Callable[..., WebReader], number: int, kind: type[Exception], sentence: str
) -> None:
    def fails(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(number, "as it says")

    with pytest.raises(kind, match=sentence):
        open_reader(resolve=fails).read("http://images.test/a.jpg")


def test_a_host_that_refuses_the_call_is_unreachable(reader: WebReader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Unreachable, match=r"the host images.test.*refused") as caught:
        reader.read(f"http://images.test:{port}/a.jpg")
    assert not isinstance(caught.value, BrokenOff), "it may be away for minutes"
