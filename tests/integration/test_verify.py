"""The checker: silent about a sound world at each step, and loud about each planted fault."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from services.command_line import maskpool
from services.plain_pool import SIZE, PlainPool, a_result
from sqlalchemy import delete, insert, select, update

from db import batches, lookup
from db.chunks import reap
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow
from db.session import Database
from maskpool import rle
from maskpool.domain import ChunkState, Found, Instance, JobResult, JobState, new_id
from maskpool.errors import NotFound
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.integrity import masks
from producer.integrity.check import verify
from producer.integrity.findings import Finding, Kind, Tally
from storage.objects import keys, open_store


@pytest.fixture(params=["embedded", "team"])
def urls(request: pytest.FixtureRequest) -> tuple[str, str]:
    names = {
        "embedded": ("sqlite_url", "folder_store_url"),
        "team": ("postgres_url", "s3_store_url"),
    }[request.param]
    return str(request.getfixturevalue(names[0])), str(request.getfixturevalue(names[1]))


@pytest.fixture
def environment(urls: tuple[str, str]) -> dict[str, str]:
    environment = {"MASKPOOL_DATABASE_URL": urls[0], "MASKPOOL_STORE_URL": urls[1]}
    environment["MASKPOOL_REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody listens, nobody asks
    return environment


@pytest.fixture
def pool(urls: tuple[str, str], request: pytest.FixtureRequest) -> Iterator[PlainPool]:
    endpoint = ""
    if urls[1].startswith("s3:"):
        endpoint = request.getfixturevalue("s3_bucket")[0]
    database = Database(urls[0])
    yield PlainPool(database, open_store(urls[1], endpoint_url=endpoint))
    database.close()


def found(pool: PlainPool) -> list[Finding]:
    return list(verify(pool.database, pool.store))


def kinds(pool: PlainPool) -> set[Kind]:
    return {one.kind for one in found(pool)}


def change(pool: PlainPool, *statements: object) -> None:
    with pool.database.write() as session:
        for statement in statements:
            session.execute(statement)


def objects(store: ObjectStore) -> list[str]:
    return [one.key for one in store.list("")]


def test_a_sound_world_has_no_findings_at_any_step_of_it(pool: PlainPool) -> None:
    loading = pool.submit(3, activate=False)
    batch = pool.submit(10, objects=True)
    assert found(pool) == []
    first, second = pool.tick()
    assert found(pool) == [], "queued"
    taken = pool.take(first)
    assert found(pool) == [], "taken"
    content = pool.upload(taken)
    assert found(pool) == [], "uploaded: the live chunk names the object"
    pool.finish(taken, *content)
    assert found(pool) == [], "finished, not folded"
    pool.tick()
    assert found(pool) == [], "folded"
    with pool.database.write() as session:
        batches.pause(session, batch)
    assert found(pool) == [], "paused"
    pool.tick()
    with pool.database.write() as session:
        batches.resume(session, batch)
    pool.drain()
    with pool.database.write() as session:
        batches.cancel(session, loading)
    tally = Tally()
    assert list(verify(pool.database, pool.store, tally=tally)) == []
    assert (tally.batches, tally.jobs, tally.instances) == (2, 13, 60)
    assert tally.objects == len(objects(pool.store)) == 3
    assert second.batch_id == batch


def test_a_cancel_and_a_lost_worker_leave_a_sound_world(pool: PlainPool) -> None:
    batch = pool.submit(10, objects=True)
    lost, running = pool.tick()
    pool.take(lost, lease_ms=-1)
    pool.take(running)
    with pool.database.write() as session:
        assert reap.reap_one(session, 30_000)
    assert found(pool) == [], "reaped"
    with pool.database.write() as session:
        batches.cancel(session, batch)
    assert found(pool) == [], "cancelled, not folded"
    pool.tick()
    assert found(pool) == []


def test_a_lost_row_is_found(pool: PlainPool) -> None:
    batch = pool.submit(10)
    pool.drain()
    mine = (JobRow.batch_id == batch, JobRow.seq.in_([3, 4, 9]))
    change(pool, delete(JobRow).where(*mine))
    lost = [one.subject for one in found(pool) if one.kind == Kind.JOB]
    assert lost == ["jobs 3 to 4", "job 9"]
    assert {Kind.COUNTER, Kind.PLACE, Kind.INSTANCES} <= kinds(pool)


def test_a_row_too_many_is_found(pool: PlainPool) -> None:
    batch = pool.submit(5)
    row = {"batch_id": batch, "seq": 5, "name": "x", "image_uri": "file:///x"}
    change(pool, insert(JobRow).values(row))
    assert kinds(pool) == {Kind.JOB}


def test_a_claimed_job_that_nobody_holds_is_found(pool: PlainPool) -> None:
    batch = pool.submit(6)
    first, _ = pool.tick()
    change(pool, delete(ChunkRow).where(ChunkRow.id == first.chunk_id))
    lost = found(pool)
    assert {one.kind for one in lost} == {Kind.UNCLAIMED}
    assert [one.subject for one in lost] == [f"job {seq}" for seq in range(4)]
    assert {one.batch_id for one in lost} == {batch}


@pytest.mark.parametrize("column", ["done", "failed"])
def test_a_wrong_counter_is_found(pool: PlainPool, column: str) -> None:
    batch = pool.submit(10)
    pool.work(pool.tick()[0])
    change(
        pool,
        update(BatchRow)
        .where(BatchRow.id == batch)
        .values({column: getattr(BatchRow, column) + 1}),
    )
    assert [(one.kind, one.subject) for one in found(pool)] == [(Kind.COUNTER, column)]


def test_an_end_that_was_counted_twice_is_found(pool: PlainPool) -> None:
    pool.submit(10)
    message = pool.tick()[0]
    pool.work(message)
    with pool.database.read() as session:
        chunk = session.scalars(select(ChunkRow).where(ChunkRow.id == message.chunk_id)).one()
        twin = {name.key: getattr(chunk, name.key) for name in ChunkRow.__table__.columns}
    change(pool, insert(ChunkRow).values({**twin, "id": new_id()}))
    assert kinds(pool) == {Kind.COUNTER}
    pool.tick()
    assert kinds(pool) == {Kind.COUNTER}, "the fold keeps what was counted"


def test_an_open_job_of_an_ended_batch_is_found(pool: PlainPool) -> None:
    batch = pool.submit(3)
    pool.drain()
    cut = {"masks_key": None, "masks_offset": None, "masks_length": None}
    cut |= {"width": None, "height": None, "n_instances": None}
    mine = (JobRow.batch_id == batch, JobRow.seq == 1)
    change(
        pool,
        update(JobRow).where(*mine).values(state=JobState.WAITING, **cut),
        delete(InstanceRow).where(InstanceRow.batch_id == batch, InstanceRow.seq == 1),
    )
    assert kinds(pool) == {Kind.STATE, Kind.COUNTER, Kind.PLACE}


def test_a_missing_object_is_found(pool: PlainPool) -> None:
    batch = pool.submit(10)
    pool.drain()
    key = objects(pool.store)[0]
    pool.store.delete([key])
    [missing] = found(pool)
    assert (missing.kind, missing.batch_id, missing.subject) == (Kind.MISSING_OBJECT, batch, key)


def test_a_damaged_object_is_found(pool: PlainPool) -> None:
    pool.submit(10)
    pool.drain()
    key = objects(pool.store)[1]
    data = bytearray(pool.store.get(key))
    data[len(data) // 2] ^= 1
    pool.store.put(key, bytes(data))
    assert [(one.kind, one.subject) for one in found(pool)] == [(Kind.DAMAGED_OBJECT, key)]


def test_a_key_that_is_none_is_found(pool: PlainPool) -> None:
    batch = pool.submit(2)
    pool.drain()
    mine = (JobRow.batch_id == batch, JobRow.seq == 0)
    change(pool, update(JobRow).where(*mine).values(masks_key="../../etc/passwd-"))
    assert kinds(pool) == {Kind.DAMAGED_OBJECT, Kind.PLACE}


@pytest.mark.parametrize(
    ("column", "value"),
    [("masks_offset", 1), ("masks_length", 7), ("width", 9), ("name", "other.png")],
)
def test_a_row_that_points_beside_its_masks_is_found(
    pool: PlainPool, column: str, value: object
) -> None:
    batch = pool.submit(5)
    pool.drain()
    mine = (JobRow.batch_id == batch, JobRow.seq == 2)
    change(pool, update(JobRow).where(*mine).values({column: value}))
    assert [(one.kind, one.subject) for one in found(pool)] == [(Kind.PLACE, "job 2")]


def test_a_job_that_points_to_another_chunks_object_is_found(pool: PlainPool) -> None:
    batch = pool.submit(8)
    pool.drain()
    with pool.database.read() as session:
        other = session.scalar(select(JobRow.masks_key).where(JobRow.seq == 7))
    mine = (JobRow.batch_id == batch, JobRow.seq == 2)
    change(pool, update(JobRow).where(*mine).values(masks_key=other))
    sentences = [one.sentence for one in found(pool)]
    assert {one.kind for one in found(pool)} == {Kind.PLACE}
    assert sentences == [
        "it holds job 2, whose row does not point to it",
        "job 2 points to it, but it does not hold that job",
    ]


def test_an_instance_row_too_many_is_found(pool: PlainPool) -> None:
    batch = pool.submit(5)
    pool.drain()
    row = {"batch_id": batch, "seq": 3, "ordinal": 3, "prompt_index": 0, "area": 1}
    row |= {"x": 0, "y": 0, "w": 1, "h": 1, "score": 0.5, "overlap": 0.0}
    change(pool, insert(InstanceRow).values(row))
    [extra] = found(pool)
    assert (extra.kind, extra.subject) == (Kind.INSTANCES, "job 3")
    assert "there are 4 rows" in extra.sentence


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("score", 0.91), ("area", 5), ("x", 1), ("h", 2), ("prompt_index", 1)],
        *[("overlap", 0.5), ("against", 0.2), ("contended", 0.7), ("contender", 1)],
        *[("object_index", 0), ("predicted_iou", 0.5)],
    ],
)
def test_an_instance_that_differs_from_its_mask_is_found(
    pool: PlainPool, column: str, value: float
) -> None:
    batch = pool.submit(5)
    pool.drain()
    mine = (InstanceRow.batch_id == batch, InstanceRow.seq == 1, InstanceRow.ordinal == 0)
    change(pool, update(InstanceRow).where(*mine).values({column: value}))
    assert [(one.kind, one.subject) for one in found(pool)] == [(Kind.INSTANCES, "job 1")]


def test_figures_that_a_row_lost_are_found(pool: PlainPool) -> None:
    batch = pool.submit(5)
    pool.drain()
    assert found(pool) == []
    mine = (InstanceRow.batch_id == batch, InstanceRow.seq == 1, InstanceRow.ordinal == 2)
    lost = {"against": None, "contended": None, "contender": None}
    change(pool, update(InstanceRow).where(*mine).values(lost))
    [one] = found(pool)
    assert (one.kind, one.subject) == (Kind.INSTANCES, "job 1")
    assert "contended None instead of 1.0, contender None instead of 0" in one.sentence


def an_object(index: int, *, empty: bool = False) -> Instance:
    """The mask of an object of category 2, with the box and the area of what it is."""
    mask = np.zeros(SIZE, np.bool_)
    mask[:3, :4] = not empty
    box = (0.0, 0.0, 0.0, 0.0) if empty else (0.0, 0.0, 4.0, 3.0)
    return Instance(Found(2, 0.8, box, rle.encode(mask), index, 0.6), int(mask.sum()), 0.0)


def looking(*instances: Instance) -> Callable[[int], JobResult]:
    """An image in which each of these is found beside the usual ones."""
    return lambda seq: replace(a_result(seq), instances=(*a_result(seq).instances, *instances))


def test_masks_of_objects_are_sound_the_empty_one_too(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchSpec, "categories", ("a", "b", "car"))
    pool.look = looking(an_object(0), an_object(1, empty=True))
    batch = pool.submit(5)
    pool.drain()
    assert found(pool) == []
    with pool.database.read() as session:
        row = session.get(InstanceRow, (batch, 2, 4))
        assert row is not None
        assert (row.x, row.y, row.w, row.h, row.area) == (0, 0, 0, 0, 0)
        assert (row.object_index, row.prompt_index, row.contended) == (1, 2, None)
        assert row.predicted_iou == pytest.approx(0.6)


TEXT = a_result(1).instances[2]


@pytest.mark.parametrize(
    ("planted", "sentence"),
    [
        (replace(TEXT, found=replace(TEXT.found, prompt_index=2)), "is of prompt 2, and there are"),
        (
            replace(an_object(0), found=replace(an_object(0).found, prompt_index=1)),
            "is an object of category 1, and those are 2 to 2",
        ),
        (
            replace(an_object(0), found=replace(an_object(0).found, prompt_index=3)),
            "is an object of category 3, and those are 2 to 2",
        ),
        (replace(TEXT, against_text=None), "the strength without its negative"),
        (replace(TEXT, contended=None), "has a contender without a figure"),
        (replace(TEXT, contender=9), "contended by instance 9, which is not there"),
        (replace(TEXT, contender=2), "contended by instance 2, which is no other prompt's"),
        (replace(TEXT, contender=1), "contended by instance 1, which is not better"),
    ],
)
def test_an_instance_that_contradicts_itself_is_found(
    pool: PlainPool, planted: Instance, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and object agree, and both are wrong."""
    monkeypatch.setattr(BatchSpec, "categories", ("a", "b", "car"))
    mask, area = a_result(0).instances[0].found.mask, a_result(0).instances[0].area
    planted = replace(planted, found=replace(planted.found, mask=mask), area=area)
    pool.look = looking(planted)
    pool.submit(1)
    pool.drain()
    [one] = [one for one in found(pool) if one.kind == Kind.INSTANCES]
    assert sentence in one.sentence


