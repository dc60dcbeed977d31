"""What the settings say of where the server is, and what a request's headers may not say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from maskpool.settings import Settings
from maskpool.settings_web import browser_url
from web.place import Place


def place(**settings: Any) -> Place:
    return Place.of(Settings(**settings))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080"])
def test_without_an_address_this_machine_alone_is_meant(host: str) -> None:
    assert place().allows(host)
    assert place().url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "host", ["", "localhost", "127.0.0.1:80", "evil.org", "evil.org:8080", "localhost:8080.evil"]
)
def test_no_other_host_is_answered(host: str) -> None:
    assert not place().allows(host)


def test_a_public_address_is_the_only_one() -> None:
    public = place(public_url="https://Masks.example.org:443/pool/")
    assert public.allows("masks.example.org")
    assert public.allows("MASKS.example.org:443")
    assert not public.allows("127.0.0.1:8080")
    assert (public.scheme, public.prefix, public.secure) == ("https", "/pool", True)
    assert public.is_origin("https://masks.example.org")
    assert not public.is_origin("http://masks.example.org")
    assert not public.is_origin("null")


def test_an_address_on_loopback_has_several_names() -> None:
    assert place(public_url="http://127.0.0.1:9000").allows("localhost:9000")
    assert place(serve_address="0.0.0.0:9000").url == "http://127.0.0.1:9000"
    assert not place(serve_address="0.0.0.0:9000").allows("10.0.0.7:9000")
    assert place(serve_address="[::1]:9000").allows("[::1]:9000")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"serve_address": "0.0.0.0:9000"}, "http://127.0.0.1:9000"),
        ({"serve_address": "[::]:9000"}, "http://127.0.0.1:9000"),
        ({"serve_address": "gpu-1.lan:9000"}, "http://gpu-1.lan:9000"),
        ({"serve_address": "0.0.0.0:9000", "public_url": "https://b.org/p"}, "https://b.org/p"),
    ],
)
def test_what_is_printed_can_be_opened_by_a_browser(settings: dict[str, str], url: str) -> None:
    assert browser_url(Settings(**settings)) == place(**settings).url == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    ["masks.example.org", "ftp://masks.example.org", "https://", "https://a@b.org",
     "https://b.org/?x", "https://b.org/#x", "https://b.org/api", "https://b.org/api/v2"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(public_url=url)


@pytest.mark.parametrize("address", ["8080", ":8080", "host", "host:http", "host:70000"])
def test_a_place_to_listen_at_has_host_and_port(address: str) -> None:
    with pytest.raises(ValidationError):
        Settings(serve_address=address)
