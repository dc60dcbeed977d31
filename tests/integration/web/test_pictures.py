"""Small pictures, made where nothing that an image does can hurt; originals only to keep."""

from __future__ import annotations

import io
import os
import resource
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from services.people import Door, open_door
from services.plain_pool import SPEC
from services.web_server import web_server
from sqlalchemy import update

from db import batches, jobs
from db.batches import NewBatch
from db.models import BatchRow
from maskpool.domain import ImageRef, new_id
from maskpool.errors import ImageError
from maskpool.settings import load_settings
from producer import batches as use_cases
from producer import pictured
from producer.deletion import delete_upload
from producer.pictured import Kind, OfBatch
from producer.pictures import Pictures
from storage.objects import keys


@pytest.fixture(params=["folder", "s3"])
def door(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    settings = load_settings(
        database_url=sqlite_url,
        store_url=request.getfixturevalue(f"{request.param}_store_url"),
        redis_url="redis://127.0.0.1:1/0",
        source_roots=(tmp_path / "shared",),
        source_hosts="127.0.0.1",
        source_networks="127.0.0.0/8",
        picture_processes=1,
    )
    with open_door(settings) as door:
        yield door


def batch_of(door: Door, *uris: str, team: bool = True) -> UUID:
    new = NewBatch("ann", str(new_id()), "b", "demo", SPEC.dump(), "x")
    with door.pool.database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        refs = [ImageRef(f"{n}.png", uri) for n, uri in enumerate(uris)]
        assert jobs.load_block(session, batch_id, 0, refs)
        batches.activate(session, batch_id)
        if team:
            team_id = door.team
            session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(team_id=team_id))
    return batch_id


def png(size: tuple[int, int] = (1000, 500), mode: str = "RGBA", **more: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, (255, 0, 0, 0) if mode == "RGBA" else None).save(buffer, "PNG", **more)
    return buffer.getvalue()


def stored(door: Door, data: bytes) -> str:
    key = keys.upload_object(new_id(), "a.png")
    door.pool.store().put(key, data)
    return door.pool.store().uri(key)


def ask(door: Door, batch: UUID, what: str, who: str = "ann", **headers: str) -> Any:
    url = f"/api/v1/batches/{batch}/images/{what}"
    return door.client.get(url, headers={**door.as_(who), **headers})


def test_pictures_are_made_once_and_kept(door: Door, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "b.png").write_bytes(png((400, 4000), "RGB"))
    with web_server() as site:
        site.page("/c.png", png((90, 30), "P"))
        shared = (tmp_path / "shared" / "b.png").as_uri()
        batch = batch_of(door, stored(door, png()), shared, site.url("/c.png", "127.0.0.1"))
        sizes = {}
        for seq in range(3):
            for kind in ("thumbnail", "view"):
                answer = ask(door, batch, f"{seq}/{kind}")
                assert answer.status_code == 200, answer.text
                assert answer.headers["content-type"] == "image/jpeg"
                sizes[seq, kind] = Image.open(io.BytesIO(answer.content)).size
    assert sizes == {
        (0, "thumbnail"): (320, 160),
        (0, "view"): (1000, 500),
        (1, "thumbnail"): (32, 320),
        (1, "view"): (205, 2048),
        (2, "thumbnail"): (90, 30),
        (2, "view"): (90, 30),
    }
    again = ask(door, batch, "2/view")  # whose server is gone
    assert again.status_code == 200
    assert again.headers["cache-control"].startswith("private")
    assert again.headers["x-content-type-options"] == "nosniff"
    etag = {"If-None-Match": again.headers["etag"]}
    assert ask(door, batch, "2/view", **etag).status_code == 304
    for who, status in (("vic", 200), ("eve", 404), ("nobody", 401)):
        assert ask(door, batch, "2/view", who, **etag).status_code in (status, 304)
        assert ask(door, batch, "2/original", who).status_code in (status, 422)
    assert ask(door, batch, "3/view").status_code == 404

    with door.pool.database.write() as session:
        batches.cancel(session, batch)
    use_cases.remove(door.pool, batch)
    assert list(door.pool.store().list(keys.THUMBS)) == []


def upload_of(door: Door, files: dict[str, bytes]) -> str:
    headers = door.as_("ann")
    upload = door.client.post("/api/v1/uploads", json={}, headers=headers).json()["id"]
    for name, data in files.items():
        url = f"/api/v1/uploads/{upload}/files/{name}"
        assert door.client.put(url, content=data, headers=headers).status_code == 201
    return str(upload)


def show(door: Door, upload: str, what: str, who: str = "ann", **headers: str) -> Any:
    url = f"/api/v1/uploads/{upload}/{what}"
    return door.client.get(url, headers={**door.as_(who), **headers})


