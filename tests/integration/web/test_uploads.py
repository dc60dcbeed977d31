"""Bringing images: whole, in parts, in archives; and what is refused on the way."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import re
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from services.clerk_office import zipped
from services.people import Door, open_door
from sqlalchemy import insert

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db import sweeping, upload_files
from db.models import UploadUseRow
from maskpool.domain import new_id
from maskpool.errors import Conflict
from maskpool.settings import Settings, load_settings
from producer import receiving, uploads
from producer.deletion import delete_upload
from producer.sources.passed import PassedOver
from producer.sources.uploads import UploadSource
from storage.objects import keys
from web import bodies

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


def settings_of(database_url: str, store_url: str, **more: Any) -> Settings:
    return load_settings(
        database_url=database_url, store_url=store_url, redis_url="redis://127.0.0.1:1/0", **more
    )


@pytest.fixture
def door(database_url: str, folder_store_url: str) -> Iterator[Door]:
    with open_door(settings_of(database_url, folder_store_url)) as door:
        yield door


@pytest.fixture
def lone(sqlite_url: str, folder_store_url: str) -> Iterator[Door]:
    """For what is refused as it is written: the database makes no difference."""
    with open_door(settings_of(sqlite_url, folder_store_url)) as door:
        yield door


@pytest.fixture(params=["folder", "s3"])
def either(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Door]:
    """On each store; the database makes no difference here."""
    store_url = request.getfixturevalue(f"{request.param}_store_url")
    with open_door(settings_of(sqlite_url, store_url)) as door:
        yield door


def begin(door: Door, who: str = "ann", **body: Any) -> str:
    answer = door.client.post("/api/v1/uploads", json=body, headers=door.as_(who))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def put(door: Door, upload: str, name: str, data: Any, who: str = "ann", **more: Any) -> Any:
    headers = {**door.as_(who), **more.pop("headers", {})}
    url = f"/api/v1/uploads/{upload}/files/{name}"
    return door.client.put(url, content=data, headers=headers, **more)


def names_in(door: Door, upload: str) -> list[str]:
    page = door.client.get(f"/api/v1/uploads/{upload}/files", headers=door.as_("ann")).json()
    return [one["name"] for one in page["files"]]


def test_a_file_is_brought_listed_and_becomes_a_source(door: Door) -> None:
    upload = begin(door, name="yard", team=str(door.team))
    for name in ("b.jpg", "a/1.jpg", "a/ü 1.png"):
        answer = put(door, upload, name, JPEG)
        assert answer.status_code == 201, answer.text
        assert answer.json()["sha256"] == hashlib.sha256(JPEG).hexdigest()
    shown = door.client.get(f"/api/v1/uploads/{upload}", headers=door.as_("ann")).json()
    assert (shown["files"], shown["bytes"], shown["used"]) == (3, 3 * len(JPEG), False)

    first = f"/api/v1/uploads/{upload}/files?limit=2"
    page = door.client.get(first, headers=door.as_("ann")).json()
    rest = door.client.get(f"{first}&after={page['next']}", headers=door.as_("ann")).json()
    assert len(page["files"]) + len(rest["files"]) == 3

    [listed] = door.client.get("/api/v1/uploads", headers=door.as_("bob")).json()["uploads"]
    assert listed["id"] == upload
    source = source_of(door, upload)
    refs = list(source.refs(PassedOver()))
    assert sorted(ref.name for ref in refs) == ["a/1.jpg", "a/ü 1.png", "b.jpg"]
    assert [ref.name for ref in source.refs()] == [ref.name for ref in refs]
    assert all(f"/{source.inside[0]}" in ref.uri for ref in refs)


def source_of(door: Door, upload: str) -> UploadSource:
    return UploadSource(rows_id(upload), door.pool.database, door.pool.store())


def rows_id(text: str) -> UUID:
    return UUID(text)


def test_the_same_file_again_is_the_same_and_another_is_refused(door: Door) -> None:
    upload = begin(door)
    assert put(door, upload, "a.jpg", JPEG).status_code == 201
    again = put(door, upload, "a.jpg", JPEG)
    assert (again.status_code, again.json()["size"]) == (201, len(JPEG))
    other = put(door, upload, "a.jpg", JPEG[:-1])
    assert (other.status_code, other.json()["code"]) == (409, "upload.another")
    key = keys.upload_object(rows_id(upload), "a.jpg")
    assert door.pool.store().get(key) == JPEG


def test_two_different_files_at_once_are_told(door: Door) -> None:
    """The second comes while the first is on its way: what is noted is what lies in the store."""
    upload = uploads.find(door.pool, door.people["ann"], rows_id(begin(door)))

    def first() -> Iterator[bytes]:
        yield JPEG
        receiving.receive(door.pool, upload, "a.jpg", iter([b"other"]))

    with pytest.raises(Conflict, match="there is another file"):
        receiving.receive(door.pool, upload, "a.jpg", first())
    with door.pool.database.read() as session:
        noted = upload_files.file(session, upload.id, "a.jpg")
    lies = door.pool.store().get(keys.upload_object(upload.id, "a.jpg"))
    assert noted is not None
    assert noted.sha256 == hashlib.sha256(lies).hexdigest()


@pytest.mark.parametrize(
    ("digest", "status"),
    [
        (hashlib.sha256(JPEG).digest(), 201),
        (hashlib.sha256(b"").digest(), 422),
        (b"short", 400),
    ],
)
def test_a_promised_hash_is_checked(door: Door, digest: bytes, status: int) -> None:
    upload = begin(door)
    header = f"sha-256=:{base64.b64encode(digest).decode()}:"
    answer = put(door, upload, "a.jpg", JPEG, headers={"Content-Digest": header})
    assert answer.status_code == status, answer.text
    assert names_in(door, upload) == (["a.jpg"] if status == 201 else [])
    assert len(list(door.pool.store().list(""))) == (status == 201)


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fa.jpg",
        "a/..%2F..%2Fb.jpg",
        "a%2F%2Fb.jpg",
        "%2Fetc%2Fa.jpg",
        "a%00.jpg",
        "a%5C..%5Cb.jpg",
        ".maskpool-writing-x.jpg",
        ".hidden/a.jpg",
        "a%0Ab.jpg",
        "a.json",
        "a.exe",
        "noending",
        "x" * 256 + ".jpg",
        "/".join(["y" * 200] * 5) + ".jpg",
    ],
)
def test_odd_names_are_refused_by_name(lone: Door, name: str) -> None:
    door, upload = lone, begin(lone)
    answer = put(door, upload, name, JPEG)
    assert answer.status_code in (404, 422), answer.text
    assert names_in(door, upload) == []
    assert list(door.pool.store().list("")) == []


def test_parts_come_in_any_order_and_are_joined(either: Door) -> None:
    door, upload = either, begin(either)
    data = hashlib.shake_128(b"x").digest(3_000_000)
    cut = [data[:1_000_000], data[1_000_000:1_000_001], data[1_000_001:]]
    first = put(door, upload, "a.tif?part=3&of=3", cut[2])
    assert (first.status_code, first.json()["missing"]) == (201, 2)
    put(door, upload, "a.tif?part=1&of=3", b"cut off, and sent again")
    put(door, upload, "a.tif?part=1&of=3", cut[0])
    url = f"/api/v1/uploads/{upload}/parts/a.tif?of=3"
    assert door.client.get(url, headers=door.as_("ann")).json() == {"parts": [1, 3], "of": 3}
    # Nobody noted of how many parts it is made, so the list says nothing of that.
    listed = door.client.get(f"/api/v1/uploads/{upload}/files", headers=door.as_("ann")).json()
    assert listed["files"] == [{"name": "a.tif", "size": None, "sha256": None}]
    passed = PassedOver()
    assert list(source_of(door, upload).refs(passed)) == []
    assert passed.counts == {"file whose parts are not all there": 1}

    last = put(door, upload, "a.tif?part=2&of=3", cut[1]).json()

    assert (last["size"], last["missing"]) == (len(data), 0)
    assert last["sha256"] == hashlib.sha256(data).hexdigest()
    store = door.pool.store()
    assert store.get(keys.upload_object(rows_id(upload), "a.tif")) == data
    assert list(store.list(keys.PARTS)) == []
    again = put(door, upload, "a.tif?part=2&of=3", cut[1])
    assert again.json()["sha256"] == last["sha256"], "the answer was lost"
    assert put(door, upload, "b.tif?part=4&of=3", b"x").status_code == 422


def test_what_is_left_of_a_file_that_was_never_whole_can_be_deleted_and_sent_anew(
    either: Door,
) -> None:
    """Also where a batch uses the upload: it has no such file."""
    door, upload = either, begin(either)
    put(door, upload, "whole.tif", JPEG)
    for number in (1, 2):
        put(door, upload, f"a.tif?part={number}&of=3", b"wrong")
        put(door, upload, f"b.tif?part={number}&of=3", b"right")
    with door.pool.database.write() as session:
        values = {"upload_id": rows_id(upload), "batch_id": new_id()}
        session.execute(insert(UploadUseRow).values(values))
    url = f"/api/v1/uploads/{upload}/files"
    assert door.client.delete(f"{url}/whole.tif", headers=door.as_("ann")).status_code == 409
    assert door.client.delete(f"{url}/a.tif", headers=door.as_("ann")).status_code == 204
    assert door.client.delete(f"{url}/a.tif", headers=door.as_("ann")).status_code == 404
    assert names_in(door, upload) == ["b.tif", "whole.tif"]
    missing = [put(door, upload, f"a.tif?part={n}&of=3", b"right").json() for n in (3, 2, 1)]
    assert [one["missing"] for one in missing] == [2, 1, 0], "no part of before was joined"
    assert put(door, upload, "b.tif?part=3&of=3", b"right").json()["size"] == 15
    assert door.pool.store().get(keys.upload_object(rows_id(upload), "a.tif")) == b"right" * 3


def test_manifests_are_taken_and_other_files_are_told_what_would_be(lone: Door) -> None:
    door, upload = lone, begin(lone)
    taken = ["a.txt", "b/c.JSONL", "d.csv", "e.tsv", "f.ndjson", "g.manifest"]
    for name in taken:
        assert put(door, upload, name, b"a.jpg\n").status_code == 201
    assert names_in(door, upload) == sorted(taken)
    refused = put(door, upload, "h.json", b"{}")
    assert (refused.status_code, refused.json()["params"]["field"]) == (422, "name")
    for ending in (".jpg", ".jsonl", ".zip"):
        assert ending in refused.json()["detail"]


def test_a_part_of_another_file_is_not_taken_for_one_of_the_file_that_is_there(
    either: Door,
) -> None:
    door, upload = either, begin(either)
    data = hashlib.shake_128(b"x").digest(2_500)
    assert put(door, upload, "a.tif", data).status_code == 201
    cut, other = [data[:1_000], data[1_000:2_000], data[2_000:]], b"y" * 1_000
    for number, part in enumerate(cut, 1):
        query = f"a.tif?part={number}&of=3"
        assert put(door, upload, query, part).status_code == 201, "its answer was lost"
        assert put(door, upload, query, other).status_code == 409
        assert put(door, upload, query, data + other).status_code == 409
    assert put(door, upload, "a.tif?part=1&of=1", data).status_code == 201
    assert put(door, upload, "a.tif?part=1&of=1", data[-9:]).status_code == 409


@pytest.mark.parametrize(("query", "missing"), [("part=1", "of"), ("of=2", "part")])
def test_a_part_alone_never_becomes_the_file(lone: Door, query: str, missing: str) -> None:
    door, upload = lone, begin(lone)
    answer = put(door, upload, f"a.tif?{query}", JPEG)
    assert (answer.status_code, answer.json()["params"]["field"]) == (422, missing)
    url = f"/api/v1/uploads/{upload}/parts/a.tif"
    assert door.client.get(url, headers=door.as_("ann")).json()["params"]["field"] == "of"
    assert names_in(door, upload) == []


@pytest.mark.parametrize(
    ("name", "status"), [("a%0A.jpg", 422), ("a.jpg%0A", 422), ("a%FF.jpg", 400), ("a%C3.jpg", 400)]
)
def test_a_name_is_taken_as_it_was_sent_or_refused(lone: Door, name: str, status: int) -> None:
    door, upload = lone, begin(lone)
    answer = put(door, upload, name, JPEG)
    assert (answer.status_code, names_in(door, upload)) == (status, [])


def tar_of(*members: tuple[Any, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def send_tar(door: Door, upload: str, data: Any) -> Any:
    return door.client.post(f"/api/v1/uploads/{upload}/tar", content=data, headers=door.as_("ann"))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_taken_as_it_comes(either: Door, mode: str) -> None:
    door, upload = either, begin(either)
    data = tar_of(
        ("./a/1.jpg", JPEG),
        ("a/2.png", JPEG[:99]),
        ("notes.txt", b"x"),
        ("._1.jpg", b"x"),
        ("../up.jpg", JPEG),
        ("/etc/abs.jpg", JPEG),
        ("a/../../b.jpg", JPEG),
        (odd("link.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (odd("hard.jpg", tarfile.LNKTYPE, "a/1.jpg"), b""),
        (odd("null.jpg", tarfile.CHRTYPE), b""),
        (odd("pipe.jpg", tarfile.FIFOTYPE), b""),
        (odd("folder.jpg", tarfile.DIRTYPE), b""),
        mode=mode,
    )
    answer = send_tar(door, upload, data).json()
    assert (answer["files"], answer["bytes"]) == (2, len(JPEG) + 99)
    assert answer["passed_over"] == {".txt": 1, "hidden file": 1}
    assert answer["refused_count"] == 7
    assert answer["refused"]["'link.jpg'"] == "is a link"
    assert answer["refused"]["'../up.jpg'"] == "has a part '.' or '..'"
    assert names_in(door, upload) == ["a/1.jpg", "a/2.png"]
    assert send_tar(door, upload, data).json()["files"] == 2, "again the same"


@pytest.mark.parametrize("between", [0, 40], ids=["at once", "noted before"])
def test_the_second_of_one_name_in_a_tar_is_told_and_the_first_stays(
    either: Door, between: int
) -> None:
    upload = begin(either)
    others = [(f"{number}.jpg", b"x%d" % number) for number in range(between)]
    data = tar_of(("a.jpg", JPEG), *others, ("a.jpg", b"another"), ("a.jpg", JPEG))
    answer = send_tar(either, upload, data).json()
    assert answer["files"] == between + 2, "the third is the first once more"
    [refused] = answer["refused"].values()
    assert "there is another file" in refused
    with either.pool.database.read() as session:
        found = upload_files.file(session, UUID(upload), "a.jpg")
    assert found is not None
    assert found.sha256 == hashlib.sha256(JPEG).hexdigest()
    key = keys.upload_object(UUID(upload), "a.jpg")
    assert either.pool.store().get(key) == JPEG


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no tar at all" * 100, "is no tar, or is damaged"),
        (tar_of(("a.jpg", JPEG))[:5_000], "cut off"),
        (gzip.compress(tar_of(("a.jpg", JPEG)))[:-30], "cut off"),
        (b"BZh91AY&SY" + bytes(100), "bzip2, xz or zstd"),
        (tar_of(("n" * 100_000 + ".jpg", JPEG)), "has a header of"),
    ],
)
def test_a_damaged_tar_is_refused(lone: Door, data: bytes, sentence: str) -> None:
    answer = send_tar(lone, begin(lone), data)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_bombs_stop_at_the_limits(sqlite_url: str, folder_store_url: str) -> None:
    limits = settings_of(
        sqlite_url,
        folder_store_url,
        upload_bytes=3_000_000,
        upload_files=3,
        max_image_bytes=1_000_000,
    )
    with open_door(limits) as door:
        upload = begin(door)
        assert put(door, upload, "a.jpg", bytes(1_000_001)).status_code == 413
        bomb = gzip.compress(tar_of(("a.txt", bytes(50_000_000))))
        assert send_tar(door, upload, bomb).status_code == 413
        large = send_tar(door, upload, tar_of(("a.jpg", bytes(1_000_001)), ("b.jpg", b"b")))
        assert (large.json()["files"], large.json()["refused_count"]) == (1, 1)
        many = send_tar(door, upload, tar_of(*((f"{n}.jpg", b"x") for n in range(5))))
        assert many.status_code == 422
        assert "as many as one may have" in many.json()["detail"]
        other = begin(door)
        assert put(door, other, "a.zip", bytes(3_000_001)).status_code == 413
        used = sum(one.size for one in door.pool.store().list(""))
    assert used < 1_000_000


def test_zeros_behind_a_refused_member_are_not_unpacked(lone: Door) -> None:
    """Python's reader takes minutes for them: it copies what it made for each piece it reads."""
    zeros = tarfile.TarInfo("zeros.jpg")
    zeros.size = 400_000_000
    squeeze = zlib.compressobj(9, wbits=31)
    data = squeeze.compress(
        tar_of(("a.jpg", JPEG))[: 512 + -(-len(JPEG) // 512) * 512] + zeros.tobuf()
    )
    data += b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(400)) + squeeze.flush()
    assert len(data) < 500_000
    answer = send_tar(lone, begin(lone), data)
    assert answer.status_code == 422
    made = re.search(r"became ([\d,]+) and more, over 200 from each", answer.json()["detail"])
    assert made
    assert int(made[1].replace(",", "")) < 100_000_000


def test_files_of_gzip_that_follow_each_other_are_one_archive(lone: Door) -> None:
    whole = tar_of(("a.jpg", JPEG), ("b.jpg", JPEG))
    at = len(whole) // 2
    data = gzip.compress(whole[:at]) + gzip.compress(whole[at:]) + bytes(512)
    assert send_tar(lone, begin(lone), data).json()["files"] == 2


def test_a_tar_that_gzip_says_is_damaged_is_refused(lone: Door) -> None:
    data = bytearray(gzip.compress(tar_of(("a.jpg", JPEG), ("b.jpg", bytes(100_000)))))
    data[-6] ^= 1
    answer = send_tar(lone, begin(lone), bytes(data))
    assert (answer.status_code, "damaged" in answer.json()["detail"]) == (422, True)


def test_a_zip_waits_for_the_clerk(door: Door) -> None:
    answer = put(door, begin(door), "all.zip", b"PK").json()
    assert answer["task"]


def test_what_came_out_of_a_zip_is_shown(door: Door) -> None:
    packed = zipped({"a.jpg": JPEG, "b.txt": b""})
    task = put(door, begin(door), "all.zip", packed).json()["task"]
    lease = {"lease_seconds": 30.0, "heartbeat_seconds": 0.1}
    keeper = TaskKeeper(door.pool.database, new_id(), "here:1", **lease)
    TaskRunner(door.pool, keeper).run(UUID(task))
    ann = door.as_("ann")
    shown = door.client.get(f"/api/v1/tasks/{task}", headers=ann).json()
    assert (shown["state"], shown["files"]) == ("done", [])
    assert shown["result"]["files"] == 1
    assert door.client.get("/api/v1/tasks", headers=ann).json()["tasks"] == [shown]


def test_who_may(door: Door) -> None:
    mine, ours = begin(door), begin(door, team=str(door.team))
    for who, of_mine, of_ours in (
        ("ann", 201, 201),
        ("bob", 404, 403),
        ("vic", 403, 403),  # reads, and has no right to bring anything
        ("eve", 404, 404),
        ("nobody", 401, 401),
    ):
        assert put(door, mine, f"{who}.jpg", JPEG, who).status_code == of_mine, who
        assert put(door, ours, f"{who}.jpg", JPEG, who).status_code == of_ours, who
    assert door.client.get(f"/api/v1/uploads/{ours}", headers=door.as_("vic")).status_code == 200
    assert door.client.get(f"/api/v1/uploads/{mine}", headers=door.as_("vic")).status_code == 404
    stranger = door.client.post(
        "/api/v1/uploads", json={"team": str(door.team)}, headers=door.as_("eve")
    )
    assert stranger.status_code == 404
    extra = door.client.post("/api/v1/uploads", json={"nme": "x"}, headers=door.as_("ann"))
    assert extra.status_code == 422


def test_what_a_batch_uses_stays(door: Door) -> None:
    used, other, batch = begin(door), begin(door), new_id()
    for upload in (used, other):
        put(door, upload, "a.jpg", JPEG)
    with door.pool.database.write() as session:
        values = {"upload_id": rows_id(used), "batch_id": batch}
        session.execute(insert(UploadUseRow).values(values))
    url = "/api/v1/uploads"
    ann = door.as_("ann")
    assert door.client.delete(f"{url}/{used}", headers=ann).status_code == 409
    assert door.client.delete(f"{url}/{used}/files/a.jpg", headers=ann).status_code == 409
    assert door.client.delete(f"{url}/{other}/files/b.jpg", headers=ann).status_code == 404
    assert door.client.delete(f"{url}/{other}/files/a.jpg", headers=ann).status_code == 204
    assert door.client.delete(f"{url}/{other}", headers=ann).status_code == 202
    assert door.client.get(f"{url}/{other}", headers=ann).status_code == 404
    assert put(door, other, "late.jpg", JPEG).status_code == 404
    with door.pool.database.read() as session:
        assert sweeping.expired_uploads(session) == [rows_id(other)]
    store = door.pool.store()
    assert delete_upload(door.pool.database, store, rows_id(other)) == 0
    assert [one.key for one in store.list("")] == [keys.upload_object(rows_id(used), "a.jpg")]


def test_a_large_upload_takes_little_memory(either: Door) -> None:
    """100 MB pass through in bounded memory: the sender waits for the store."""
    door, upload = either, begin(either)
    piece, count = bytes(1_000_000), 100
    asyncio.run(put_raw(door, upload, piece, 1))
    tracemalloc.start()
    try:
        status = asyncio.run(put_raw(door, upload, piece, count))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert status == 201
    assert peak < 50_000_000
    with door.pool.database.read() as session:
        noted = upload_files.file(session, rows_id(upload), f"{count}.jpg")
    assert noted is not None
    assert noted.size == count * len(piece)


def test_a_sender_that_leaves_leaves_nothing(door: Door) -> None:
    upload = begin(door)
    assert asyncio.run(put_raw(door, upload, JPEG, 3, leaves=True)) == 400
    assert names_in(door, upload) == []
    assert list(door.pool.store().list("")) == []


async def put_raw(
    door: Door, upload: str, piece: bytes, count: int, *, leaves: bool = False
) -> int:
    """Send pieces as a server hands them over: one when the one before was read."""
    left = iter(range(count))
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        if next(left, None) is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        if leaves:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        answers.append(message)

    path = f"/api/v1/uploads/{upload}/files/{count}.jpg"
    headers = [(b"x-test-user", b"ann"), (b"host", b"127.0.0.1:8080")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }
    bodies._made = None
    await door.client.app(scope, receive, send)  # type: ignore[arg-type]
    bodies._made = None
    return int(answers[0]["status"])
