"""The protocol under every mishap that Hypothesis can think of, on the real statements and rows."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import batches, chunks, jobs, scratch, workers
from db.batches import NewBatch
from db.chunks import Done, Failed, JobEnd, Returned, TakenChunk, claim
from db.jobs import chunk_seqs
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow
from db.session import Database
from db.workers import WorkerInfo
from maskpool.domain import (
    MAX_ATTEMPTS,
    MAX_LOSSES,
    BatchState,
    ChunkMessage,
    ChunkState,
    Found,
    ImageRef,
    Instance,
    Job,
    JobState,
    Klass,
    Priority,
    new_id,
)
from maskpool.errors import Conflict, LeaseLost, Unreachable
from maskpool.rle import Rle
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone"}]}).dump()
#: One that asks single images for objects, and for something but not for something else.
SPEC_OF_OBJECTS = BatchSpec.read(
    {
        "version": 2,
        "model": "demo",
        "prompts": [{"text": "cone", "not": ["barrel"]}],
        "classes": ["cat", "dog"],
    }
).dump()


#: Workers 0 and 1 still beat when their leases lapse; 2 and 3 are dead by then.
WORKERS = [new_id() for _ in range(4)]
BEATING, MORTAL = WORKERS[:2], WORKERS[2:]
WINDOW = 2 * len(BEATING)

JobKey = tuple[UUID, int]

some = st.integers(0, 1_000)
#: In which states what people ask for is granted.
ALLOWED: dict[str, Callable[[BatchRow], bool]] = {
    "activate": lambda batch: batch.state == BatchState.LOADING,
    "pause": lambda batch: batch.state == BatchState.ACTIVE,
    "resume": lambda batch: batch.state == BatchState.PAUSED,
    "cancel": lambda batch: batch.state in BatchState.open(),
    "retry_failed": lambda batch: batch.state == BatchState.DONE and batch.failed > 0,
    "remove": lambda batch: batch.state not in BatchState.live(),
    "grow": lambda batch: batch.scratch and batch.state in {BatchState.ACTIVE, BatchState.DONE},
}

#: What becomes of each job of a chunk in a worker's hands.
fates = st.lists(
    st.sampled_from(["done", "done", "failed", "transient", "resting", "returned"]),
    min_size=9,
    max_size=9,
)


def asks_of(seq: int) -> dict[str, Any] | None:
    """What one image is asked: none, one or two objects."""
    objects = [
        {"class": "cat", "box": [0.0, 0.0, 1.0, 1.0], "score": 0.25},
        {"class": "dog", "points": [[0.5, 0.5, 1], [0.25, 0.5, 0]]},
    ]
    return {"objects": objects[: seq % 3]} if seq % 3 else None


def asks_in_text(seq: int) -> str | None:
    """The same, as a source gives it."""
    asks = asks_of(seq)
    return asks and json.dumps(asks)


def drawn(job: Job) -> list[Instance]:
    """A mask for each object of an image, in their order; that of clicks is empty."""
    objects = ((job.prompts or {}).get("objects")) or []
    return [
        Instance(
            Found(
                1 + index,
                one.get("score", 1.0),
                (0.0, 0.0, 1.0, 1.0) if "box" in one else (0.0, 0.0, 0.0, 0.0),
                Rle((1, 1), "01" if "box" in one else "1"),
                object_index=index,
                predicted_iou=0.5,
            ),
            int("box" in one),
            0.0,
        )
        for index, one in enumerate(objects)
    ]


@dataclass(frozen=True)
class Held:
    """A chunk that a worker believes to hold; it may be a zombie."""

    worker: UUID
    taken: TakenChunk


def end_of(job: Job, fate: str) -> JobEnd:
    """A job's end as the pipeline would write it."""
    attempts = job.attempts + 1
    match fate:
        case "failed":
            return Failed(job.seq, "bad image", job.attempts)
        case "returned":
            return Returned(job.seq, job.attempts)
        case "transient" | "resting" if attempts >= MAX_ATTEMPTS:
            return Failed(job.seq, "gave up", attempts)
        case "transient" | "resting":
            delay = 0 if fate == "transient" else 60_000
            return Returned(job.seq, attempts, delay, "no answer")
    found = Found(0, 0.875, (0.0, 0.0, 1.0, 1.0), Rle((1, 1), "01"))
    return Done(
        job.seq,
        attempts=job.attempts,
        masks_key="chunk-sha",
        masks_offset=0,
        masks_length=1,
        width=1,
        height=1,
        instances=(*(Instance(found, 1, 0.0),) * (job.seq % 3), *drawn(job)),
    )


