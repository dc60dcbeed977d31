"""URLs of images, taken to pieces once and alike on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.images.web.urls import (
    WebUrl,
    host_allowed,
    is_web,
    shown_address,
    split_web,
    without_query,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x.org/a.jpg", "https://x.org/a.jpg"),
        ("HTTPS://X.Org./A.jpg", "https://x.org/A.jpg"),
        ("http://x.org", "http://x.org/"),
        ("http://x.org:80/a", "http://x.org/a"),
        ("https://x.org:80/a", "https://x.org:80/a"),
        ("https://x.org:8443/a?b=1&c=%20#part", "https://x.org:8443/a?b=1&c=%20"),
        ("https://x.org/a b/ü.jpg", "https://x.org/a%20b/%C3%BC.jpg"),
        ("https://x.org/100%.jpg", "https://x.org/100%.jpg"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("http://127。0。0。1/a", "http://127.0.0.1/a"),
        ("https://x.org?b=1", "https://x.org/?b=1"),
        ("https://[2606:4700:0::1111]:8443/a", "https://[2606:4700::1111]:8443/a"),
        ("https://a_b.example/x", "https://a_b.example/x"),
        ("https://x.org/a\\b", "https://x.org/a%5Cb"),
        (" https://x.org/a ", "https://x.org/a"),
    ],
)
def test_a_url_is_read(text: str, expected: str) -> None:
    url = split_web(text)
    assert str(url) == expected
    assert split_web(expected) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file:///etc/passwd", "neither http"),
        ("ftp://x.org/a", "neither http"),
        ("//x.org/a", "neither http"),
        ("x.org/a", "neither http"),
        ("", "neither http"),
        ("https:///a", "no proper host"),
        ("https://", "no proper host"),
        ("https://a..b/c", "host name"),
        ("https://-a/c", "no proper host"),
        ("https://x.org\\@y.org/c", "user name"),
        ("https://x.org%2f/c", "no proper host"),
        ("https://*.x.org/c", "no proper host"),
        (f"https://{'a' * 64}.org/c", "host name"),
        (f"https://{'a.' * 127}org/c", "no proper host"),
        ("https://x.org:port/c", "no proper host or port"),
        ("https://x.org:70000/c", "no proper host or port"),
        ("https://x.org:25/c", "port 25"),
        ("https://x.org:0/c", "port 0"),
        ("https://x.org/a\r\nX: y", "control character"),
        ("https://x.org/a\0", "control character"),
        ("https://x.org/\ud800", "UTF-8"),
        ("https://[::1", "no proper host or port"),
        ("https://[fe80::1%25eth0]/a", "network card"),
        ("https://[fe80::1%eth0]/a", "network card"),
        ("https://[v1.x]/a", "no proper"),
        ("https://[10.0.0.1]/a", "no proper"),
        ("https://x.org/" + "a" * 9000, "characters"),
    ],
)
def test_what_is_no_url_of_an_image_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        split_web(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://ann:hunter2@x.org/a",
        "https://hunter2@x.org/a",
        "https://ann:hunter2@x.org:25/a",
        "https://ann:hunter2@[::1/a",
        "https://ann:hunter2@x.org:port/a",
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"user name|proper") as caught:
        split_web(text)
    assert "hunter2" not in str(caught.value)


def test_messages_leave_the_query_out() -> None:
    assert split_web("https://x.org/a.jpg?sig=hunter2").shown == "https://x.org/a.jpg…"
    assert split_web("https://x.org/a.jpg").shown == "https://x.org/a.jpg"
    assert len(split_web("https://x.org/" + "a" * 5000).shown) == 201
    assert without_query("https://x.org/a.jpg?sig=hunter2") == "https://x.org/a.jpg"
    assert without_query("photos?/a.jpg") == "photos?/a.jpg"


@given(
    st.one_of(
        st.text(max_size=60),
        st.tuples(
            st.sampled_from(["http://", "https://", "HTTP://"]),
            st.text("a.-_:@[]%0127。ü\\/", max_size=20),
            st.text(max_size=20),
        ).map("".join),
    )
)
def test_any_text_is_a_clean_url_or_none(text: str) -> None:
    try:
        url = split_web(text)
    except ValueError:
        return
    assert isinstance(url, WebUrl)
    assert str(url).isascii()
    assert str(url).isprintable()
    assert " " not in str(url)
    assert "@" not in url.authority
    assert split_web(str(url)) == url
    assert is_web(str(url))


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        ((), "", "x.org a.x.org"),
        (("x.org",), "x.org", "a.x.org xx.org x.org.evil.com"),
        (("*.x.org",), "a.x.org b.a.x.org", "x.org evilx.org a.x.org.evil.com"),
        (("*",), "x.org 127.0.0.1 ::1", ""),
        (("y.org", "x.org"), "x.org y.org", "z.org"),
    ],
)
def test_hosts_are_matched_whole(patterns: tuple[str, ...], allowed: str, refused: str) -> None:
    assert all(host_allowed(host, patterns) for host in allowed.split())
    assert not any(host_allowed(host, patterns) for host in refused.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.jpg", "https://host/a.jpg"),
        ("https://host/a.jpg?key=1", "https://host/a.jpg"),
        ("https://ann:pass@host/a.jpg?key=1", "https://…@host/a.jpg"),
        ("https://ann:p/a?ss@host/a.jpg", "https://…"),
        ("ftp://ann:pass@host/a", "ftp://…@host/a"),
        ("ann:pass@host", "…@host"),
        ("s3://bucket/a@b.jpg", "s3://bucket/a@b.jpg"),
        ("https://host/" + "a" * 300, "https://host/" + "a" * 187),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(text: str, shown: str) -> None:
    assert shown_address(text) == shown
