"""What an upload's row counts is what its files' rows hold, whatever came, went or died between."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from services.people import Door, open_door
from sqlalchemy import event, func, select, update

from db import upload_files, uploads
from db.models import UploadFileRow, UploadRow
from db.session import Database
from db.upload_files import NewFile, UploadFile, WholeFile
from maskpool.errors import Conflict, NotFound, Permanent
from maskpool.settings import load_settings
from producer import receiving, tars
from producer import uploads as of_caller
from producer.arrivals import Arrivals
from producer.deletion import delete_upload
from producer.noting import Noting
from producer.receiving import Part
from storage.objects.folder import FolderStore


@pytest.fixture
def door(database_url: str, folder_store_url: str) -> Iterator[Door]:
    url = "redis://127.0.0.1:1/0"
    settings = load_settings(
        database_url=database_url, store_url=folder_store_url, redis_url=url, upload_files=40
    )
    with open_door(settings) as door:
        yield door


def begin(door: Door) -> UUID:
    return of_caller.create(door.pool, door.people["ann"], name="", team_id=None).id


def counted(database: Database, upload_id: UUID) -> tuple[int, int]:
    """What is counted; it is what there is, and what the user is charged for."""
    with database.read() as session:
        whole = UploadFileRow.size.is_not(None)
        there = session.execute(
            select(func.count(), func.coalesce(func.sum(UploadFileRow.size), 0)).where(
                UploadFileRow.upload_id == upload_id, whole
            )
        ).one()
        row = session.execute(
            select(UploadRow.files, UploadRow.size).where(UploadRow.id == upload_id)
        ).one()
        total = session.scalar(
            select(func.sum(UploadFileRow.size))
            .join(UploadRow, UploadRow.id == UploadFileRow.upload_id)
            .where(UploadRow.expires_at > 0, UploadRow.user_id == 1)
        )
        assert uploads.bytes_of_user(session, 1) == int(total or 0)
    assert tuple(row) == (there[0], int(there[1]))
    return tuple(row)


def test_counts_never_drift(door: Door) -> None:
    database, upload_id = door.pool.database, begin(door)
    upload = of_caller.find(door.pool, door.people["ann"], upload_id)
    arrivals = Arrivals(door.pool)

    def bring(name: str, data: bytes, part: Part | None = None) -> None:
        receiving.receive(door.pool, upload, name, [data], part=part, arrivals=arrivals)

    bring("a.jpg", b"12345")
    bring("a.jpg", b"12345")
    with pytest.raises(Conflict):
        bring("a.jpg", b"other")
    assert counted(database, upload_id) == (1, 5)
    bring("b.jpg", b"12", Part(1, 2))
    assert counted(database, upload_id) == (1, 5)
    bring("b.jpg", b"34", Part(2, 2))
    assert counted(database, upload_id) == (2, 9)
    with database.write() as session:  # as the clerk does with an archive
        whole = [WholeFile("b.jpg", 7, "0"), WholeFile("c.jpg", 1, "0")]
        upload_files.keep(session, upload_id, [*whole, WholeFile("c.jpg", 2, "1")])
    assert counted(database, upload_id) == (3, 14)
    with database.write() as session:
        upload_files.correct(session, upload_id, "c.jpg", 11, "2")
        assert upload_files.remove(session, upload_id, "a.jpg")
        assert not upload_files.remove(session, upload_id, "a.jpg")
    assert counted(database, upload_id) == (2, 18)
    other = begin(door)
    with database.write() as session:
        upload_files.note(session, [NewFile(other, UploadFile("x.jpg", 100, "0"))])
    assert counted(database, other) == (1, 100)
    with database.write() as session:  # its time is over, but a file of it may still be taken away
        session.execute(update(UploadRow).where(UploadRow.id == other).values(expires_at=0))
    with database.write() as session:
        upload_files.remove(session, other, "x.jpg")
    assert counted(database, other) == (0, 0)
    delete_upload(database, door.pool.store(), other)
    assert counted(database, upload_id) == (2, 18)


def test_counts_hold_under_many_hands(door: Door) -> None:
    """Threads bring the same few files and take them away; some end before they commit."""
    database, upload_id = door.pool.database, begin(door)
    upload = of_caller.find(door.pool, door.people["ann"], upload_id)
    noting, rng = Noting(door.pool), random.Random(5)
    dies = [rng.random() < 0.1 for _ in range(1_000)]

    def die(_: object) -> None:
        if dies.pop():
            raise Permanent("killed before it was committed")

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            name = f"{chance.randrange(4)}.jpg"
            try:
                if chance.random() < 0.7:
                    noting.note(upload, UploadFile(name, chance.randrange(9), str(uuid4())))
                else:
                    with database.write() as session:
                        upload_files.remove(session, upload_id, name)
            except Permanent:
                pass

    engine = database._engine
    event.listen(engine, "commit", die)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    event.remove(engine, "commit", die)
    assert 0 <= counted(database, upload_id)[0] <= 4


def test_one_transaction_for_all_who_wait(door: Door) -> None:
    """What cannot be noted is told to whoever brought it, and to nobody else."""
    upload = of_caller.find(door.pool, door.people["ann"], begin(door))
    gone = of_caller.find(door.pool, door.people["ann"], begin(door))
    delete_upload(door.pool.database, door.pool.store(), gone.id)
    noting = Noting(door.pool)

    def bring(number: int) -> str:
        where = gone if number % 5 == 0 else upload
        try:
            found = noting.note(where, UploadFile(f"{number % 11}.jpg", number, str(number)))
        except NotFound:
            return "gone"
        return "noted" if found.file.sha256 == str(number) else "another"

    with noting._turn, ThreadPoolExecutor(20) as threads:
        told = [threads.submit(bring, number) for number in range(20)]
        while len(noting._waiting) < 20:
            pass
        commits: list[object] = []
        event.listen(door.pool.database._engine, "commit", commits.append)
        noting._turn.release()
        heard = [one.result() for one in told]
        noting._turn.acquire()
    assert [one == "gone" for one in heard] == [number % 5 == 0 for number in range(20)]
    assert heard.count("noted") == 10
    assert len(commits) == 2, "the second is for those with a name that another brought as well"
    assert counted(door.pool.database, upload.id)[0] == 10


def test_a_full_upload_takes_no_more_though_all_come_at_once(door: Door) -> None:
    upload = of_caller.find(door.pool, door.people["ann"], begin(door))

    def bring(number: int) -> bool:
        try:
            receiving.receive(door.pool, upload, f"{number}.jpg", [b"x"], arrivals=arrivals)
        except Permanent:
            return False
        return True

    with Arrivals(door.pool) as arrivals, ThreadPoolExecutor(8) as threads:
        taken = sum(threads.map(bring, range(60)))
        assert taken <= 40 + 8, "no more than come at the same moment"
        while bring(100 + taken):  # a place that was kept for one that had come meanwhile
            taken += 1
    assert counted(door.pool.database, upload.id)[0] == taken >= 40


def test_a_tar_that_ends_in_any_fault_gives_all_places_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = of_caller.find(door.pool, door.people["ann"], begin(door))
    buffer, written = io.BytesIO(), FolderStore.put_stream
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(12):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))

    def put(store: FolderStore, key: str, *words: Any) -> tuple[int, str]:
        if key.endswith("/7.jpg"):
            raise RuntimeError("of a kind that nobody thought of")
        return written(store, key, *words)

    monkeypatch.setattr(FolderStore, "put_stream", put)
    with Arrivals(door.pool) as arrivals:
        with pytest.raises(RuntimeError, match="nobody thought of"):
            tars.unpack(door.pool, upload, [buffer.getvalue()], arrivals)
        assert not arrivals._coming
    files, size = counted(door.pool.database, upload.id)
    # Those behind it are read as long as its fault was not seen.
    assert 7 <= files <= 11, "what came before it is in the upload"
    assert files == size, "a byte for each"
