"""Lists of images by each way are one list, page by page, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from db import batches, counting, histogram, uncertain
from db.batches import NewBatch
from db.image_rows import Choice, Image
from db.images import Order
from db.models import BatchRow, CountRow, InstanceRow, JobRow, ScoreBlockRow, TaskRow
from db.session import Database
from maskpool.domain import BatchState, JobState
from maskpool.reading import Reading
from maskpool.spec import BatchSpec
from producer import counting as use_case
from producer import listing
from producer.listing_asked import Asked
from producer.results import reader
from producer.results.reader import BatchView
from producer.totals import Total

COUNT, PROMPTS = 60, 3

SPEC = BatchSpec.read(
    {
        "model": "demo",
        "version": 2,
        "prompts": [{"text": f"thing {n}"} for n in range(PROMPTS)],
        "classes": ["boxed"],
    }
)

READINGS = [
    Reading(),
    Reading(threshold=0.3, max_overlap=0.5, max_against=0.6),
    Reading(exclusive=True, max_overlap=0.8),
    Reading.read({"prompts": {"thing 0": {"threshold": 0.3}, "thing 1": {"max_count": 1}}}),
    Reading.read({"exclusive": True, "prompts": {"thing 2": {"threshold": 0.8, "max_area": 20}}}),
]

edges = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])
choices = st.builds(
    Choice,
    st.sampled_from([(), (JobState.DONE,), (JobState.FAILED,), (JobState.WAITING,)]),
    st.none() | st.lists(st.integers(0, PROMPTS), min_size=1, max_size=2, unique=True),
    st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair))),
    st.none() | st.booleans(),
)
#: How a page is read: from what is kept, or from rows.
ways = st.lists(st.booleans(), min_size=1, max_size=5)
many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class World:
    """A batch that has ended."""

    database: Database
    batch_id: UUID

    def view(self) -> BatchView:
        return reader.view(self.database, self.batch_id)


@pytest.fixture(params=range(len(READINGS)))
def world(
    request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(counting, "MANY", 10)
    monkeypatch.setattr(use_case, "BLOCK", 7)
    # Pages are short, and so is the part that is looked at first.
    monkeypatch.setattr(uncertain, "_CANDIDATES", 12)
    monkeypatch.setattr(uncertain, "_ASKED", 5)
    database = Database(database_url)
    new = NewBatch("ann", "key", "name", "demo", SPEC.dump(), "source")
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        fill(session, batch_id)
        batches.set_reading(session, batch_id, READINGS[request.param])
    use_case.count(database, batch_id, fence=lambda _: None, on_step=lambda *_: None)
    yield World(database, batch_id)
    database.close()


def fill(session: Session, batch_id: UUID) -> None:
    """Images in each state, some of one name; scores on edges and beside them."""
    random = np.random.default_rng(5)
    jobs, instances = [], []
    for seq in range(COUNT):
        state = random.choice([JobState.DONE] * 8 + [JobState.FAILED, JobState.CANCELLED])
        name = f"{'Bb'[seq % 2]}{int(random.integers(COUNT // 2)):03d} ä.jpg"
        jobs.append({"batch_id": batch_id, "seq": seq, "name": name, "image_uri": "file:///x"})
        jobs[-1]["state"] = int(state)
        if state == JobState.DONE:
            instances += rows_of(batch_id, seq, random)
    session.execute(insert(JobRow), jobs)
    session.execute(insert(InstanceRow), instances)
    ended = {"state": BatchState.CANCELLED, "finished_at": 1, "next_seq": COUNT}
    counts = {"total": COUNT, "loaded": COUNT}
    session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(**ended, **counts))


def rows_of(batch_id: UUID, seq: int, random: np.random.Generator) -> list[dict[str, object]]:
    rows = []
    for ordinal in range(int(random.integers(6))):
        of_object = bool(random.random() < 0.1)
        area, share = int(random.integers(40)), float(np.float32(random.random()))
        rows.append(
            {
                "batch_id": batch_id,
                "seq": seq,
                "ordinal": ordinal,
                "area": area,
                "x": 0,
                "y": 0,
                "w": 1,
                "h": 1,
                "overlap": share,
                "prompt_index": PROMPTS if of_object else int(random.integers(PROMPTS)),
                "score": int(random.integers(5, 101)) / 100,
                "object_index": 0 if of_object else None,
                "against": share if random.random() < 0.3 else None,
                "contender": int(random.integers(6)) if random.random() < 0.3 else None,
            }
        )
    return rows


def pages(world: World, asked: Asked, ways: list[bool]) -> tuple[list[Image], Total | None]:
    """The list from its first page to its last, each page by another way."""
    found: list[Image] = []
    of_all = None
    for turn in range(2 * COUNT):
        with world.database.snapshot() as session:
            known = histogram.counted(session, world.batch_id)
            assert known is not None
            assert known.blocks
            way = listing.listed if ways[turn % len(ways)] else listing.plain
            page, total = way(session, asked, known if ways[turn % len(ways)] else None)
        assert (total is None) == bool(turn)
        of_all = of_all or total
        found += page
        if len(page) < asked.limit:
            return found, of_all
        asked = replace(asked, after=(page[-1].key, page[-1].seq), skip=0)
    raise AssertionError("there is no last page")


@many
@given(
    choice=choices,
    order=st.sampled_from(Order),
    seed=st.integers(0, 2**31 - 1),
    skip=st.just(0) | st.integers(0, 70),
    limit=st.integers(1, 25),
    ways=ways,
)
def test_each_way_gives_one_list(
    world: World,
    *,
    choice: Choice,
    order: Order,
    seed: int,
    skip: int,
    limit: int,
    ways: list[bool],
) -> None:
    whole = Asked(world.view(), choice, order, seed, limit=COUNT + 1)
    with world.database.snapshot() as session:
        expected, _ = listing.plain(session, whole, None)
    assert len({image.seq for image in expected}) == len(expected)

    found, total = pages(world, replace(whole, skip=skip, limit=limit), ways)

    assert found == expected[skip:]
    assert total == Total(len(expected))


@pytest.mark.parametrize("order", Order)
def test_pages_read_while_results_come_in_hold_no_image_twice(world: World, order: Order) -> None:
    """And every image, where the order does not depend on what is found."""
    random = np.random.default_rng(6)
    asked = Asked(world.view(), Choice(), order, 3, limit=7)
    with world.database.write() as session:
        kept = list(session.scalars(select(InstanceRow.seq).distinct()))
        session.execute(delete(InstanceRow).where(InstanceRow.seq >= 5))
        session.execute(update(BatchRow).values(state=BatchState.ACTIVE, finished_at=None))
    found: list[int] = []
    late = [seq for seq in kept if seq >= 5]
    while True:
        with world.database.snapshot() as session:
            assert histogram.counted(session, world.batch_id) is None
            page, _ = listing.listed(session, asked, None)
        found += [image.seq for image in page]
        if len(page) < asked.limit:
            break
        asked = replace(asked, after=(page[-1].key, page[-1].seq))
        with world.database.write() as session:
            come = [row for seq in late[:6] for row in rows_of(world.batch_id, seq, random)]
            late = late[6:]
            if come:
                session.execute(insert(InstanceRow), come)
    assert len(set(found)) == len(found)
    if order is not Order.UNCERTAIN:
        assert sorted(found) == list(range(COUNT))


def test_a_damaged_block_is_passed_by(world: World, caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked(world.view(), Choice(found=True), Order.NAME, limit=9)
    with world.database.snapshot() as session:
        expected = listing.plain(session, asked, None)
    with world.database.write() as session:
        session.execute(
            update(ScoreBlockRow).where(ScoreBlockRow.first_seq == 14).values(content=b"nonsense")
        )
    with world.database.snapshot() as session:
        known = histogram.counted(session, world.batch_id)
        assert listing.listed(session, asked, known) == expected
    assert "is listed from its rows: a block of kept scores is damaged" in caplog.text


def test_counts_of_before_there_were_blocks_are_made_anew(world: World) -> None:
    with world.database.write() as session:
        session.execute(delete(TaskRow))
        assert counting.uncounted(session) == []
        session.execute(update(CountRow).values(blocks_version=None))
        assert counting.uncounted(session) == [world.batch_id]
    use_case.count(world.database, world.batch_id, fence=lambda _: None, on_step=lambda *_: None)
    with world.database.read() as session:
        assert counting.uncounted(session) == []
        versions = set(session.scalars(select(ScoreBlockRow.version)))
        assert versions == {session.scalar(select(CountRow.version))}
