"""Owners and their batches on a shared pool, and who was served when."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import UUID

from faults import history, scenes
from faults.world import World, now_ms
from sqlalchemy import func, select

from db import batches, lookup
from db.models import BatchRow, ChunkRow, UserRow
from maskpool.domain import BatchState, ChunkState, Klass, Priority, new_id
from maskpool.spec import BatchSpec
from producer.dispatch.broker import Broker
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter

#: One text: how long an image takes is the matter.
SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}]})

#: Claims no further apart than this are of one tick.
_TICK_MS = 20


@dataclass(frozen=True)
class Sent:
    """A batch: when its owner asked for it, and when it could first be claimed."""

    batch_id: UUID
    asked_ms: int
    active_ms: int


@dataclass(frozen=True)
class Start:
    """How a batch began.

    Attributes:
        overtaken_by: Images of its rivals claimed before its first, by ticks in between.
        claimed: Seconds from becoming active to its first chunk.
        taken: Likewise, until a worker took that chunk.
        ended: Likewise, until its first chunk ended.
    """

    overtaken_by: int
    claimed: float
    taken: float
    ended: float


@dataclass
class Traffic:
    """What is submitted to one pool."""

    world: World
    sent: list[Sent] = field(default_factory=list)

    def weigh(self, weights: dict[str, float], clock: float | None = None) -> None:
        """Say how owners share; where told, as if they had been served before."""
        with self.world.database.write() as session:
            for owner, weight in weights.items():
                session.add(UserRow(name=owner, weight=weight, virtual_time=clock or 0.0))

    def submit(
        self,
        owner: str,
        count: int,
        klass: Klass = Klass.BULK,
        priority: Priority = Priority.NORMAL,
        *,
        missing: bool = False,
    ) -> Sent:
        """A batch of the world's few images, or of none that is there, by names of their own."""
        source = open_source(str(_manifest(self.world.images, count, missing=missing)))
        submission = Submission(source, SPEC, owner, str(new_id()), klass=klass, priority=priority)
        broker, active = Broker(self.world.redis.url), []

        def wake() -> None:
            active.append(now_ms())
            broker.wake()

        asked = now_ms()
        try:
            submitted = Submitter(self.world.database, wake).submit(submission)
        finally:
            broker.close()
        self.world.batch_ids.append(submitted.batch_id)
        self.sent.append(Sent(submitted.batch_id, asked, active[0]))
        return self.sent[-1]

    def gpu_seconds(self) -> dict[UUID, float]:
        """Of every batch, as far as its chunks have been folded."""
        with self.world.database.read() as session:
            rows = session.execute(select(BatchRow.id, BatchRow.gpu_seconds)).all()
        return {batch_id: seconds for batch_id, seconds in rows}  # noqa: C416

    def after(self, seconds: float, of: Collection[Sent]) -> list[float]:
        """The next GPU-seconds of a pool, by batch: waits until so many were spent on these."""
        before = self.gpu_seconds()

        def spent() -> list[float]:
            now = self.gpu_seconds()
            return [now[one.batch_id] - before[one.batch_id] for one in of]

        got: list[float] = []

        def enough() -> bool:
            got[:] = spent()
            return sum(got) >= seconds

        self.world.until(enough, seconds=20 + 4 * seconds, what=f"{seconds:.0f} GPU-seconds")
        return got

    def settle(self) -> None:
        """Until what was claimed before the last batch came has ended."""
        self.world.until(
            lambda: self._chunks(until_ms=self.sent[-1].active_ms) == 0,
            seconds=60,
            what="the end of the first chunks",
        )

    def await_start(self, sent: Sent) -> None:
        """Until the first chunk of a batch has ended."""
        self.world.until(
            lambda: self.world.progress(sent.batch_id).done > 0,
            seconds=60,
            what=f"the start of batch {sent.batch_id}",
        )

    def start_of(self, sent: Sent) -> Start:
        """How a batch began; its first chunk has ended."""
        told = history.steps(self.world.database, sent.active_ms)
        mine = [one for one in told if one.batch_id == sent.batch_id]
        first = {
            state: min(one.at_ms for one in mine if one.state == state)
            for state in (ChunkState.QUEUED, ChunkState.RUNNING, ChunkState.DONE)
        }
        rivals = self._rivals(sent)
        claims = [one for one in told if one.state == ChunkState.QUEUED]
        overtaken_by = sum(one.size for one in _between(claims, sent) if one.batch_id in rivals)
        waits = [(at - sent.active_ms) / 1000 for at in first.values()]
        return Start(overtaken_by, *waits)

    def _rivals(self, sent: Sent) -> set[UUID]:
        """Whose turns a batch waits for: its owner's others if there are any, else everybody's.

        An owner who has work already has turns already, and others have theirs in between.
        """
        with self.world.database.read() as session:
            rows = session.execute(select(BatchRow.id, BatchRow.owner_id))
            owners = {row.id: row.owner_id for row in rows}
        others = {one.batch_id for one in self.sent if one.batch_id != sent.batch_id}
        own = {one for one in others if owners[one] == owners[sent.batch_id]}
        return own or others

    def await_end(self, sent: Collection[Sent], seconds: float = 120) -> None:
        self.world.await_end([one.batch_id for one in sent], seconds)

    def stop(self) -> None:
        """Cancel what is left, and wait until the pool is empty."""
        for one in self.sent:  # each by itself, as people would: together they could deadlock
            with self.world.database.write() as session:
                if lookup.progress(session, one.batch_id).state == BatchState.ACTIVE:
                    batches.cancel(session, one.batch_id)
        self.world.until(lambda: self._chunks() == 0, seconds=60, what="an empty pool")

    def _chunks(self, until_ms: int | None = None) -> int:
        """Chunks that are not folded yet, of those claimed until then."""
        query = select(func.count()).select_from(ChunkRow)
        if until_ms is not None:
            query = query.where(ChunkRow.created_at <= until_ms)
        with self.world.database.read() as session:
            return session.scalar(query) or 0


def _between(claims: Sequence[history.Step], sent: Sent) -> list[history.Step]:
    """Claims before the first of a batch, tick by tick.

    Not those of its own tick, which all go out together, nor of one that was under way: it had
    read the batches before this one was active.
    """
    ticks: list[list[history.Step]] = []
    for one in claims:
        if not ticks or one.at_ms - ticks[-1][-1].at_ms > _TICK_MS:
            ticks.append([])
        ticks[-1].append(one)
    own = next(n for n, tick in enumerate(ticks) if any(c.batch_id == sent.batch_id for c in tick))
    first = 1 if ticks[0][0].at_ms - sent.active_ms <= 2 * _TICK_MS else 0
    return [one for tick in ticks[first:own] for one in tick]


@contextmanager
def flowing(world: World) -> Iterator[Traffic]:
    """Traffic that is gone behind the test."""
    traffic = Traffic(world)
    try:
        yield traffic
    finally:
        traffic.stop()


@cache
def _manifest(images: Path, count: int, *, missing: bool) -> Path:
    path = images / f"{count}-{'missing' if missing else 'there'}.jsonl"
    with path.open("w") as lines:
        for seq in range(count):
            image = "missing.png" if missing else f"scene_{seq % scenes.KINDS:02d}.png"
            lines.write(json.dumps({"uri": image, "name": f"{seq:06d}.png"}) + "\n")
    return path
