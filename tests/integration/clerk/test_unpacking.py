"""Archives that are taken apart where they lie; on both databases."""

from __future__ import annotations

import io
import stat
import zipfile
from uuid import UUID

import pytest
from services.clerk_office import Office, zipped
from sqlalchemy import select

from db.models import UploadFileRow
from maskpool.errors import Permanent
from maskpool.tasks import TaskKind
from producer.archives.ranged import RangedFile
from storage.objects import keys

PNG = b"\x89PNG that nobody opens"


def asked(office: Office, content: bytes) -> tuple[UUID, UUID]:
    upload_id = office.upload({"all.zip": content})
    args = {"upload": str(upload_id), "name": "all.zip"}
    return upload_id, office.ask(TaskKind.UNPACK, args)


def test_a_zip_becomes_the_files_of_its_upload(office: Office) -> None:
    large = PNG * 3_000
    junk = {"n.txt": b"x", "__MACOSX/._a.png": b"x", ".hidden.png": b"x"}
    upload_id, task_id = asked(office, zipped({"a.png": large, "ü/b.jpg": PNG, **junk}))
    result = office.done(task_id)
    assert (result["files"], result["bytes"]) == (2, len(large) + len(PNG))
    assert result["passed_over"] == {".txt": 1, "hidden file": 2}
    stored = {one.key for one in office.store.list(keys.UPLOADS)}
    assert stored == {keys.upload_object(upload_id, name) for name in ("a.png", "ü/b.jpg")}
    assert office.store.get(keys.upload_object(upload_id, "a.png")) == large
    with office.pool.database.read() as session:
        rows = session.execute(select(UploadFileRow.name, UploadFileRow.size)).all()
    assert sorted(map(tuple, rows)) == [("a.png", len(large)), ("ü/b.jpg", len(PNG))]


def renamed(name: str) -> bytes:
    return zipped({"aaaa.png": PNG}).replace(b"aaaa.png", name.encode())


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def patched(content: bytes, places: dict[bytes, int], value: bytes) -> bytes:
    changed = bytearray(content)
    for mark, offset in places.items():
        at = changed.index(mark) + offset
        changed[at : at + len(value)] = value
    return bytes(changed)


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
SMALL = zipped({"a.png": PNG * 100})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (renamed("/etc/png"), "starts or ends with '/'"),
        (renamed("../a.png"), "'..'"),
        (renamed("aa\\a.png"), "backslash"),
        (linked(), "is a link"),
        (patched(SMALL, {CENTRAL: 8}, b"\x01"), "is encrypted"),
        (None, "times its size"),
        (patched(SMALL, {CENTRAL: 24}, (2**31).to_bytes(4, "little")), "MAX_IMAGE_BYTES"),
        (patched(SMALL, {CENTRAL: 24, LOCAL: 22}, (5).to_bytes(4, "little")), "a.png"),
        (patched(SMALL, {CENTRAL: 16, LOCAL: 14}, b"1234"), "is damaged"),
        (SMALL[:-30], "is no zip"),
        (b"", "is no zip"),
    ],
)
def test_a_bad_zip_leaves_nothing_but_a_sentence(
    office: Office, content: bytes | None, said: str
) -> None:
    if content is None:  # a bomb, made here: at import, each process that runs tests would make it
        content = zipped({"a.png": bytes(80_000_000)})
    upload_id, task_id = asked(office, content)
    assert said in office.failed(task_id)
    archive = keys.upload_object(upload_id, "all.zip")
    assert [one.key for one in office.store.list("")] == [archive]


def test_an_object_is_read_by_ranges(office: Office) -> None:
    content = bytes(range(256)) * 100_000
    office.store.put("uploads/x", content)
    file = RangedFile(office.store, "uploads/x")
    for at, length in ((0, 10), (25_599_990, 100), (5_000_000, 3), (5_000_001, 5_000_000)):
        file.seek(at)
        assert file.read(length) == content[at : at + length]
        assert file.tell() == min(at + length, len(content))
    file.seek(-3, io.SEEK_END)
    assert file.read() == content[-3:]


def test_a_huge_directory_is_not_read(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.archives.ranged._MAX_READ", 1_000)
    office.store.put("uploads/x", zipped({f"{n:03d}.png": b"" for n in range(100)}))
    with pytest.raises(Permanent, match="split the archive"):
        zipfile.ZipFile(RangedFile(office.store, "uploads/x"))
