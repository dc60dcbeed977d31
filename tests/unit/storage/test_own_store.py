from __future__ import annotations

from pathlib import Path

import pytest

from maskpool.domain import new_id
from storage.own_store import OwnStore

IN_BUCKET = OwnStore("s3://bk/pool")


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://bk/pool/sources/x/a.jpg", "sources/x/a.jpg"),
        ("s3://bk/pool/any", "any"),
        ("s3://bk/pool", ""),
        ("s3://bk/pool//sources//x.jpg", "sources/x.jpg"),
        ("s3://bk//pool/x.jpg", "x.jpg"),
        ("s3://bk/photos/../pool/masks/x", "masks/x"),
        ("s3://bk/./pool/uploads/x", "uploads/x"),
        ("s3://bk/%70ool/sources/x", "sources/x"),
        ("s3://bk/photos/%2e%2e/pool/x", "x"),
        ("s3://bk/photos/%252e%252e/pool/x", "x"),
        ("s3://bk/pool%2Fsources/x", "sources/x"),
        ("s3://bk/pool/sources/x/100%.jpg", "sources/x/100%.jpg"),
        ("s3://bk/pools/x", None),
        ("s3://bk/photos/x", None),
        ("s3://bk/pool/../photos/x", None),
        ("s3://other/pool/x", None),
        ("s3://bk", None),
        ("https://bk/pool/x", None),
        ("file:///pool/x", None),
    ],
)
def test_every_spelling_of_an_object_is_known(uri: str, key: str | None) -> None:
    assert IN_BUCKET.key_of(uri) == key


def test_a_store_at_the_root_of_a_bucket_owns_what_the_pool_writes() -> None:
    own = OwnStore("s3://bk")
    for key in ("masks/v1/x", "sources/x", "uploads/x", "thumbs/x", "exports/x", "parts/x"):
        assert own.key_of(f"s3://bk/{key}") == key
        assert own.key_of(f"s3://bk/a/../{key}") == key
    for key in ("photos/x", "sourcesx/y", ""):
        assert own.key_of(f"s3://bk/{key}") is None


def test_a_folder_is_known_through_links(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "sources" / "x").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(store)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").symlink_to(store / "sources" / "x" / "a.jpg")
    for own in (OwnStore(store.as_uri()), OwnStore((tmp_path / "alias").as_uri())):
        for path in (
            "store/sources/x/a.jpg",
            "alias/sources/x/a.jpg",
            "photos/a.jpg",
            "photos/../store/sources/x/a.jpg",
            "photos/%2e%2e/store/sources/x/a.jpg",
            "store/%73ources/x/a.jpg",
        ):
            assert own.key_of(f"file://{tmp_path}/{path}") == "sources/x/a.jpg"
        assert own.key_of(f"file://localhost{store}") == ""
        assert own.key_of(f"file://{tmp_path}/storey/a.jpg") is None
        assert own.key_of("s3://bk/sources/x") is None


def test_a_job_opens_its_own_and_uploads() -> None:
    batch, other = new_id(), new_id()
    assert IN_BUCKET.opens(f"sources/{batch}/a.jpg", batch)
    assert IN_BUCKET.opens(f"uploads/{other}/a.jpg", batch)
    assert IN_BUCKET.opens("thumbs/a", None, ["thumbs/"])
    for key in (f"sources/{other}/a.jpg", f"sources/{batch}x/a", "masks/v1/x", "exports/x", "x"):
        assert not IN_BUCKET.opens(key, batch)
        assert not IN_BUCKET.opens(key, None)
