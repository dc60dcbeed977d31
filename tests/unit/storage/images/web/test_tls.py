"""``https`` with certificates made here: the name is checked though the address was judged."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from services.certificates import DAY, NOW, Authority
from services.web_server import WebServer, web_server

from maskpool.errors import ImageError, Unreachable
from storage.images.web.connections import Connector
from storage.images.web.reader import WebLimits, WebReader


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusting(authority: Authority) -> Iterator[Callable[[], WebReader]]:
    """Readers that trust the authority, and find every host on loopback."""
    readers: list[WebReader] = []

    def make(tls: ssl.SSLContext | None = None) -> WebReader:
        connector = Connector(
            [ip_network("127.0.0.0/8")],
            lambda *_: ["127.0.0.1"],
            tls or ssl.create_default_context(cadata=authority.pem),
        )
        readers.append(WebReader(WebLimits(["*"], 100_000, 20.0), connector))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@contextmanager
def serving(tls: ssl.SSLContext) -> Iterator[WebServer]:
    with web_server(tls=tls) as site:
        site.page("/a.jpg", b"image")
        yield site


def test_the_name_is_checked_and_asked_for(
    authority: Authority, trusting: Callable[[], WebReader]
) -> None:
    tls = authority.serving("images.test")
    asked: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    with serving(tls) as site:
        reader = trusting()
        assert reader.read(site.url("/a.jpg")) == reader.read(site.url("/a.jpg")) == b"image"
        assert {seen.headers["Host"] for seen in site.seen} == {f"images.test:{site.port}"}
    assert asked == ["images.test"], "one handshake for both"


def test_an_address_may_have_a_certificate(
    authority: Authority, trusting: Callable[[], WebReader]
) -> None:
    with serving(authority.serving("127.0.0.1")) as site:
        assert trusting().read(site.url("/a.jpg", host="127.0.0.1")) == b"image"


def test_another_hosts_certificate_is_refused(
    authority: Authority, trusting: Callable[[], WebReader]
) -> None:
    with serving(authority.serving("127.0.0.1")) as site:
        with pytest.raises(ImageError, match=r"certificate of images.test .*images\.test"):
            trusting().read(site.url("/a.jpg"))
        assert site.seen == []


def test_an_old_certificate_is_refused(
    authority: Authority, trusting: Callable[[], WebReader]
) -> None:
    with serving(authority.serving("images.test", end=NOW - DAY)) as site:
        with pytest.raises(ImageError, match="expired"):
            trusting().read(site.url("/a.jpg"))
        assert site.seen == []


def test_an_unknown_authority_is_refused_unless_it_is_named(
    authority: Authority,
    trusting: Callable[..., WebReader],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(authority.serving("images.test")) as site:
        with pytest.raises(ImageError, match="SSL_CERT_FILE of the workers"):
            trusting(ssl.create_default_context()).read(site.url("/a.jpg"))
        assert site.seen == []
        (tmp_path / "team.pem").write_text(authority.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "team.pem"))
        assert trusting(ssl.create_default_context()).read(site.url("/a.jpg")) == b"image"


def test_a_redirect_down_to_http_is_refused(
    authority: Authority, trusting: Callable[[], WebReader]
) -> None:
    with web_server() as plain, serving(authority.serving("images.test")) as site:
        site.pages["/down"] = lambda handler: handler.say(302, Location=plain.url("/a.jpg"))
        plain.pages["/up"] = lambda handler: handler.say(302, Location=site.url("/a.jpg"))
        with pytest.raises(ImageError, match="redirects from https to http"):
            trusting().read(site.url("/down"))
        assert plain.seen == []
        assert trusting().read(plain.url("/up")) == b"image"


def test_plain_http_behind_https_is_unreachable(trusting: Callable[[], WebReader]) -> None:
    with web_server() as plain, pytest.raises(Unreachable, match=r"images\.test"):
        trusting().read(plain.url("/a.jpg").replace("http:", "https:"))
