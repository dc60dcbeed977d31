"""Statements that the main path does not show: finding, publishing again, and several at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from services.rows import counts_by_state, instances_of, seqs_of
from sqlalchemy import select, text, update

from db import batches, chunks, jobs, lookup, ticks, workers
from db.batches import NewBatch
from db.chunks import Done, Failed, JobEnd, Returned, claim, publish, reap
from db.models import BatchRow, ChunkRow, JobRow, UserRow, WorkerRow
from db.postgres.copy_in import copy_in
from db.session import Database
from db.workers import WorkerInfo
from maskpool.abilities import Ability
from maskpool.domain import (
    BatchState,
    ChunkMessage,
    ChunkState,
    Found,
    ImageRef,
    Instance,
    JobState,
    Klass,
    Priority,
    new_id,
)
from maskpool.errors import Conflict, NotFound, Unreachable
from maskpool.fairness import Fleet
from maskpool.reading_rule import ReadingRule
from maskpool.rle import Rle
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick
from producer.sources import Source, open_source
from producer.submission import Submission
from producer.submit import Submitter

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone"}]})
WORKER = WorkerInfo(new_id(), "host:1", "cpu", "demo", threads=3)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


def a_batch(
    database: Database,
    count: int = 8,
    *,
    owner: str = "ann",
    name: str = "name",
    klass: Klass = Klass.BULK,
    priority: Priority = Priority.NORMAL,
) -> UUID:
    key = str(new_id())
    new = NewBatch(owner, key, name, "demo", SPEC.dump(), "source", klass, priority)
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        images = [ImageRef(f"{n}.png", f"file:///{n}.png") for n in range(count)]
        jobs.load_block(session, batch_id, 0, images)
        batches.activate(session, batch_id)
    return batch_id


def announce(database: Database, *infos: WorkerInfo) -> None:
    with database.write() as session:
        for info in infos or (WORKER,):
            workers.announce(session, info)


def one_tick(database: Database) -> list[ChunkMessage]:
    sent: list[ChunkMessage] = []
    tick(database, sent.extend)
    return sent


def at_once(count: int, action: Callable[[int], object]) -> list[object]:
    """Run ``action`` in so many threads that start together; what they return, by number."""
    start = threading.Barrier(count)
    results: list[object] = [None] * count

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = action(number)
        except Exception as error:  # noqa: BLE001 - raised below, in the test's own thread
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


# Finding and listing


def test_a_batch_is_found_by_id_by_either_end_of_it_and_by_name(database: Database) -> None:
    batch_id = a_batch(database, name="street scenes")
    plain = batch_id.hex
    ways = [str(batch_id), plain, str(batch_id).upper(), plain[:8], plain[:20], plain[-4:]]
    ways += [str(batch_id)[:13], str(batch_id)[-20:], "street scenes"]
    with database.read() as session:
        assert [lookup.find(session, way) for way in ways] == [batch_id] * len(ways)


@pytest.mark.parametrize(
    "reference", ["", "abc", "street", "%", "____", "ffffffff", str(UUID(int=7)), "' OR 1=1 --"]
)
def test_what_means_no_batch_is_not_found(database: Database, reference: str) -> None:
    a_batch(database, name="street scenes")
    with database.read() as session, pytest.raises(NotFound, match="there is no batch"):
        lookup.find(session, reference)


def test_what_means_several_batches_names_them(database: Database) -> None:
    first, second = a_batch(database, name="twice"), a_batch(database, name="twice")
    with database.read() as session:
        with pytest.raises(NotFound, match=f"several batches.*{second} or {first}"):
            lookup.find(session, "twice")
        with pytest.raises(NotFound, match="several batches"):
            lookup.find(session, first.hex[:4])  # the front of the id is the time


def test_a_name_that_looks_like_an_id_is_found_too(database: Database) -> None:
    batch_id = a_batch(database, name="decade")
    with database.read() as session:
        assert lookup.find(session, "decade") == batch_id


def test_the_latest_batches_come_first(database: Database) -> None:
    ids = [a_batch(database, owner=owner) for owner in ("ann", "ben", "ann", "ann")]
    with database.read() as session:
        assert [one.batch_id for one in lookup.recent(session, limit=3)] == ids[:0:-1]
        mine = lookup.recent(session, limit=10, owner="ben")
        assert [(one.batch_id, one.owner) for one in mine] == [(ids[1], "ben")]
        assert lookup.recent(session, limit=10, owner="nobody") == []


def test_a_batch_that_is_not_there_is_not_found(database: Database) -> None:
    nothing = new_id()
    for ask in (
        lookup.progress,
        batches.loading,
        lookup.question,
        batches.pause,
        batches.resume,
        batches.cancel,
        batches.retry_failed,
    ):
        with pytest.raises(NotFound), database.write() as session:
            ask(session, nothing)


# Publishing


def unheard(database: Database) -> int:
    with database.read() as session:
        return len(publish.unpublished(session, ["demo"]))


def aged(database: Database, **values: int) -> None:
    """Set columns of every chunk to so many milliseconds ago, or to a number."""
    with database.write() as session:
        now = session.scalar(select(claim.now_ms()))
        row = {
            name: value if name == "publishes" else now - value for name, value in values.items()
        }
        session.execute(update(ChunkRow).values(row))


@pytest.mark.parametrize(
    ("publishes", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (50, 600)]
)
def test_patience_with_a_message_doubles_up_to_ten_minutes(
    database: Database, publishes: int, seconds: int
) -> None:
    announce(database)
    a_batch(database, 1)
    assert len(one_tick(database)) == 1
    aged(database, publishes=publishes, published_at=seconds * 1000 - 3000)
    assert unheard(database) == 0
    aged(database, publishes=publishes, published_at=seconds * 1000 + 1)
    assert unheard(database) == 1


@pytest.mark.parametrize(
    ("publishes", "seconds"), [(1, 2), (2, 4), (3, 8), (4, 16), (8, 256), (9, 512), (10, 600)]
)
def test_a_message_that_somebody_waits_for_is_sent_again_after_two_seconds(
    database: Database, publishes: int, seconds: int
) -> None:
    announce(database)
    a_batch(database, 1, klass=Klass.NOW)
    assert len(one_tick(database)) == 1
    aged(database, publishes=publishes, published_at=seconds * 1000 - 1500)
    assert unheard(database) == 0
    aged(database, publishes=publishes, published_at=seconds * 1000 + 1)
    assert unheard(database) == 1


def test_a_chunk_whose_publisher_died_is_published_after_two_seconds(database: Database) -> None:
    announce(database)
    a_batch(database, 1)

    def die(_: ChunkMessage) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tick(database, die)
    assert one_tick(database) == []
    aged(database, created_at=2_001)
    [message] = one_tick(database)
    assert one_tick(database) == []
    with database.read() as session:
        row = session.get_one(ChunkRow, message.chunk_id)
        assert row.publishes == 1
        assert row.published_at is not None


def test_marking_as_published_counts(database: Database) -> None:
    announce(database)
    a_batch(database, 20)
    sent = one_tick(database)
    assert len(sent) == 2
    with database.write() as session:
        publish.mark_published(session, [sent[0].chunk_id])
    with database.read() as session:
        publishes = dict(session.execute(select(ChunkRow.id, ChunkRow.publishes)).all())
    assert publishes == {sent[0].chunk_id: 2, sent[1].chunk_id: 1}


def test_nothing_is_published_for_a_model_without_workers(database: Database) -> None:
    announce(database)
    a_batch(database, 1)
    one_tick(database)
    with database.write() as session:
        workers.retire(session, WORKER.id)
    sent: list[ChunkMessage] = []
    tick(database, sent.extend, broker_forgot=True)
    assert sent == []
    announce(database)
    tick(database, sent.extend, broker_forgot=True)
    assert len(sent) == 1


# Virtual time


def test_a_clock_just_below_zero_does_no_harm(database: Database) -> None:
    """Charges and corrections are sums of floats: they need not cancel out exactly."""
    batch_id = a_batch(database)
    with database.write() as session:
        batches.pause(session, batch_id)
        session.execute(update(UserRow).values(virtual_time=-1e-16))
        session.execute(update(BatchRow).values(virtual_time=-1e-16))
    with database.write() as session:
        batches.resume(session, batch_id)
    with database.read() as session:
        assert lookup.progress(session, batch_id).state == BatchState.ACTIVE


def test_who_was_away_starts_where_the_others_are(database: Database) -> None:
    busy = a_batch(database, owner="ben")
    with database.write() as session:
        session.execute(update(UserRow).values(virtual_time=50.0))
        session.execute(update(BatchRow).values(virtual_time=70.0))
    a_batch(database, owner="ann")
    another = a_batch(database, owner="ben")
    with database.read() as session:
        times = dict(session.execute(select(UserRow.name, UserRow.virtual_time)).all())
        assert times == {"ann": 50.0, "ben": 50.0}
        of_batches = dict(session.execute(select(BatchRow.id, BatchRow.virtual_time)).all())
    assert of_batches[another] == of_batches[busy] == 70.0


def test_what_was_charged_is_corrected_by_what_was_spent(database: Database) -> None:
    announce(database)
    batch_id = a_batch(database, 4, priority=Priority.HIGH)
    [message] = one_tick(database)

    def clocks() -> tuple[float, float]:
        with database.read() as session:
            owner = session.scalars(select(UserRow.virtual_time)).one()
            return owner, session.get_one(BatchRow, batch_id).virtual_time

    assert clocks() == (pytest.approx(0.4), pytest.approx(0.1))
    finish(database, message, [Failed(n, "no") for n in range(4)], 2.0)
    one_tick(database)
    assert clocks() == (pytest.approx(2.0), pytest.approx(0.5))
    with database.read() as session:
        assert lookup.progress(session, batch_id).gpu_seconds == 2.0


def finish(
    database: Database, message: ChunkMessage, ends: Sequence[JobEnd], seconds: float = 0.1
) -> None:
    with database.write() as session:
        taken = chunks.take(
            session, message.chunk_id, WORKER.id, solo=message.solo, lease_ms=30_000
        )
    assert taken is not None
    assert sorted(end.seq for end in ends) == [job.seq for job in taken.jobs]
    with database.write() as session:
        chunks.finish(session, WORKER.id, message.chunk_id, ends, gpu_seconds=seconds)


# Retrying


def test_retries_are_claimed_before_fresh_jobs_and_oldest_first(database: Database) -> None:
    announce(database)
    a_batch(database, 12)
    first = one_tick(database)[0]  # of four jobs, as nothing is measured yet
    rests = [300, 100, 60_000, 200]
    ends = [Returned(n, 1, rest, "x") for n, rest in enumerate(rests)]
    finish(database, first, ends)
    with database.write() as session:
        session.execute(
            update(JobRow).where(JobRow.next_at.is_not(None)).values(next_at=JobRow.next_at - 1_000)
        )
    message = one_tick(database)[0]
    with database.read() as session:
        assert seqs_of(session, message.chunk_id) == [1, 3, 0], "seq 2 rests longer"
        assert [job.attempts for job in jobs.page(session, message.batch_id, limit=4)] == [1] * 4


def test_retry_failed_keeps_the_order_of_the_images(database: Database) -> None:
    announce(database)
    batch_id = a_batch(database, 8)
    for _ in range(2):
        for message in one_tick(database):
            with database.read() as session:
                seqs = seqs_of(session, message.chunk_id)
            ends = [Failed(n, "no", attempts=3) for n in reversed(seqs)]
            finish(database, message, ends)
    one_tick(database)
    with database.write() as session:
        assert batches.retry_failed(session, batch_id) == 8
    with database.read() as session:
        rows = jobs.page(session, batch_id)
        assert {(r.state, r.attempts, r.losses, r.error) for r in rows} == {
            (JobState.RETRY, 0, 0, None)
        }
        progress = lookup.progress(session, batch_id)
        assert (progress.state, progress.failed, progress.finished_at_ms) == (
            BatchState.ACTIVE,
            0,
            None,
        )
    sent = one_tick(database)
    with database.read() as session:
        claimed = [list(seqs_of(session, message.chunk_id)) for message in sent]
    assert claimed == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with database.write() as session, pytest.raises(Conflict, match="active with 0 failed"):
        batches.retry_failed(session, batch_id)


# Heartbeats


def test_a_heartbeat_brings_back_the_state_of_the_batch_not_of_the_chunk(
    database: Database,
) -> None:
    announce(database)
    batch_id = a_batch(database, 4)
    [message] = one_tick(database)
    with database.write() as session:
        chunks.take(session, message.chunk_id, WORKER.id, solo=False, lease_ms=30_000)

    def extend(worker: UUID = WORKER.id) -> dict[UUID, BatchState]:
        with database.write() as session:
            return chunks.extend(session, worker, [message.chunk_id, new_id()], lease_ms=30_000)

    assert extend() == {message.chunk_id: BatchState.ACTIVE}
    assert extend(new_id()) == {}
    with database.write() as session:
        batches.pause(session, batch_id)
    assert extend() == {message.chunk_id: BatchState.PAUSED}
    with database.write() as session:
        batches.cancel(session, batch_id)
    assert extend() == {}


# Several at once


def test_two_dispatchers_at_once_claim_no_job_twice(postgres: Database) -> None:
    announce(postgres, *(replace(WORKER, id=new_id()) for _ in range(30)))
    ids = [a_batch(postgres, 40, owner=owner) for owner in ("ann", "ben", "cid")]
    sent = [message for found in at_once(4, lambda _: one_tick(postgres)) for message in found]
    for _ in range(5):
        sent += one_tick(postgres)
    with postgres.read() as session:
        claimed = Counter(
            (message.batch_id, seq)
            for message in sent
            for seq in seqs_of(session, message.chunk_id)
        )
    assert claimed == Counter({(batch, seq): 1 for batch in ids for seq in range(40)})
    assert len(set(sent)) == len(sent)


def test_of_two_transactions_one_leads(postgres: Database) -> None:
    with postgres.write() as leader:
        assert ticks.lead(leader)
        with postgres.write() as other:
            assert not ticks.lead(other)
    with postgres.write() as later:
        assert ticks.lead(later)


def test_many_submitters_of_one_key_make_one_batch(
    database: Database, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BLOCK_POSTGRES", "BLOCK_SQLITE"):
        monkeypatch.setattr(jobs, name, 7)
    folder = tmp_path_factory.mktemp("images")
    for number in range(25):
        (folder / f"{number:02d}.png").touch()
    source: Source = open_source(str(folder))

    def submit(_: int) -> object:
        submission = Submission(source=source, spec=SPEC, owner="ann", key="one")
        return Submitter(database, lambda: None).submit(submission)

    submitted = at_once(20, submit)
    assert len({one.batch_id for one in submitted}) == 1
    assert [one.total for one in submitted] == [25] * 20
    assert sum(one.created for one in submitted) == 1
    with database.read() as session:
        [batch] = lookup.recent(session, limit=5)
        names = [job.name for job in jobs.page(session, batch.batch_id)]
    assert (batch.state, batch.loaded) == (BatchState.ACTIVE, 25)
    assert names == [f"{number:02d}.png" for number in range(25)]


def test_many_owners_at_once_are_one_row_each(database: Database) -> None:
    at_once(12, lambda number: a_batch(database, 1, owner=("ann", "ben", "cid")[number % 3]))
    with database.read() as session:
        assert sorted(session.scalars(select(UserRow.name))) == ["ann", "ben", "cid"]
        assert len(lookup.recent(session, limit=50)) == 12


def test_two_that_reap_at_once_expire_each_chunk_once(postgres: Database) -> None:
    announce(postgres, *(replace(WORKER, id=new_id()) for _ in range(4)))
    batch_id = a_batch(postgres, 40)
    for message in one_tick(postgres):
        with postgres.write() as session:
            chunks.take(session, message.chunk_id, new_id(), solo=False, lease_ms=30_000)
    aged(postgres, lease_until=1)

    def reap_all(_: int) -> int:
        count = 0
        while True:
            with postgres.write() as session:
                if not reap.reap_one(session, 30_000):
                    return count
            count += 1

    assert sum(at_once(3, reap_all)) == 8
    with postgres.read() as session:
        rows = jobs.page(session, batch_id)
        states = Counter((JobState(job.state), job.solo, job.losses) for job in rows)
        assert set(session.scalars(select(ChunkRow.state))) == {ChunkState.EXPIRED}
    assert states == {(JobState.RETRY, True, 0): 32, (JobState.WAITING, False, 0): 8}


def test_one_message_in_many_hands_is_taken_once(database: Database) -> None:
    announce(database)
    a_batch(database, 4)
    [message] = one_tick(database)

    def take(_: int) -> bool:
        with database.write() as session:
            taken = chunks.take(session, message.chunk_id, new_id(), solo=False, lease_ms=30_000)
        return taken is not None

    assert sum(at_once(8, take)) == 1


# Workers


def test_pools_count_the_living_by_model(database: Database) -> None:
    infos = [
        replace(WORKER, id=new_id(), images_per_s=8.0),
        replace(WORKER, id=new_id(), images_per_s=2.0, threads=5),
        replace(WORKER, id=new_id(), images_per_s=None),
        replace(WORKER, id=new_id(), model="sam3", threads=2),
    ]
    gone = replace(WORKER, id=new_id(), model="old")
    announce(database, *infos, gone)
    with database.write() as session:
        session.execute(
            update(WorkerRow)
            .where(WorkerRow.id == gone.id)
            .values(seen_at=WorkerRow.seen_at - workers.ALIVE_MS)
        )
    with database.read() as session:
        assert workers.fleets(session) == {
            "demo": Fleet(workers=3, bulk_window=8, images_per_s=2.0, mean_images_per_s=5.0),
            "sam3": Fleet(workers=1, bulk_window=1, images_per_s=None, mean_images_per_s=None),
        }
        assert {info.id for info in workers.alive(session)} == {info.id for info in infos}


def test_a_worker_announces_itself_anew_each_time(database: Database) -> None:
    announce(database, WORKER, replace(WORKER, images_per_s=3.0))
    with database.read() as session:
        assert workers.alive(session) == [replace(WORKER, images_per_s=3.0)]
    with database.write() as session:
        workers.retire(session, WORKER.id)
        workers.retire(session, WORKER.id)
    with database.read() as session:
        assert workers.alive(session) == []


def test_each_living_worker_says_what_it_can_do(database: Database) -> None:
    every, some = frozenset(Ability), frozenset({Ability.SPEC2, Ability.STUFF})
    for abilities in (every, some, frozenset[Ability]()):
        announce(database, replace(WORKER, id=new_id(), abilities=abilities))
    with database.read() as session:
        assert {info.abilities for info in workers.alive(session)} == {every, some, frozenset()}


def test_a_word_of_a_newer_worker_is_passed_over(database: Database) -> None:
    announce(database, replace(WORKER, abilities=frozenset({Ability.OBJECTS})))
    with database.write() as session:
        session.execute(update(WorkerRow).values(abilities="flying objects stuffed"))
    with database.read() as session:
        (info,) = workers.alive(session)
    assert info.abilities == {Ability.OBJECTS}


def test_only_workers_that_are_long_gone_are_swept(database: Database) -> None:
    old, quiet = replace(WORKER, id=new_id()), replace(WORKER, id=new_id())
    announce(database, WORKER, old, quiet)
    with database.write() as session:
        for info, age in ((old, workers.FORGET_MS + 1_000), (quiet, workers.ALIVE_MS + 1_000)):
            session.execute(
                update(WorkerRow)
                .where(WorkerRow.id == info.id)
                .values(seen_at=WorkerRow.seen_at - age)
            )
        workers.forget_old(session)
    with database.read() as session:
        assert set(session.scalars(select(WorkerRow.id))) == {WORKER.id, quiet.id}


# What people write


ODD_NAMES = [
    "tab\there.png",
    "new\nline.png",
    "carriage\rreturn.png",
    r"back\slash.png",
    r"\N",
    r"\.",
    r"a\tb.png",
    "'single' and \"double\".png",
    "semi;colon -- comment.png",
    "100%.png",
    "Größe/自転車 🚋.png",
    "e\u0301 is not é.png",
    " leading and trailing ",
    "\x01\x08\x0b\x7f.png",
    "a" * 4_000,
]


def test_odd_names_survive_loading(database: Database) -> None:
    new = NewBatch("ann's \\ \t", "k\n", "n\t'\"", "demo", SPEC.dump(), "s\\")
    refs = [ImageRef(name, f"file:///{name}") for name in ODD_NAMES]
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        assert jobs.load_block(session, batch_id, 0, refs)
    with database.read() as session:
        rows = jobs.page(session, batch_id)
        assert [ImageRef(row.name, row.image_uri) for row in rows] == refs
        assert jobs.duplicate_names(session, batch_id) == []
        page = jobs.loaded_page(session, batch_id, after=2, limit=3)
        assert [job.name for job in page] == ODD_NAMES[3:6]
        [batch] = lookup.recent(session, limit=1)
    assert (batch.owner, batch.name) == (new.owner, new.name)


def test_duplicate_names_are_told(database: Database) -> None:
    names = ["a", "b", "A", "b", "é", "é", "c"]
    with database.write() as session:
        new = NewBatch("ann", "k", "n", "demo", SPEC.dump(), "s")
        batch_id = batches.create_or_find(session, new).batch_id
        jobs.load_block(session, batch_id, 0, [ImageRef(name, "file:///x") for name in names])
    with database.read() as session:
        assert jobs.duplicate_names(session, batch_id) == ["b", "é"]
        assert jobs.duplicate_names(session, batch_id, limit=1) == ["b"]


def test_odd_errors_and_instances_survive_finishing(database: Database) -> None:
    announce(database)
    batch_id = a_batch(database, 3)
    [message] = one_tick(database)
    found = Found(1, 0.1, (3.0, 4.0, 10.0, 20.0), Rle((30, 30), "x"))
    seen = (Instance(found, 55, 0.3, 0.7), Instance(replace(found, score=0.9), 56, 0.0))
    done = Done(1, "k", 0, 1, 30, 30, seen)
    odd = "line\nof 'text' \\ 自転車\t{}"
    finish(
        database,
        message,
        [Failed(0, odd), done, Done(2, "k", 1, 1, 30, 30)],
    )
    with database.read() as session:
        rows = jobs.page(session, batch_id)
        assert [(row.state, row.n_instances) for row in rows] == [(3, None), (2, 2), (2, 0)]
        assert rows[0].error == odd
        low, high = instances_of(session, batch_id, [0, 1, 2], ReadingRule(0.0))
    assert (low.seq, low.ordinal, low.prompt_index) == (1, 0, 1)
    assert (low.x, low.y, low.w, low.h, low.area) == (3, 4, 7, 16, 55)
    assert low.clip_score == pytest.approx(0.7)
    assert low.score == pytest.approx(0.1)
    assert (high.ordinal, high.clip_score) == (1, None)


def test_an_error_that_postgres_could_not_store_is_stored_readably(database: Database) -> None:
    """Else the chunk could never be finished, and its jobs would go round for ever."""
    announce(database)
    batch_id = a_batch(database, 1)
    [message] = one_tick(database)
    finish(database, message, [Failed(0, "a\x00b \udcff c")])
    with database.read() as session:
        [job] = jobs.page(session, batch_id)
    assert job.error == "a\\x00b \\udcff c"


def disconnect_others(database: Database) -> None:
    with database.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_lost_in_the_middle_is_a_service_that_does_not_answer(
    postgres: Database, postgres_url: str
) -> None:
    announce(postgres)
    batch_id = a_batch(postgres, 4)
    [message] = one_tick(postgres)
    with postgres.write() as session:
        chunks.take(session, message.chunk_id, WORKER.id, solo=False, lease_ms=30_000)
    other = Database(postgres_url)
    ends = [Done(n, "k", n, 1, 8, 6) for n in range(4)]
    with pytest.raises(Unreachable), postgres.write() as session:  # noqa: PT012
        session.execute(text("SELECT 1"))
        disconnect_others(other)
        chunks.finish(session, WORKER.id, message.chunk_id, ends, gpu_seconds=1.0)
    with (
        pytest.raises(Unreachable),
        postgres.write() as session,
        copy_in(session, "COPY jobs (batch_id, seq, name, image_uri) FROM STDIN"),
    ):
        disconnect_others(other)
    other.close()
    with postgres.write() as session:
        chunks.finish(session, WORKER.id, message.chunk_id, ends, gpu_seconds=1.0)
    with postgres.read() as session:
        assert counts_by_state(session, batch_id) == {JobState.DONE: 4}