def test_a_spec_that_cannot_be_read_is_found(pool: PlainPool) -> None:
    batch = pool.submit(3)
    pool.drain()
    change(pool, update(BatchRow).where(BatchRow.id == batch).values(spec={"version": 9}))
    [one] = found(pool)
    assert (one.kind, one.batch_id, one.subject) == (Kind.SPEC, batch, "spec")
    assert "spec cannot be read" in one.sentence


def test_instances_of_a_job_that_is_not_done_are_found(pool: PlainPool) -> None:
    batch = pool.submit(5)
    row = {"batch_id": batch, "seq": 3, "ordinal": 0, "prompt_index": 0, "area": 1}
    row |= {"x": 0, "y": 0, "w": 1, "h": 1, "score": 0.5, "overlap": 0.0}
    change(pool, insert(InstanceRow).values(row), insert(InstanceRow).values({**row, "seq": 77}))
    assert [(one.kind, one.subject) for one in found(pool)] == [
        (Kind.INSTANCES, "job 3"),
        (Kind.INSTANCES, "job 77"),
    ]


def test_a_job_in_two_live_chunks_is_found(pool: PlainPool) -> None:
    pool.submit(8)
    first, second = pool.tick()
    change(pool, update(ChunkRow).where(ChunkRow.id == second.chunk_id).values(lo=3, size=5))
    [twice] = found(pool)
    assert (twice.kind, twice.subject) == (Kind.CLAIMED_TWICE, "job 3")
    assert str(first.chunk_id) in twice.sentence


