"""Counts by score: the clerk's, those made on request, and what the list of images says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool
from services.scored import scored
from sqlalchemy import delete, func, select, update

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db import batches, counting, removal, scratch, tasks, trash
from db.models import (
    BatchRow,
    CountRow,
    InstanceRow,
    JobRow,
    ScoreBlockRow,
    ScoreCountRow,
    TaskRow,
    UncertaintyRow,
)
from maskpool.domain import BatchState, JobState, new_id
from maskpool.errors import LeaseLost
from maskpool.tasks import TaskKind, TaskState
from producer import batches as use_cases
from producer import blocks, totals
from producer import counting as use_case
from producer.accounts.rights import Right
from producer.integrity.check import verify

COUNT = 40

#: Tables of what a clerk counted.
COUNTS = (CountRow, ScoreCountRow, UncertaintyRow, ScoreBlockRow)

READINGS: list[dict[str, Any]] = [
    {},
    {"max_overlap": 0.5, "max_against": 0.6},
    {"exclusive": True, "max_against": 1.0, "max_overlap": 0.8},
    {"prompts": {"a": {"max_count": 1}, "b": {"min_area": 1, "max_area": 1_000}}},
    {"prompts": {"a": {"threshold": 0.3}, "b": {"threshold": 0.71, "max_count": 2}}},
    {"exclusive": True, "prompts": {"a": {"threshold": 0.6}}},
]


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path) as door:
        yield door


@pytest.fixture
def work(door: Door) -> PlainPool:
    return PlainPool(door.pool.database, door.pool.store(), look=scored)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images are many, and blocks are small."""
    monkeypatch.setattr(counting, "MANY", 10)
    monkeypatch.setattr(use_case, "BLOCK", 7)
    monkeypatch.setattr(removal, "BLOCK", 6)
    monkeypatch.setattr(blocks, "_REST_SECONDS", 0.0)


def submitted(door: Door, work: PlainPool, *, drain: bool = True) -> UUID:
    batch_id = work.submit(COUNT)
    if drain:
        work.drain()
    with door.pool.database.write() as session:
        owner = {"owner_id": door.users["maker"]}
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(owner))
    return batch_id


