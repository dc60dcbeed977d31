"""Deleting batches and uploads, and the hourly sweep; on both databases."""

from __future__ import annotations

import pytest
from services.clerk_office import Office, load_args
from sqlalchemy import select, update

from db import batches, removal, services, sweeping, tasks
from db.models import (
    BatchRow,
    IdempotencyRow,
    InstanceRow,
    JobRow,
    TaskRow,
    UploadFileRow,
    UploadRow,
)
from maskpool.domain import new_id
from maskpool.errors import Conflict, LeaseLost, NotFound
from maskpool.tasks import TaskKind
from producer import batches as use_cases
from producer.integrity.check import verify
from producer.integrity.orphans import collect
from storage.objects import keys

PNG = b"\x89PNG that nobody opens"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BLOCK", 7)


def test_a_batch_is_gone_at_once_and_cleared_away_later(office: Office) -> None:
    kept, gone = office.work.submit(9), office.work.submit(40)
    office.work.drain()
    office.store.put(keys.source_object(gone, "a.png"), PNG)
    office.store.put(keys.thumb_object(gone, "3", "view"), PNG)
    objects = len(list(office.store.list(keys.masks_prefix(gone)))) + 2
    task_id = office.delete(gone)
    with pytest.raises(NotFound):
        use_cases.progress(office.pool, gone)
    with pytest.raises(NotFound):
        office.pool.find(str(gone))
    with pytest.raises(NotFound):
        office.delete(gone)
    assert [one.batch_id for one in use_cases.recent(office.pool, limit=9)] == [kept]
    assert office.done(task_id) == {"rows": 40 + 120, "objects": objects}
    assert office.count(BatchRow, JobRow, InstanceRow) == [1, 9, 27]
    left = {one.key for one in office.store.list("")}
    assert left == {one.key for one in office.store.list(keys.masks_prefix(kept))}


def test_a_batch_at_work_is_cancelled_by_its_deletion(office: Office) -> None:
    batch_id = office.work.submit(10)
    [message, *_] = office.work.tick()
    taken = office.work.take(message)
    task_id = office.delete(batch_id)
    with pytest.raises(LeaseLost):
        office.work.finish(taken, *office.work.upload(taken))
    office.work.tick()
    office.done(task_id)
    assert office.work.tick() == []
    assert office.count(BatchRow, JobRow) == [0, 0]


def test_its_key_is_free_at_once(office: Office) -> None:
    batch_id = office.work.submit(1)
    with office.pool.database.read() as session:
        key, spec = session.execute(select(BatchRow.idempotency_key, BatchRow.spec)).one()
    office.delete(batch_id)
    with office.pool.database.write() as session:
        new = batches.NewBatch("ann", key, "again", "demo", spec, "images")
        assert batches.create_or_find(session, new).batch_id != batch_id


def test_rm_refuses_a_live_batch_and_goes_block_by_block(office: Office) -> None:
    batch_id = office.work.submit(40)
    with pytest.raises(Conflict, match="cancel it first"):
        use_cases.remove(office.pool, batch_id)
    office.work.drain()
    assert use_cases.remove(office.pool, batch_id).objects > 0
    assert office.count(BatchRow, JobRow, InstanceRow) == [0, 0, 0]


def test_an_upload_goes_unless_a_batch_was_made_of_it(office: Office) -> None:
    used, unused = office.upload({"a.png": PNG}), office.upload({"b.png": PNG})
    office.done(office.ask(TaskKind.LOAD, load_args(used)))
    refused = office.ask(TaskKind.DELETE, {"upload": str(used)})
    assert "holds the images of batch" in office.failed(refused)
    gone = office.done(office.ask(TaskKind.DELETE, {"upload": str(unused)}))
    assert gone["objects"] == 1
    assert office.count(UploadRow, UploadFileRow) == [1, 1]


