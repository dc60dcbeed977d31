"""The domain's rules, and their twins in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, insert, select
from sqlalchemy.orm import Session

from db.instances import admitted
from db.models import Base, InstanceRow
from maskpool.domain import (
    BatchState,
    ChunkState,
    Found,
    Instance,
    JobState,
    Klass,
    Priority,
    Progress,
    ReadingRule,
    new_id,
)
from maskpool.rle import Rle

#: Rows keep single precision; so does what the pipeline makes.
parts = st.floats(0, 1, width=32)
#: Values from a small set meet each other on the edge of a rule.
edges = st.sampled_from([0.0, 0.25, 0.5, float(np.float32(0.3)), 1.0])
values = parts | edges
rules = st.builds(ReadingRule, values, st.none() | values, values)
triples = st.tuples(values, values, st.none() | values)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path: Path = tmp_path_factory.mktemp("rows") / "rows.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def instance(score: float, overlap: float, clip_score: float | None) -> Instance:
    found = Found(0, score, (0.0, 0.0, 1.0, 1.0), Rle((1, 1), "01"))
    return Instance(found, 1, overlap, clip_score)


@given(rule=rules, rows=st.lists(triples, min_size=1, max_size=30))
@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_rule_admits_the_same_in_python_and_in_sql(
    session: Session, rule: ReadingRule, rows: list[tuple[float, float, float | None]]
) -> None:
    batch = new_id()
    session.execute(delete(InstanceRow))
    session.execute(
        insert(InstanceRow),
        [
            {
                **dict.fromkeys(("prompt_index", "x", "y", "w", "h", "area"), 0),
                "batch_id": batch,
                "seq": 0,
                "ordinal": ordinal,
                "score": score,
                "overlap": overlap,
                "clip_score": clip_score,
            }
            for ordinal, (score, overlap, clip_score) in enumerate(rows)
        ],
    )
    in_sql = set(session.scalars(select(InstanceRow.ordinal).where(admitted(rule))))
    assert in_sql == {n for n, row in enumerate(rows) if rule.admits(instance(*row))}


@pytest.mark.parametrize(
    ("row", "rule", "admits"),
    [
        ((0.5, 1.0, None), ReadingRule(), True),
        ((0.49, 0.0, None), ReadingRule(), False),
        ((0.9, 0.5, None), ReadingRule(max_overlap=0.5), True),
        ((0.9, 0.51, None), ReadingRule(max_overlap=0.5), False),
        ((0.9, 0.0, 0.5), ReadingRule(), True),
        ((0.9, 0.0, 0.49), ReadingRule(), False),
        ((0.9, 0.0, 0.49), ReadingRule(clip_margin=0.1), True),
    ],
)
def test_the_edges_of_the_rule(
    row: tuple[float, float, float | None], rule: ReadingRule, admits: bool
) -> None:
    assert rule.admits(instance(*row)) is admits


def progress(state: BatchState, *, done: int = 0, failed: int = 0) -> Progress:
    return Progress(
        batch_id=new_id(),
        name="n",
        owner="o",
        state=state,
        klass=Klass.BULK,
        priority=Priority.NORMAL,
        model="demo",
        total=10,
        loaded=10,
        done=done,
        failed=failed,
        gpu_seconds=0.0,
        created_at_ms=0,
        finished_at_ms=None,
    )


@pytest.mark.parametrize(
    ("state", "ended", "remaining"),
    [
        (BatchState.LOADING, False, 5),
        (BatchState.ACTIVE, False, 5),
        (BatchState.PAUSED, False, 5),
        (BatchState.DONE, True, 0),
        (BatchState.CANCELLED, True, 0),
    ],
)
def test_progress_knows_what_remains(state: BatchState, ended: bool, remaining: int) -> None:
    at = progress(state, done=3, failed=2)
    assert (at.ended, at.remaining) == (ended, remaining)


def test_states_are_stored_by_these_numbers() -> None:
    # They are in everybody's rows: renumbering them needs a migration.
    assert [(s.name, s.value) for s in BatchState] == [
        *[("LOADING", 0), ("ACTIVE", 1), ("PAUSED", 2), ("DONE", 3), ("CANCELLED", 4)]
    ]
    assert [(s.name, s.value) for s in JobState] == [
        *[("WAITING", 0), ("RETRY", 1), ("DONE", 2), ("FAILED", 3), ("CANCELLED", 4)]
    ]
    assert [(s.name, s.value) for s in ChunkState] == [
        *[("QUEUED", 0), ("RUNNING", 1), ("DONE", 2), ("EXPIRED", 3), ("CANCELLED", 4)]
    ]
    assert (Klass.NOW.label, Klass.BULK.label) == ("now", "bulk")
    assert (BatchState.ACTIVE.label, JobState.FAILED.label) == ("active", "failed")


def test_priorities_are_a_quarter_one_and_four() -> None:
    assert [Priority(name).weight for name in ("low", "normal", "high")] == [0.25, 1.0, 4.0]


def test_ids_rise_and_never_come_twice() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert ids == sorted(ids)
    assert {one.version for one in ids} == {7}