def test_pictures_of_a_file_before_any_batch(door: Door) -> None:
    upload = upload_of(door, {"a/ü 1.png": png(), "b.png": b"<html>", "c.png": png((9, 9), "P")})
    for kind, size in (("thumbnail", (320, 160)), ("view", (1000, 500))):
        answer = show(door, upload, f"{kind}/a/ü 1.png")
        assert answer.status_code == 200, answer.text
        assert Image.open(io.BytesIO(answer.content)).size == size
        again = show(door, upload, f"{kind}/a/ü 1.png", **{"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    original = show(door, upload, "original/a/ü 1.png")
    assert original.content == png()
    assert original.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC%201.png"
    # A download that broke off goes on, as long as it is the same file.
    url = f"/api/v1/uploads/{upload}/original/a/ü 1.png"
    asked = {**door.as_("ann"), "range": "bytes=20-", "if-range": original.headers["etag"]}
    rest = door.client.get(url, headers=asked)
    assert (rest.status_code, rest.content) == (206, png()[20:])
    assert rest.headers["content-range"] == f"bytes 20-{len(png()) - 1}/{len(png())}"
    other = door.client.get(url, headers={**asked, "if-range": '"another"'})
    assert (other.status_code, other.content) == (200, png())
    beyond = door.client.get(url, headers={**door.as_("ann"), "range": f"bytes={len(png())}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "download.range")
    assert show(door, upload, "view/b.png").status_code == 422
    for who, status in (("eve", 404), ("bob", 404), ("nobody", 401)):
        for what in ("thumbnail", "view", "original"):
            assert show(door, upload, f"{what}/a/ü 1.png", who).status_code == status
    for name in ("d.png", "x%00.png", "a/%2E%2E/c.png"):
        for what in ("thumbnail", "view", "original"):
            assert show(door, upload, f"{what}/{name}").status_code == 404


def test_pictures_go_with_their_file_and_their_upload(door: Door) -> None:
    upload = upload_of(door, {"a.png": png(), "b.png": png((9, 9), "P")})
    store, prefix = door.pool.store(), keys.thumbs_prefix(UUID(upload))
    for name in ("a.png", "b.png"):
        assert show(door, upload, f"view/{name}").status_code == 200
    assert len(list(store.list(prefix))) == 2
    url = f"/api/v1/uploads/{upload}/files/a.png"
    assert door.client.delete(url, headers=door.as_("ann")).status_code == 204
    assert len(list(store.list(prefix))) == 1
    assert show(door, upload, "view/a.png").status_code == 404
    assert (
        door.client.put(url, content=png((7, 5), "P"), headers=door.as_("ann")).status_code == 201
    )
    assert Image.open(io.BytesIO(show(door, upload, "view/a.png").content)).size == (7, 5)
    gone = door.client.delete(f"/api/v1/uploads/{upload}", headers=door.as_("ann"))
    assert gone.status_code == 202
    assert show(door, upload, "view/b.png").status_code == 404
    delete_upload(door.pool.database, store, UUID(upload))
    assert list(store.list(prefix)) == []


def test_an_original_is_never_shown(door: Door) -> None:
    html = b"<html><script>alert(1)</script>" * 100_000
    batch = batch_of(
        door,
        stored(door, html),
        "https://x.org/a.png",
        f"{door.pool.settings.store_url}/sources/{new_id()}/a",
    )
    answer = ask(door, batch, "0/original")
    assert answer.content == html
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    for seq in (1, 2):
        assert ask(door, batch, f"{seq}/original").status_code == 422
    shown = ask(door, batch, "0/view")
    assert (shown.status_code, shown.json()["code"]) == (422, "picture.failed")
    assert shown.json()["params"] == {"kind": "other"}
    assert "web page" in shown.json()["detail"]
    assert ask(door, batch, "0/link").status_code == 404


def test_a_link_is_signed_only_for_a_public_store(
    sqlite_url: str, s3_store_url: str, s3_bucket: tuple[str, str]
) -> None:
    settings = load_settings(
        database_url=sqlite_url,
        store_url=s3_store_url,
        redis_url="redis://127.0.0.1:1/0",
        s3_public_url="https://pictures.example.org",
    )
    with open_door(settings) as door:
        batch = batch_of(door, stored(door, png()))
        answer = ask(door, batch, "0/link").json()
    assert answer["url"].startswith(f"https://pictures.example.org/{s3_bucket[1]}/pool/uploads/")
    assert "X-Amz-Expires=60" in answer["url"]
    assert "response-content-disposition=attachment" in answer["url"]


def large_png(width: int, height: int) -> bytes:
    """Black, and some hundred times smaller as a file: 96 MP are 0.4 MB."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer, packed = zlib.compressobj(9), b""
    for _ in range(height):
        packed += packer.compress(bytes(1 + 3 * width))
    parts = ((b"IHDR", head), (b"IDAT", packed + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def test_a_hostile_picture_costs_only_its_own_process(
    sqlite_url: str, folder_store_url: str
) -> None:
    settings = load_settings(
        database_url=sqlite_url,
        store_url=folder_store_url,
        redis_url="redis://127.0.0.1:1/0",
        picture_processes=1,
        picture_megabytes=512,
    )
    with open_door(settings) as door:
        hostile, good = stored(door, large_png(12_000, 8_000)), stored(door, png())
        batch = batch_of(door, hostile, good)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = ask(door, batch, "0/thumbnail")
        assert answer.status_code == 422
        assert "memory" in answer.json()["detail"]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "KiB"
        assert ask(door, batch, "1/thumbnail").status_code == 200


def test_a_decoder_that_hangs_or_dies_is_replaced(door: Door, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(exist_ok=True)
    batch = batch_of(door, stored(door, png()))
    maker = Pictures(door.pool.settings, deadline_seconds=60)
    try:
        assert maker.make(door.pool, OfBatch(batch, 0), Kind.VIEW)
        [child] = maker._all
        maker._deadline = 1.0
        os.kill(child._process.pid, 19)
        with pytest.raises(ImageError, match="in time"):
            maker.make(door.pool, OfBatch(batch, 0), Kind.THUMBNAIL)
        maker._deadline = 60.0
        assert maker.make(door.pool, OfBatch(batch, 0), Kind.THUMBNAIL)
        [child] = maker._all
        os.kill(child._process.pid, 9)
        child._process.wait()
        assert maker.make(door.pool, OfBatch(batch, 0), Kind.THUMBNAIL)
    finally:
        maker.close()
    assert pictured.cached(door.pool, OfBatch(batch, 0), Kind.VIEW)
