from __future__ import annotations

from uuid import UUID

import pytest

from maskpool.errors import Permanent
from storage.objects import keys

BATCH = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
CHUNK = UUID("01890a5d-ac96-774b-bcce-b302099a8058")


def test_keys_are_as_documented() -> None:
    masks_key = keys.chunk_masks_key(CHUNK, "0123456789abcdef" * 4)

    assert masks_key == f"{CHUNK}-0123456789abcdef"
    assert keys.digest_of(masks_key) == "0123456789abcdef"
    assert keys.mask_object(BATCH, masks_key) == f"masks/v1/{BATCH}/{masks_key}.jsonl.zst"
    assert keys.mask_object(BATCH, masks_key).startswith(keys.masks_prefix(BATCH))
    assert keys.source_object(BATCH, "a/b.jpg") == f"sources/{BATCH}/a/b.jpg"
    assert keys.source_object(BATCH, "a/b.jpg").startswith(keys.sources_prefix(BATCH))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("/a", "'/'"),
        ("a/", "'/'"),
        ("a//b", "'/'"),
        ("..", "'..'"),
        ("a/../b", "'..'"),
        ("./a", "'.'"),
        ("a\\b", "backslash"),
        ("a\0b", "NUL"),
        (f"a/{keys.TEMPORARY}x", "starts with"),
        ("a/\udcff.jpg", "UTF-8"),
        ("é" * 513, "1026 bytes"),
    ],
)
def test_a_key_that_means_different_things_is_refused(key: str, reason: str) -> None:
    with pytest.raises(Permanent, match=reason):
        keys.checked(key)


@pytest.mark.parametrize("key", ["a", "a/b", "…/ü.jpg", "a b?c#d%20", "..a/b..", "é" * 512])
def test_an_odd_key_that_is_clear_is_accepted(key: str) -> None:
    assert keys.checked(key) == key


def test_a_listed_key_says_whose_it_is() -> None:
    batch_id, chunk_id = BATCH, CHUNK
    masks_key = keys.chunk_masks_key(chunk_id, "ab" * 32)
    key = keys.mask_object(batch_id, masks_key)
    assert keys.masks_key_of(key) == masks_key
    assert keys.chunk_of(masks_key) == chunk_id
    assert keys.batch_of(key) == batch_id
    assert keys.batch_of(keys.source_object(batch_id, "a/b.png")) == batch_id


@pytest.mark.parametrize(
    "key",
    [
        "masks/v1/readme.txt",
        f"masks/v1/{UUID(int=7)}/notes.jsonl.zst",
        f"masks/v1/{UUID(int=7)}/deeper/{UUID(int=8)}-0123456789abcdef.jsonl.zst",
        f"masks/v1/{UUID(int=7)}/{UUID(int=8)}-0123456789abcdef.json",
        f"masks/v2/{UUID(int=7)}/{UUID(int=8)}-0123456789abcdef.jsonl.zst",
        f"masks/v1/{UUID(int=7).hex}/{UUID(int=8)}-0123456789abcdef.jsonl.zst",
        f"sources/{UUID(int=7)}/{UUID(int=8)}-0123456789abcdef.jsonl.zst",
    ],
)
def test_a_foreign_key_is_no_mask_object(key: str) -> None:
    assert keys.masks_key_of(key) is None