#: Each step, how often it is taken, and what is drawn for it.
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "submit": (
        2,
        {
            "count": st.integers(1, 9),
            "owner": st.sampled_from(["ann", "ben"]),
            "klass": st.sampled_from(Klass),
            "priority": st.sampled_from(Priority),
            "activate": st.sampled_from([True, True, True, False]),
            "poison": st.booleans(),
            "objects": st.booleans(),
        },
    ),
    "someone_asks": (
        3,
        {
            "pick": some,
            "verb": st.sampled_from(
                ["activate", "pause", "resume", "cancel", "retry_failed", "remove", "grow"]
            ),
        },
    ),
    "dispatch": (
        4,
        {"forgot": st.sampled_from([False, False, False, True]), "later": st.booleans()},
    ),
    "dispatch_while_the_broker_goes_away": (1, {"sent": st.integers(0, 2)}),
    "the_broker_errs": (1, {"pick": some, "end": st.sampled_from(["lost", "doubled", "late"])}),
    "take": (
        8,
        {
            "pick": some,
            "who": st.integers(0, 3),
            "reply_lost": st.booleans(),
            "then": st.sampled_from(["finish", "hold", "die"]),
            "fate": fates,
        },
    ),
    "finish": (4, {"pick": some, "fate": fates}),
    "die": (2, {"pick": some}),
    "beat": (1, {"pick": some}),
}


