"""What a bucket's keys mean as a source, over a store that is a list of keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from maskpool.domain import ObjectInfo
from maskpool.errors import SourceError
from producer.sources import buckets, open_source
from producer.sources.passed import PassedOver


class Keys:
    """Lists as S3 does, by the bytes of its keys; one that ends with a slash is empty."""

    url = "s3://bucket"

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = sorted(keys, key=str.encode)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in self._keys:
            if key.startswith(prefix):
                yield ObjectInfo(key, 0 if key.endswith("/") else 9)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(keys: Sequence[str], text: str = "s3://bucket", store: str = "") -> Any:
        monkeypatch.setattr(buckets, "open_store", lambda _, **__: Keys(keys))
        over = PassedOver()
        source = open_source(text, own_store=store)
        assert source.kind == "s3"
        return [(ref.name, ref.uri) for ref in source.refs(over)], over.counts

    return of


ODD = ["a//b.jpg", "/b.jpg", "a\\b.jpg", "a/b\\.jpg", "//b.jpg", "a///b.jpg", "b\\/c.jpg", "\0.jpg"]


@pytest.mark.parametrize("key", ODD)
def test_a_key_that_cannot_be_a_name_costs_only_itself(read: Any, key: str) -> None:
    images, counts = read(["1.jpg", f"p/{key}", "z.jpg"])
    assert [name for name, _ in images] == ["1.jpg", "z.jpg"]
    assert counts == {"key that cannot be a name": 1}
    images, counts = read(["p/1.jpg", f"p/{key}"], "s3://bucket/p")
    assert (len(images), counts) == (1, {"key that cannot be a name": 1})


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a.jxl", ".jxl"),
        ("x/notes.txt", ".txt"),
        ("x/photo", "file without an ending"),
        (".x/a.jpg", "hidden file"),
        ("x/.a.jpg", "hidden file"),
        ("../a.jpg", "hidden file"),
        ("out/.maskpool-run/stack.json", "folder that maskpool wrote"),
    ],
)
def test_other_keys_are_counted(read: Any, key: str, kind: str) -> None:
    assert read(["1.jpg", key]) == ([("1.jpg", "s3://bucket/1.jpg")], {kind: 1})


def test_marks_of_empty_folders_are_nothing(read: Any) -> None:
    images, counts = read(["p/", "p/a/", "p/a/1.jpg", "p/b/"], "s3://bucket/p/")
    assert (images, counts) == ([("a/1.jpg", "s3://bucket/p/a/1.jpg")], {})


def test_drawings_of_a_run_are_passed_over(read: Any) -> None:
    keys = ["a.jpg", "out/.maskpool-run/db", "out/coco.json", "out/overlays/a.jpg", "out2/b.jpg"]
    images, counts = read(keys)
    assert [name for name, _ in images] == ["a.jpg", "out2/b.jpg"]
    assert counts == {"folder that maskpool wrote": 1}
    with pytest.raises(SourceError, match="maskpool wrote this folder"):
        read(keys, "s3://bucket/out")


@pytest.mark.parametrize("store", ["s3://bucket/pool", "s3://bucket/pool/"])
def test_the_pools_own_store_is_not_read_by_the_way(read: Any, store: str) -> None:
    keys = ["a.jpg", "pool/masks/v1/b/c.zst", "pool/sources/b/a.jpg", "pool/x.jpg"]
    images, counts = read(keys, store=store)
    assert [name for name, _ in images] == ["a.jpg"]
    assert counts == {"folder that maskpool wrote": 1}
    assert len(read(keys)[0]) == 3
    assert len(read(keys, store="s3://other/pool")[0]) == 3
    assert len(read(keys, store="file:///bucket")[0]) == 3
    for text in (
        "s3://bucket/pool/sources",
        "s3://bucket/pool",
        "s3://bucket/pool/sources/b/a.jpg",
    ):
        with pytest.raises(SourceError, match="lies in the pool's own store"):
            read(keys, text, store)


def test_a_store_without_a_prefix_shares_its_bucket(read: Any) -> None:
    keys = ["a.jpg", "masks/v1/b/c.zst", "photos/b.jpg", "sources/b/a.jpg", "uploads/c/d.jpg"]
    images, counts = read(keys, store="s3://bucket")
    assert [name for name, _ in images] == ["a.jpg", "photos/b.jpg"]
    assert counts == {"folder that maskpool wrote": 3}
    with pytest.raises(SourceError, match="lies in the pool's own store"):
        read(keys, "s3://bucket/uploads/c", "s3://bucket")


@pytest.mark.parametrize("key", ["one.jpg", "p/one.JPG", "p/q//one.tif", "/one.jpg", "p/.one.png"])
def test_one_object_is_an_image(read: Any, key: str) -> None:
    images, counts = read([key, "other.jpg", f"{key}.bak"], f"s3://bucket/{key}")
    assert images == [(key.rpartition("/")[2], f"s3://bucket/{key}")]
    assert counts == {}
    source = open_source(f"s3://bucket/{key}")
    assert source.places(images[0][0]) == [f"s3://bucket/{key}"]
    assert source.places("other.jpg") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("s3://bucket/notes.pdf", "is an object and no image"),
        ("s3://bucket/photo", "is an object and no image"),
        ("s3://bucket/both.jpg", "is an object, and a prefix of others"),
        ("s3://bucket/a\\b.jpg", "backslash"),
        ("s3://bucket/on", "no such object, and no object below this prefix"),
        ("s3://bucket/one.jp", "no such object, and no object below this prefix"),
    ],
)
def test_what_is_no_source_in_a_bucket_is_refused(read: Any, text: str, sentence: str) -> None:
    keys = ["one.jpg", "notes.pdf", "photo", "both.jpg", "both.jpg/1.jpg", "a\\b.jpg"]
    with pytest.raises(SourceError, match=sentence):
        read(keys, text)


def test_an_object_beside_a_folder_of_its_name_marks_it(read: Any) -> None:
    assert read(["p", "p/1.jpg"], "s3://bucket/p")[0] == [("1.jpg", "s3://bucket/p/1.jpg")]


def test_a_slash_asks_for_the_folder(read: Any) -> None:
    keys = ["both.jpg", "both.jpg/1.jpg"]
    assert read(keys, "s3://bucket/both.jpg/")[0] == [("1.jpg", "s3://bucket/both.jpg/1.jpg")]
