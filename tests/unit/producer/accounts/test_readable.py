"""Which addresses a team may read: what is granted, and nothing of the pool's own."""

from __future__ import annotations

import pytest

from producer.accounts.grants import Readable

READABLE = Readable(
    buckets=("photos/2026/", "whole/", "shop/"),
    hosts=("images.org", "*.cdn.net", "store.local"),
    store="s3://shop/pool",
    store_host="store.local",
)

FINE = (
    "s3://photos/2026/a.jpg",
    "s3://photos/2026/",
    "s3://photos/2026",
    "s3://photos/2026/deep/er.png",
    "s3://whole/a.jpg",
    "s3://whole",
    "s3://shop/pool2/a.jpg",
    "https://images.org/a.jpg?sig=x",
    "HTTPS://IMAGES.ORG/a.jpg",
    "http://eu.cdn.net:8080/a.jpg",
)

REFUSED = {
    "in no bucket": (
        "s3://photos/2027/a.jpg",
        "s3://photos/20260/a.jpg",
        "s3://photos",
        "s3://photos/",
        "s3://other/photos/2026/a.jpg",
        "s3://Photos/2026/a.jpg",
    ),
    "empty part, . or ..": (
        "s3://photos/2026/../2027/a.jpg",
        "s3://photos/2026/./a.jpg",
        "s3://photos//2026/a.jpg",
        "s3://photos/2026//a.jpg",
        "s3://shop//pool/masks/x",
        "s3://shop/x/../pool/masks/x",
    ),
    "own store": (
        "s3://shop/pool/sources/1/a.jpg",
        "s3://shop/pool/uploads/1/a.jpg",
        "s3://shop/pool/masks/v1/x",
        "s3://shop/pool",
        "s3://shop",
        "s3://shop/",
        "https://store.local/shop/pool/masks/x",
        "http://STORE.local:9000/shop/pool/masks/x",
    ),
    "no host": (
        "https://images.org.evil.com/a.jpg",
        "https://evil.com/images.org/a.jpg",
        "https://cdn.net/a.jpg",
        "https://127.0.0.1/a.jpg",
    ),
    "user name or password": ("https://images.org@evil.com/a.jpg",),
    "upload local files": (
        "file:///etc/passwd",
        "/etc/passwd",
        "FILE:///etc/passwd",
        "ftp://images.org/a",
        "s3:/photos/2026/a.jpg",
        "S3://photos/2026/a.jpg",
        "",
    ),
}


@pytest.mark.parametrize("uri", FINE)
def test_what_is_granted_may_be_read(uri: str) -> None:
    assert READABLE.refusal(uri) is None
    assert READABLE.may_read(uri)


@pytest.mark.parametrize(
    ("uri", "words"), [(uri, words) for words, uris in REFUSED.items() for uri in uris]
)
def test_all_else_is_refused_with_why(uri: str, words: str) -> None:
    why = READABLE.refusal(uri)
    assert why is not None
    assert why.code.startswith("place.")
    assert words in why.reason
    assert not READABLE.may_read(uri)


def test_a_folder_store_is_no_more_reachable_than_another() -> None:
    nowhere = Readable((), (), "file:///pool/store", "")
    for uri in ("file:///pool/store/masks/x", "s3://photos/a.jpg", "https://images.org/a.jpg"):
        assert nowhere.refusal(uri)