def get(door: Door, path: str, **query: Any) -> Any:
    headers = door.token("maker", Right.READ)
    answer = door.client.get(f"/api/v1/batches/{path}", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def read_as(door: Door, batch: UUID, reading: dict[str, Any]) -> None:
    headers = door.token("maker", Right.READ, Right.CHANGE)
    path = f"/api/v1/batches/{batch}/reading"
    assert door.client.put(path, headers=headers, json=reading).status_code == 200


def waiting(door: Door) -> list[UUID]:
    with door.pool.database.read() as session:
        return list(
            session.scalars(
                select(TaskRow.id).where(
                    TaskRow.kind == TaskKind.COUNT, TaskRow.state == TaskState.WAITING
                )
            )
        )


def runner(door: Door) -> TaskRunner:
    keeper = TaskKeeper(
        door.pool.database, new_id(), "here:1", lease_seconds=30.0, heartbeat_seconds=1.0
    )
    return TaskRunner(door.pool, keeper)


def let_clerk_count(door: Door) -> int:
    asked = waiting(door)
    for task_id in asked:
        assert runner(door).run(task_id) == "count done"
    return len(asked)


def rows_of(door: Door, table: Any) -> int:
    with door.pool.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def sums(histogram: Any, prompt: str, hundredth: int) -> tuple[int, int]:
    [bars] = [one for one in histogram["prompts"] if one["name"] == prompt]
    return sum(bars["images"][hundredth:]), sum(bars["instances"][hundredth:])


def listed(door: Door, batch: UUID, **query: Any) -> tuple[int, int, int]:
    """What the list says: images, its total, and instances of each prompt together."""
    page = get(door, f"{batch}/images", limit=500, **query)
    assert not page["total_is_about"]
    found = [one["found"].get(query.get("prompt", ""), 0) for one in page["images"]]
    return len(page["images"]), page["total"], sum(found)


@pytest.mark.parametrize(
    ("kept", "reading"), [*((True, one) for one in READINGS), (False, READINGS[1])]
)
def test_the_list_says_the_same(
    door: Door, work: PlainPool, request: pytest.FixtureRequest, kept: bool, reading: dict[str, Any]
) -> None:
    if kept:
        request.getfixturevalue("large")
    batch = submitted(door, work)
    read_as(door, batch, reading)
    assert let_clerk_count(door) == int(kept)
    assert rows_of(door, CountRow) == int(kept)
    whole = get(door, f"{batch}/histogram")
    assert (whole["ready"], whole["images"]) == (True, COUNT)
    exclusive = reading.get("exclusive", False)
    assert whole["exact"] == ("one_threshold" if exclusive else "always")
    own = reading.get("prompts", {})
    uneven = any("threshold" in one for one in own.values())
    for prompt in ("a", "b"):
        least = own.get(prompt, {}).get("threshold", 0.5)
        images, total, instances = listed(door, batch, prompt=prompt)
        assert images == total
        if not (exclusive and uneven):
            assert (images, instances) == sums(whole, prompt, round(least * 100))
        lacking = listed(door, batch, prompt=prompt, found="false", state="done")
        assert lacking[:2] == (COUNT - images,) * 2
        some = listed(door, batch, prompt=prompt, min_score=0.82)
        assert some[0] == some[1]
        if not (exclusive and uneven):
            assert some[0] == sums(whole, prompt, 82)[0]
        between = listed(door, batch, prompt=prompt, min_score=0.55, max_score=0.75)
        assert between[0] == between[1] < images
    both = listed(door, batch, found="true")
    assert both[0] == both[1]
    if not uneven:
        assert both[0] == sum(whole["together"]["images"][50:])
        for threshold in (0.29, 0.58):
            read_as(door, batch, {**reading, "threshold": threshold})
            for prompt in ("a", "b"):
                images, total, instances = listed(door, batch, prompt=prompt)
                expected = sums(whole, prompt, round(threshold * 100))
                assert (images, total, instances) == (expected[0], *expected)


@pytest.mark.usefixtures("large")
def test_what_is_kept_is_what_is_counted_on_request(
    door: Door, work: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submitted(door, work)
    let_clerk_count(door)
    kept = get(door, f"{batch}/histogram")
    path = f"{batch}/images"
    orders = [get(door, path, order="uncertain", state=state) for state in ("done", "waiting")]
    filtered = get(door, path, order="uncertain", min_score=0.8)
    pages, after = [], {}
    while after is not None:
        page = get(door, path, order="uncertain", limit=7, **after)
        assert page["total"] == (None if after else COUNT)
        pages += page["images"]
        after = {"after": page["next"]} if page["next"] else None
    assert pages == orders[0]["images"]
    with door.pool.database.write() as session:
        session.execute(update(CountRow).values(version=None))
    monkeypatch.setattr(counting, "MANY", COUNT)
    assert get(door, f"{batch}/histogram") == kept
    assert orders[0]["images"] != get(door, path, limit=COUNT)["images"]
    assert orders == [get(door, path, order="uncertain", state=one) for one in ("done", "waiting")]
    assert filtered == get(door, path, order="uncertain", min_score=0.8)


@pytest.mark.usefixtures("large")
def test_it_is_counted_at_each_end(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work, drain=False)
    early = get(door, f"{batch}/histogram")
    assert (early["ready"], early["prompts"]) == (False, [])
    assert "ask again" in early["not_yet"]
    work.drain()
    assert not get(door, f"{batch}/histogram")["ready"]
    assert let_clerk_count(door) == 1
    before = get(door, f"{batch}/histogram")
    with door.pool.database.write() as session:
        failed = {"state": JobState.FAILED, "error": "it is no image", "masks_key": None}
        session.execute(update(JobRow).where(JobRow.seq == 3).values(failed))
        session.execute(update(BatchRow).values(failed=1, done=COUNT - 1))
        session.execute(delete(InstanceRow).where(InstanceRow.seq == 3))
        batches.retry_failed(session, batch)
    assert not get(door, f"{batch}/histogram")["ready"]
    assert get(door, f"{batch}/images", prompt="a")["total"] is not None
    work.drain()
    with door.pool.database.read() as session:
        assert session.get_one(BatchRow, batch).state == BatchState.DONE
    assert let_clerk_count(door) == 1
    assert get(door, f"{batch}/histogram") == before
    assert rows_of(door, UncertaintyRow) == sum(bool(scored(n).instances) for n in range(COUNT))


@pytest.mark.usefixtures("large")
def test_another_way_of_reading_is_counted_anew(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    let_clerk_count(door)
    first = get(door, f"{batch}/histogram")
    read_as(door, batch, {"threshold": 0.7})
    assert get(door, f"{batch}/histogram") == first
    read_as(door, batch, {"threshold": 0.7, "max_against": 1.0})
    assert len(waiting(door)) == 1
    assert get(door, f"{batch}/histogram") == first | {"exact": "about"}
    total = get(door, f"{batch}/images", prompt="b", limit=1)
    assert total["total"] == listed(door, batch, prompt="b")[0]
    let_clerk_count(door)
    second = get(door, f"{batch}/histogram")
    assert second["exact"] == "always"
    assert sums(second, "b", 5) > sums(first, "b", 5)
    colours = {"prompts": {"a": {"colour": "#ff0000"}}}
    read_as(door, batch, {"threshold": 0.7, "max_against": 1.0, **colours})
    with door.pool.database.read() as session:
        version = session.scalar(select(CountRow.version))
    let_clerk_count(door)
    with door.pool.database.read() as session:
        assert session.scalar(select(CountRow.version)) == version


@pytest.mark.usefixtures("large")
def test_a_late_clerk_and_one_that_died_change_nothing(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    database = door.pool.database

    class Died(Exception):
        """In the middle."""

    def die(done: int, _: int) -> None:
        if done > 20:
            raise Died

    def lost(_: object) -> None:
        raise LeaseLost("it is another's")

    with pytest.raises(Died):
        use_case.count(database, batch, fence=lambda _: None, on_step=die)
    assert not get(door, f"{batch}/histogram")["ready"]
    assert 0 < rows_of(door, UncertaintyRow) < COUNT
    let_clerk_count(door)
    kept, rows = get(door, f"{batch}/histogram"), rows_of(door, UncertaintyRow)
    assert rows == sum(bool(scored(n).instances) for n in range(COUNT))
    with pytest.raises(LeaseLost):
        use_case.count(database, batch, fence=lost, on_step=lambda *_: None)
    assert (get(door, f"{batch}/histogram"), rows_of(door, UncertaintyRow)) == (kept, rows)


@pytest.mark.usefixtures("large")
def test_of_two_clerks_the_one_that_began_later_is_believed(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    database, raced = door.pool.database, False

    def race(_: int, __: int) -> None:
        nonlocal raced
        if not raced:
            raced = True
            assert let_clerk_count(door) == 1

    result = use_case.count(database, batch, fence=lambda _: None, on_step=race)
    assert (raced, result) == (True, None)
    assert rows_of(door, UncertaintyRow) == sum(bool(scored(n).instances) for n in range(COUNT))
    assert get(door, f"{batch}/histogram")["ready"]


@pytest.mark.usefixtures("large")
def test_counts_go_with_their_batch(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    let_clerk_count(door)
    assert list(verify(door.pool.database, door.pool.store())) == []
    with door.pool.database.write() as session:
        counted = tasks.create(
            session,
            *(TaskKind.COUNT, {"batch": str(batch)}),
            user_id=None,
            team_id=None,
            batch_id=batch,
        )
    with door.pool.database.write() as session:
        trash.put(session, batch, door.users["maker"])
        deletion = trash.clear_now(session, batch)
    assert runner(door).run(counted) == "count done"
    assert runner(door).run(deletion) == "delete done"
    assert [rows_of(door, one) for one in COUNTS] == [0] * len(COUNTS)
    with door.pool.database.write() as session:
        session.add(
            ScoreCountRow(batch_id=batch, prompt_index=0, hundredth=1, images=1, instances=1)
        )
    [finding] = verify(door.pool.database, door.pool.store())
    assert finding.subject == "score_counts"


@pytest.mark.usefixtures("large")
def test_the_checker_finds_counts_that_are_wrong(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    let_clerk_count(door)
    with door.pool.database.write() as session:
        bar = session.scalars(select(ScoreCountRow).limit(1)).one()
        bar.images += 1
    [finding] = verify(door.pool.database, door.pool.store(), batch)
    assert (finding.kind, finding.batch_id) == ("counts", batch)


@pytest.mark.usefixtures("large")
def test_the_checker_finds_blocks_of_scores_that_are_wrong(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    let_clerk_count(door)
    assert list(verify(door.pool.database, door.pool.store(), batch)) == []
    with door.pool.database.write() as session:
        [first, second, third, *_] = session.scalars(
            select(ScoreBlockRow).order_by(ScoreBlockRow.first_seq)
        )
        first.content, second.content = second.content, b"nonsense"
        session.delete(third)
    findings = list(verify(door.pool.database, door.pool.store(), batch))
    assert [finding.subject for finding in findings] == ["images from 0 on", "images from 7 on"]
    with door.pool.database.write() as session:
        session.execute(delete(ScoreBlockRow).where(ScoreBlockRow.first_seq < 35))
    [*_, last] = verify(door.pool.database, door.pool.store(), batch)
    assert "their kept scores are not what their rows say" in last.sentence
    with door.pool.database.write() as session:
        session.execute(delete(ScoreBlockRow))
    [last] = verify(door.pool.database, door.pool.store(), batch)
    assert last.sentence == f"the scores of 0 images are kept, and there are {COUNT}"


@pytest.mark.usefixtures("large")
def test_what_was_never_counted_is_found_by_the_sweep(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    with door.pool.database.write() as session:
        session.execute(delete(TaskRow))
        swept = tasks.create(
            session, TaskKind.EXPIRE, {}, user_id=None, team_id=None, batch_id=None
        )
        assert counting.uncounted(session) == [batch]
    runner(door).run(swept)
    assert let_clerk_count(door) == 1
    with door.pool.database.read() as session:
        assert counting.uncounted(session) == []


@pytest.mark.usefixtures("large")
def test_a_cancelled_batch_is_counted_and_a_scratch_batch_never(
    door: Door, work: PlainPool
) -> None:
    batch = submitted(door, work, drain=False)
    for message in work.tick():
        work.work(message)
    use_cases.cancel(door.pool, str(batch))
    assert let_clerk_count(door) == 1
    histogram = get(door, f"{batch}/histogram")
    assert (histogram["ready"], 0 < histogram["images"] < COUNT) == (True, True)
    with door.pool.database.write() as session:
        session.execute(update(BatchRow).values(scratch=True))
        counting.ask(session, batch)
        assert scratch.whose(session, batch) is not None
    assert waiting(door) == []


def test_of_many_images_the_total_is_about(
    door: Door, work: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submitted(door, work)
    monkeypatch.setattr(totals, "MANY", COUNT - 1)
    monkeypatch.setattr("producer.stretches._STRETCHES", 4)
    monkeypatch.setattr("producer.stretches._STRETCH", 10)
    true = len(get(door, f"{batch}/images", prompt="a")["images"])
    page = get(door, f"{batch}/images", prompt="a", limit=3)
    assert page["total_is_about"]
    assert abs(page["total"] - true) < COUNT / 3
    assert get(door, f"{batch}/images", limit=3)["total"] == COUNT
    whole = get(door, f"{batch}/images", prompt="a", limit=COUNT)
    assert (whole["total"], whole["total_is_about"]) == (true, False)


def test_a_histogram_is_told_once_until_it_changes(door: Door, work: PlainPool) -> None:
    batch = submitted(door, work)
    headers = door.token("maker", Right.READ)
    path = f"/api/v1/batches/{batch}/histogram"
    first = door.client.get(path, headers=headers)
    again = headers | {"if-none-match": first.headers["etag"]}
    assert door.client.get(path, headers=again).status_code == 304
    read_as(door, batch, {"max_against": 1.0})
    assert door.client.get(path, headers=again).status_code == 200