class Protocol(RuleBasedStateMachine):
    """Submitters, dispatchers, workers and a forgetful broker around one database."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.database = Database(url)
        self.broker: list[ChunkMessage] = []
        self.held: list[Held] = []
        self.submitted = 0
        #: Batches whose first image kills whoever works on it.
        self.poison: set[UUID] = set()
        #: Batches that ask single images for objects.
        self.of_objects: set[UUID] = set()
        #: Ends that were acknowledged to a worker, or that reaping decided.
        self.ended: dict[JobKey, JobState] = {}
        #: Times a job was alone with a worker that died.
        self.solo_deaths: Counter[JobKey] = Counter()
        self.cancelled: set[UUID] = set()
        self.removed: set[UUID] = set()

    @initialize()
    def workers_start(self) -> None:
        self._beat()

    # One rule: Hypothesis switches rules off at random, and without a dispatcher nothing happens.
    @rule(
        name=st.sampled_from([name for name, (often, _) in STEPS.items() for _ in range(often)]),
        data=st.data(),
    )
    def step(self, name: str, data: st.DataObject) -> None:
        drawn = {key: data.draw(strategy, key) for key, strategy in STEPS[name][1].items()}
        getattr(self, name)(**drawn)

    # What people do

    def submit(
        self,
        count: int,
        owner: str,
        klass: Klass,
        priority: Priority,
        *,
        activate: bool,
        poison: bool,
        objects: bool,
    ) -> None:
        if self.submitted >= 4:
            return
        self.submitted += 1
        spec = SPEC_OF_OBJECTS if objects else SPEC
        new = NewBatch(owner, f"key-{self.submitted}", "n", "demo", spec, "s", klass, priority)
        with self.database.write() as session:
            at = batches.create_or_find(session, new)
        if objects:
            self.of_objects.add(at.batch_id)
        refs = [
            ImageRef(f"{n}.png", f"file:///{n}.png", asks_in_text(n) if objects else None)
            for n in range(count)
        ]
        for first in range(0, count, 5):
            with self.database.write() as session:
                block = refs[first : first + 5]
                assert jobs.load_block(session, at.batch_id, first, block)
                assert not jobs.load_block(session, at.batch_id, first, block), "the place is taken"
        if self.submitted % 2 == 0:
            with self.database.write() as session:
                of_it = update(BatchRow).where(BatchRow.id == at.batch_id)
                session.execute(of_it.values(scratch=True))
        if activate:
            with self.database.write() as session:
                assert batches.activate(session, at.batch_id)
        if poison:
            self.poison.add(at.batch_id)

    def someone_asks(self, pick: int, verb: str) -> None:
        if not self.submitted:
            return
        batch = self._pick_batch(pick, verb)
        if batch is not None:
            getattr(self, f"_{verb}")(batch)

    def _activate(self, batch: BatchRow) -> None:
        with self.database.write() as session:
            activated = batches.activate(session, batch.id)
        assert activated == (batch.state == BatchState.LOADING)

    def _pause(self, batch: BatchRow) -> None:
        with self._allowed(ALLOWED["pause"](batch)) as session:
            batches.pause(session, batch.id)

    def _resume(self, batch: BatchRow) -> None:
        with self._allowed(ALLOWED["resume"](batch)) as session:
            batches.resume(session, batch.id)

    def _cancel(self, batch: BatchRow) -> None:
        allowed = ALLOWED["cancel"](batch)
        with self._allowed(allowed) as session:
            batches.cancel(session, batch.id)
        if allowed:
            self.cancelled.add(batch.id)

    def _retry_failed(self, batch: BatchRow) -> None:
        with self._allowed(ALLOWED["retry_failed"](batch)) as session:
            assert batches.retry_failed(session, batch.id) == batch.failed
            failed = [
                key
                for key, state in self.ended.items()
                if key[0] == batch.id and state == JobState.FAILED
            ]
            assert len(failed) == batch.failed
            for key in failed:
                del self.ended[key], self.solo_deaths[key]

    def _remove(self, batch: BatchRow) -> None:
        allowed = ALLOWED["remove"](batch)
        with self._allowed(allowed) as session:
            batches.remove(session, batch.id)
        if allowed:
            self.removed.add(batch.id)
            self.cancelled.discard(batch.id)
            self.ended = {k: v for k, v in self.ended.items() if k[0] != batch.id}

    def _grow(self, batch: BatchRow) -> None:
        seq = batch.total
        asks = asks_in_text(seq) if batch.id in self.of_objects else None
        image = ImageRef(f"{seq}.png", f"file:///{seq}.png", asks)
        if not batch.scratch:
            with self.database.write() as session:
                assert scratch.append(session, batch.id, image) is None
            return
        with self._allowed(ALLOWED["grow"](batch)) as session:
            assert scratch.append(session, batch.id, image) == seq

    # What the dispatcher does

    def dispatch(self, *, forgot: bool, later: bool) -> None:
        if later:
            self._time_passes()
        if forgot:
            self.broker.clear()
        self._beat()
        tick(self.database, self.broker.extend, broker_forgot=forgot)
        with self.database.read() as session:
            # A tick looks whether there is anything to do before it does anything.
            closed = session.scalars(
                select(ChunkRow.id).where(ChunkRow.state.not_in(ChunkState.open()))
            ).all()
            assert closed == [], "every closed chunk is folded"
            for batch in session.scalars(
                select(BatchRow).where(BatchRow.state.in_(BatchState.live()))
            ):
                assert batch.done + batch.failed < batch.total, "a batch whose jobs ended is DONE"
            queued = session.scalars(
                select(ChunkRow.id).where(ChunkRow.state == ChunkState.QUEUED)
            ).all()
        if forgot:
            assert {message.chunk_id for message in self.broker} >= set(queued)

    def dispatch_while_the_broker_goes_away(self, sent: int) -> None:
        def publish(messages: Sequence[ChunkMessage]) -> None:
            nonlocal sent
            for message in messages:
                if sent == 0:
                    raise Unreachable("Redis", "gone")
                sent -= 1
                self.broker.append(message)

        self._beat()
        try:
            tick(self.database, publish)
        except Unreachable:
            assert sent == 0

    def the_broker_errs(self, pick: int, end: str) -> None:
        if not self.broker:
            return
        message = self.broker[pick % len(self.broker)]
        if end != "doubled":
            self.broker.remove(message)
        if end != "lost":
            self.broker.append(message)

    def _time_passes(self) -> None:
        """Ten minutes: whatever rests may be claimed, whatever was published is overdue."""
        with self.database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.next_at.is_not(None))
                .values(next_at=JobRow.next_at - 601_000)
            )
            session.execute(
                update(ChunkRow).values(
                    created_at=ChunkRow.created_at - 601_000,
                    published_at=ChunkRow.published_at - 601_000,
                )
            )

    # What workers do

    def take(self, pick: int, who: int, *, reply_lost: bool, then: str, fate: list[str]) -> None:
        if not self.broker:
            self.dispatch(forgot=False, later=False)
        if not self.broker:
            return
        message = self.broker.pop(pick % len(self.broker))
        deadly = message.batch_id in self.poison
        worker = MORTAL[who % 2] if deadly else WORKERS[who]
        if any(h.worker == worker and h.taken.chunk_id == message.chunk_id for h in self.held):
            return  # a worker knows what it has in hand
        with self.database.read() as session:
            row = session.get(ChunkRow, message.chunk_id)
            free = row is not None and (
                row.state == ChunkState.QUEUED
                or (row.state == ChunkState.RUNNING and row.worker == worker)
            )
        taken = self._take(message, worker)
        assert (taken is not None) == free
        if taken is None:
            return
        self._is_what_was_submitted(taken)
        if reply_lost:
            assert self._take(message, worker) == taken
        self.held.append(Held(worker, taken))
        if then == "die" or (deadly and taken.jobs[0].seq == 0):
            self._lapse(message.chunk_id)
        elif then == "finish":
            self.finish(-1, fate)

    def finish(self, pick: int, fate: list[str]) -> None:
        if not self.held:
            return
        held = self.held.pop(pick % len(self.held))
        self._finish(held, [end_of(*pair) for pair in zip(held.taken.jobs, fate, strict=False)])

    def die(self, pick: int) -> None:
        """The lease lapses; what was held stays in a zombie's hands."""
        if not self.held:
            return
        self._lapse(self.held[pick % len(self.held)].taken.chunk_id)

    def beat(self, pick: int) -> None:
        if not self.held:
            return
        held = self.held[pick % len(self.held)]
        with self.database.write() as session:
            kept = chunks.extend(session, held.worker, [held.taken.chunk_id], lease_ms=30_000)
        with self.database.read() as session:
            row = session.get(ChunkRow, held.taken.chunk_id)
            batch = session.get(BatchRow, held.taken.batch_id)
            mine = row is not None and row.state == ChunkState.RUNNING and row.worker == held.worker
            assert kept == ({row.id: BatchState(batch.state)} if mine else {})

    # How the rules reach the rows

    def _beat(self) -> None:
        with self.database.write() as session:
            for number, worker in enumerate(BEATING):
                workers.announce(session, WorkerInfo(worker, str(number), "cpu", "demo", 3))

    def _pick_batch(self, pick: int, verb: str) -> BatchRow | None:
        """Mostly one of those where it is granted, sometimes any: then it must be refused."""
        with self.database.read() as session:
            rows = list(session.scalars(select(BatchRow).order_by(BatchRow.id)))
            session.expunge_all()
        granted = [row for row in rows if ALLOWED[verb](row)]
        chosen = granted if granted and pick % 4 else rows
        return chosen[pick % len(chosen)] if chosen else None

    @contextmanager
    def _allowed(self, allowed: bool) -> Iterator[Session]:
        if allowed:
            with self.database.write() as session:
                yield session
        else:
            with pytest.raises(Conflict), self.database.write() as session:
                yield session

    def _take(self, message: ChunkMessage, worker: UUID) -> TakenChunk | None:
        with self.database.write() as session:
            return chunks.take(
                session, message.chunk_id, worker, solo=message.solo, lease_ms=30_000
            )

    def _is_what_was_submitted(self, taken: TakenChunk) -> None:
        of_objects = taken.batch_id in self.of_objects
        assert taken.spec == (SPEC_OF_OBJECTS if of_objects else SPEC)
        for job in taken.jobs:
            assert job.prompts == (asks_of(job.seq) if of_objects else None)

    def _finish(self, held: Held, ends: list[JobEnd]) -> None:
        chunk_id = held.taken.chunk_id
        with self.database.read() as session:
            row = session.get(ChunkRow, chunk_id)
            mine = row is not None and (row.state, row.worker) == (ChunkState.RUNNING, held.worker)
        if not mine:
            with pytest.raises(LeaseLost), self.database.write() as session:
                chunks.finish(session, held.worker, chunk_id, ends, gpu_seconds=1.0)
            return
        assert held.taken.batch_id not in self.cancelled | self.removed
        with self.database.write() as session:
            chunks.finish(session, held.worker, chunk_id, ends, gpu_seconds=0.1 * len(ends))
        for end in ends:
            if not isinstance(end, Returned):
                key = (held.taken.batch_id, end.seq)
                assert key not in self.ended, "a job ended twice"
                self.ended[key] = end.row().state

    def _lapse(self, chunk_id: UUID) -> None:
        with self.database.write() as session:
            row = session.get(ChunkRow, chunk_id)
            if row is None or row.state != ChunkState.RUNNING:
                return
            row.lease_until = 0
            if row.solo and row.worker not in BEATING:
                for seq in chunk_seqs(row.lo, row.hi, row.seqs):
                    self.solo_deaths[row.batch_id, seq] += 1

    # What must hold at every commit

    @invariant()
    def the_rows_are_sound(self) -> None:
        with self.database.read() as session:
            all_jobs = {(j.batch_id, j.seq): j for j in session.scalars(select(JobRow))}
            all_chunks = list(session.scalars(select(ChunkRow)))
            all_batches = {b.id: b for b in session.scalars(select(BatchRow))}
            rows = list(session.scalars(select(InstanceRow).order_by(InstanceRow.ordinal)))
            session.expunge_all()
        self._check_jobs(all_jobs, Counter((row.batch_id, row.seq) for row in rows))
        self._check_objects(all_jobs, rows)
        live = self._check_chunks(all_jobs, all_chunks, all_batches)
        for batch in all_batches.values():
            mine = [job for job in all_jobs.values() if job.batch_id == batch.id]
            self._check_batch(batch, mine, [c for c in all_chunks if c.batch_id == batch.id], live)
        assert {key[0] for key in all_jobs} <= set(all_batches), "a removed batch leaves nothing"

    def _check_jobs(self, all_jobs: dict[JobKey, JobRow], found: Counter[Any]) -> None:
        for key, job in all_jobs.items():
            assert (job.next_at is not None) == (job.state == JobState.RETRY)
            assert (job.masks_key is not None) == (job.state == JobState.DONE)
            assert found[key] == (job.n_instances or 0)
            assert job.losses <= self.solo_deaths[key], "only a death alone is charged"
            if job.state == JobState.FAILED and key not in self.ended:
                assert job.losses == MAX_LOSSES, "an innocent was failed"
                assert "died" in (job.error or "")
                self.ended[key] = JobState.FAILED
            if job.state in JobState.counted():
                assert self.ended.get(key) == job.state
        for key, state in self.ended.items():
            assert all_jobs[key].state == state, "an acknowledged end was lost"

    def _check_objects(self, all_jobs: dict[JobKey, JobRow], rows: list[InstanceRow]) -> None:
        """Each object of each image that is DONE has its one mask, in order, the empty one too."""
        got: dict[JobKey, list[tuple[int, int, float, int]]] = {}
        for row in rows:
            if row.object_index is not None:
                of = got.setdefault((row.batch_id, row.seq), [])
                of.append((row.object_index, row.prompt_index, row.score, row.area))
        whole = [(0, 1, 0.25, 1), (1, 2, 1.0, 0)]
        assert got == {
            (batch, seq): whole[: seq % 3]
            for (batch, seq), job in all_jobs.items()
            if batch in self.of_objects and job.state == JobState.DONE and seq % 3
        }

    def _check_chunks(
        self,
        all_jobs: dict[JobKey, JobRow],
        all_chunks: list[ChunkRow],
        all_batches: dict[UUID, BatchRow],
    ) -> Counter[JobKey]:
        live: Counter[JobKey] = Counter()
        bulk = 0
        for chunk in all_chunks:
            assert (chunk.lease_until is not None) == (chunk.state == ChunkState.RUNNING)
            seqs = chunk_seqs(chunk.lo, chunk.hi, chunk.seqs)
            assert len(seqs) == chunk.size
            assert not chunk.solo or chunk.size == 1
            if chunk.state in ChunkState.open():
                live.update((chunk.batch_id, seq) for seq in seqs)
                bulk += all_batches[chunk.batch_id].klass == Klass.BULK
        assert bulk <= WINDOW
        for key, times in live.items():
            assert times == 1, "a job is in two live chunks"
            assert all_jobs[key].state == JobState.WAITING
        return live

    def _check_batch(
        self, batch: BatchRow, mine: list[JobRow], its: list[ChunkRow], live: Counter[JobKey]
    ) -> None:
        states = Counter(JobState(job.state) for job in mine)
        closed = [chunk for chunk in its if chunk.state not in ChunkState.open()]
        assert batch.done + sum(chunk.done for chunk in closed) == states[JobState.DONE]
        assert batch.failed + sum(chunk.failed for chunk in closed) == states[JobState.FAILED]
        assert batch.loaded == len(mine)
        ended = states[JobState.DONE] + states[JobState.FAILED]
        if batch.state == BatchState.DONE:
            assert ended == batch.total == len(mine)
        if batch.state == BatchState.CANCELLED:
            assert not [chunk for chunk in its if chunk.state in ChunkState.open()]
            assert ended + states[JobState.CANCELLED] == len(mine)
        else:
            assert states[JobState.CANCELLED] == 0
        assert (batch.finished_at is not None) == (batch.state in BatchState.ended())
        if batch.state in BatchState.live():
            for job in mine:
                claimed = (batch.id, job.seq) in live
                if job.state == JobState.WAITING:
                    assert claimed == (job.seq < batch.next_seq), "a waiting job is lost"

    # In the end everything ends

    def teardown(self) -> None:
        try:
            self._everything_ends()
        finally:
            self.database.close()

    def _everything_ends(self) -> None:
        self.held.clear()
        with self.database.read() as session:
            running = session.scalars(
                select(ChunkRow.id).where(ChunkRow.state == ChunkState.RUNNING)
            ).all()
        for chunk_id in running:
            self._lapse(chunk_id)
        for batch in self._live(BatchState.LOADING):
            with self.database.write() as session:
                batches.activate(session, batch)
        for batch in self._live(BatchState.PAUSED):
            with self.database.write() as session:
                batches.resume(session, batch)
        for _ in range(100):
            self.dispatch(forgot=False, later=True)
            if not self._live(BatchState.ACTIVE):
                break
            while self.broker:
                taken = self._take(message := self.broker.pop(), BEATING[0])
                if taken is not None:
                    assert len(taken.jobs) == message.size
                    self._is_what_was_submitted(taken)
                    ends = [end_of(job, "done") for job in taken.jobs]
                    self._finish(Held(BEATING[0], taken), ends)
        self.the_rows_are_sound()
        assert self._live(*BatchState.open()) == []
        with self.database.read() as session:
            assert claim.open_chunks(session) == {}

    def _live(self, *states: BatchState) -> list[UUID]:
        with self.database.read() as session:
            return list(session.scalars(select(BatchRow.id).where(BatchRow.state.in_(states))))


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes the URL of a fresh, migrated database as often as it is called."""
    numbers = itertools.count()
    if request.param == "sqlite":
        template = Path(request.getfixturevalue("_sqlite_template"))

        def copy() -> str:
            target = tmp_path / f"{next(numbers)}.sqlite"
            shutil.copy(template, target)
            return f"sqlite:///{target}"

        yield copy
        return
    template_name = request.getfixturevalue("_postgres_template")
    server = request.getfixturevalue("postgres_server")
    names: list[str] = []

    def clone() -> str:
        while names:
            server.drop(names.pop())
        names.append(server.create(template=template_name))
        return str(server.url(names[-1]))

    yield clone
    while names:
        server.drop(names.pop())


def test_whatever_happens_every_job_ends_once(fresh_url: Callable[[], str]) -> None:
    first = fresh_url()
    run_state_machine_as_test(
        lambda: Protocol(fresh_url()),
        settings=settings(
            # The same seed runs the same story on both; Postgres hears the first ones.
            max_examples=20 if first.startswith("sqlite") else 8,
            stateful_step_count=50,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