def test_a_chunk_that_holds_an_ended_job_is_found(pool: PlainPool) -> None:
    pool.submit(8)
    first, second = pool.tick()
    pool.work(first)
    change(pool, update(ChunkRow).where(ChunkRow.id == second.chunk_id).values(lo=3, size=5))
    assert [(one.kind, one.subject) for one in found(pool)] == [
        (Kind.CHUNK, f"chunk {second.chunk_id}")
    ]


def test_leases_where_none_may_be_are_found(pool: PlainPool) -> None:
    pool.submit(12)
    first, second = pool.tick()
    pool.work(first)
    pool.take(second)
    of_first, of_second = (ChunkRow.id == one.chunk_id for one in (first, second))
    change(pool, update(ChunkRow).where(of_first).values(lease_until=1))
    change(pool, update(ChunkRow).where(of_second).values(lease_until=None))
    assert {(one.kind, one.subject) for one in found(pool)} == {
        (Kind.LEASE, f"chunk {first.chunk_id}"),
        (Kind.LEASE, f"chunk {second.chunk_id}"),
    }


def test_a_lease_that_lapsed_long_ago_is_worth_knowing(pool: PlainPool) -> None:
    pool.submit(4)
    [message] = pool.tick()
    pool.take(message, lease_ms=-10_000)
    assert found(pool) == [], "the next tick will see to it"
    pool.take(message, lease_ms=-3_600_000)
    [lapsed] = found(pool)
    assert (lapsed.kind, lapsed.wrong) == (Kind.LAPSED, False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"attempts": 6}, Kind.ATTEMPTS),
        ({"losses": 4}, Kind.LOSSES),
        ({"next_at": 5}, Kind.NEXT_AT),
        ({"error": "but why"}, Kind.ERROR),
        ({"n_instances": None}, Kind.RESULT),
    ],
)
def test_a_row_that_contradicts_itself_is_found(
    pool: PlainPool, values: dict[str, object], kind: Kind
) -> None:
    batch = pool.submit(3)
    pool.drain()
    change(pool, update(JobRow).where(JobRow.batch_id == batch, JobRow.seq == 1).values(values))
    assert (kind, "job 1") in {(one.kind, one.subject) for one in found(pool)}
    assert {one.subject for one in found(pool)} == {"job 1"}