def test_the_sweep_takes_what_nobody_needs(office: Office) -> None:
    owner, kept = office.user(), office.upload({"a.png": PNG})
    expired, wanted = office.upload({"b.png": PNG}), office.upload({"c.png": PNG})
    office.done(office.ask(TaskKind.LOAD, load_args(kept)))
    office.ask(TaskKind.LOAD, load_args(wanted))
    export = office.ask(TaskKind.EXPORT, {"batches": [str(new_id())]})
    office.failed(export)
    office.store.put(keys.export_object(export, new_id(), "coco.json"), b"{}")
    broken_off = office.work.submit(3)
    with office.pool.database.write() as session:
        removal.mark_deleted(session, broken_off)
        session.execute(update(UploadRow).values(expires_at=1))
        session.execute(update(TaskRow).where(TaskRow.id == export).values(expires_at=1))
        session.execute(update(BatchRow).where(BatchRow.id == broken_off).values(deleted_at=1))
        for key, moment in (("old", 1), ("new", 2**50)):
            said = {"route": "r", "request_hash": "0", "created_at": moment}
            session.add(IdempotencyRow(user_id=owner, key=key, **said))
    result = office.done(office.ask(TaskKind.EXPIRE, {}))
    assert result == {"uploads": 1, "tasks": 1, "deletions": 1, "answers": 1}
    assert office.count(UploadRow, IdempotencyRow) == [2, 1]
    assert not list(office.store.list(keys.EXPORTS))
    assert not list(office.store.list(keys.upload_prefix(expired)))
    assert len(list(office.store.list(keys.upload_prefix(wanted)))) == 1


def test_the_sweep_is_asked_for_once_an_hour(office: Office) -> None:
    office.keeper._beat()
    office.keeper._announced = float("-inf")
    office.keeper._beat()
    assert office.count(TaskRow) == [1]
    with office.pool.database.write() as session:
        session.execute(update(TaskRow).values(created_at=1))
        sweeping.ask_for_sweep(session)
    assert office.count(TaskRow) == [2]
    with office.pool.database.read() as session:
        assert [one.alive for one in services.seen(session, services.CLERK)] == [True]


def test_gc_takes_files_that_no_row_names(office: Office) -> None:
    kept = office.upload({"a.png": PNG})
    gone, running = new_id(), office.ask(TaskKind.EXPORT, {})
    office.store.put(keys.upload_object(gone, "a.png"), PNG)
    office.store.put(keys.thumb_object(gone, "1", "view"), PNG)
    office.store.put(keys.thumb_object(kept, "0" * 32, "view"), PNG)
    for task_id in (gone, running):
        office.store.put(keys.export_object(task_id, new_id(), "coco.json"), PNG)
    assert collect(office.pool.database, office.store).total.objects == 0
    collected = collect(office.pool.database, office.store, older_than=0)
    amounts = (collected.uploads, collected.exports, collected.thumbs)
    assert [one.objects for one in amounts] == [1, 1, 1]
    left = [keys.owner_of(one.key) for one in office.store.list("")]
    assert left == [running, kept, kept]


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"lease_id": None}, "has no lease"),
        ({"state": 2, "lease_id": None, "lease_until": None, "result": {}}, "nobody knows when"),
        ({"result": {}}, "without a result"),
        ({"lease_until": 1}, "lapsed minutes ago"),
    ],
)
def test_the_checker_finds_a_task_that_contradicts_itself(
    office: Office, planted: dict[str, object], said: str
) -> None:
    batch_id = office.work.submit(3, activate=False)
    with office.pool.database.write() as session:
        removal.mark_deleted(session, batch_id)
        removal.remove_jobs(session, batch_id, after=-1)
    task_id = office.ask(TaskKind.EXPIRE, {})
    with office.pool.database.write() as session:
        tasks.take(session, task_id, lease_ms=30_000)
    assert list(verify(office.pool.database, office.store)) == []
    with office.pool.database.write() as session:
        session.execute(update(TaskRow).values(planted))
    [found] = verify(office.pool.database, office.store)
    assert said in found.sentence
    assert str(task_id) in found.subject