def test_a_failure_without_a_sentence_and_a_double_name_are_found(pool: PlainPool) -> None:
    batch = pool.submit(3)
    of_batch = JobRow.batch_id == batch
    change(
        pool,
        update(JobRow).where(of_batch, JobRow.seq == 0).values(state=JobState.FAILED),
        update(JobRow).where(of_batch, JobRow.seq == 2).values(name="001.png"),
        update(BatchRow).values(failed=1),
    )
    assert kinds(pool) == {Kind.ERROR, Kind.NAME}


def test_rows_of_a_batch_that_is_gone_are_found(pool: PlainPool) -> None:
    gone = new_id()
    row = {"batch_id": gone, "seq": 0, "name": "x", "image_uri": "file:///x"}
    change(pool, insert(JobRow).values(row))
    assert [(one.kind, one.batch_id, one.subject) for one in found(pool)] == [
        (Kind.NO_BATCH, gone, "jobs")
    ]


def test_an_orphaned_object_is_worth_knowing(pool: PlainPool) -> None:
    batch = pool.submit(3)
    pool.drain()
    stray = keys.mask_object(batch, keys.chunk_masks_key(new_id(), "0" * 64))
    pool.store.put(stray, b"late")
    [orphan] = found(pool)
    assert (orphan.kind, orphan.subject, orphan.wrong) == (Kind.ORPHAN, stray, False)
    assert list(verify(pool.database, pool.store, batch)) == [orphan]


def test_one_batch_is_checked_without_the_others(pool: PlainPool) -> None:
    sound, broken = pool.submit(3), pool.submit(3)
    pool.drain()
    change(pool, delete(JobRow).where(JobRow.batch_id == broken, JobRow.seq == 0))
    assert list(verify(pool.database, pool.store, sound)) == []
    assert list(verify(pool.database, pool.store, broken)) != []
    with pytest.raises(NotFound):
        list(verify(pool.database, pool.store, new_id()))


def test_every_object_is_read_once_however_its_jobs_are_spread(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retried jobs share an object with jobs of other pages."""
    pool.submit(20)
    coming_back = set(range(0, 20, 5))
    while messages := pool.tick():
        for message in messages:
            taken = pool.take(message)
            back = coming_back & {job.seq for job in taken.jobs}
            coming_back -= back
            pool.finish(taken, *pool.upload(taken, but=back))
    monkeypatch.setattr(masks, "_PAGE", 3)
    read = []
    get = type(pool.store).get
    monkeypatch.setattr(
        type(pool.store), "get", lambda self, key, *a: read.append(key) or get(self, key, *a)
    )
    tally = Tally()
    assert list(verify(pool.database, pool.store, tally=tally)) == []
    assert sorted(read) == objects(pool.store)
    assert tally.objects == len(read)


def test_removing_a_batch_while_it_is_checked_is_no_alarm(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = pool.submit(8)
    pool.drain()
    get = type(pool.store).get

    def remove_first(self: ObjectStore, key: str, *words: object) -> bytes:
        with pool.database.write() as session:
            if lookup.recent(session, limit=1):
                batches.remove(session, batch)
        pool.store.delete(objects(pool.store))
        return get(self, key, *words)

    monkeypatch.setattr(type(pool.store), "get", remove_first)
    assert list(verify(pool.database, pool.store)) == []


def test_a_pool_at_work_gives_no_false_alarm(pool: PlainPool) -> None:
    """Everything a pool does, as fast as it can, while the checker reads again and again."""
    stop = Event()

    def churn() -> int:
        rounds = 0
        while not stop.is_set():
            one, other = pool.submit(9), pool.submit(6)
            for batch, end in ((one, batches.pause), (other, batches.cancel)):
                for message in pool.tick()[:2]:
                    if message.batch_id == batch:
                        pool.work(message)
                with pool.database.write() as session:
                    end(session, batch)
            with pool.database.write() as session:
                batches.resume(session, one)
            pool.drain()
            with pool.database.write() as session:
                batches.remove(session, other)
            pool.store.delete(key for key in objects(pool.store) if str(other) in key)
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(churn)
        end = time.monotonic() + 3
        alarms: list[Finding] = []
        while time.monotonic() < end and not working.done():
            alarms += [one for one in verify(pool.database, pool.store) if one.wrong]
        stop.set()
        assert working.result() > 0
    assert alarms == []
    assert found(pool) == []


def test_the_command_line_says_what_it_read_and_fails_on_a_fault(
    pool: PlainPool, environment: dict[str, str]
) -> None:
    batch = pool.submit(5)
    pool.drain()
    sound = maskpool("doctor", "--deep", env=environment)
    assert sound.returncode == 0, sound.stderr
    assert "nothing is wrong: read 1 batch, 5 jobs, 2 mask objects, 15 instances" in sound.stdout
    pool.store.delete(objects(pool.store)[:1])
    broken = maskpool("doctor", "--deep", str(batch), "--json", env=environment)
    assert broken.returncode == 3, broken.stderr
    report = json.loads(broken.stdout)
    assert (report["ok"], report["counts"]) == (False, {"missing-object": 1})
    assert report["findings"][0]["batch"] == str(batch)
    assert maskpool("doctor", "--deep", "nowhere", env=environment).returncode == 2


def test_closed_chunks_are_counted(pool: PlainPool) -> None:
    """The counters' rule must not pass by ignoring the chunks."""
    pool.submit(10)
    pool.work(pool.tick()[0])
    change(pool, update(ChunkRow).where(ChunkRow.state == ChunkState.DONE).values(done=3))
    assert kinds(pool) == {Kind.COUNTER}
