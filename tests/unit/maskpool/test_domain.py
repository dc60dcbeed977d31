"""The domain's rules; the reading rule's twin in SQL is compared in ``test_reading_rule``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskpool.domain import (
    BatchState,
    ChunkState,
    Found,
    Instance,
    JobState,
    Klass,
    Priority,
    Progress,
    new_id,
)
from maskpool.reading_rule import ReadingRule
from maskpool.rle import Rle


def instance(score: float, overlap: float, clip_score: float | None) -> Instance:
    found = Found(0, score, (0.0, 0.0, 1.0, 1.0), Rle((1, 1), "01"))
    return Instance(found, 1, overlap, clip_score)


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


@pytest.mark.parametrize(
    ("against", "rule", "admits"),
    [
        (None, ReadingRule(max_against=0.0), True),
        (0.25, ReadingRule(max_against=0.25), True),
        (0.26, ReadingRule(max_against=0.25), False),
        (1.0, ReadingRule(max_against=1.0), True),
        (1.0, ReadingRule(), False),
    ],
)
def test_a_negative_takes_what_it_explains_too_well(
    against: float | None, rule: ReadingRule, admits: bool
) -> None:
    assert rule.admits(replace(instance(0.9, 0.0, None), against=against)) is admits


def test_the_mask_of_an_object_always_counts() -> None:
    found = replace(instance(0.0, 1.0, 0.0).found, object_index=3)
    never = ReadingRule(1.0, 0.0, 1.0, max_against=0.0, exclusive=True)
    one = replace(instance(0.0, 1.0, 0.0), found=found, against=1.0)
    assert never.admitted([one, instance(0.5, 0.0, None)]) == [one]


def contended_by(contender: int | None, score: float = 0.9, **figures: float) -> Instance:
    return replace(instance(score, 0.0, None), contended=0.8, contender=contender, **figures)


def test_an_instance_yields_only_to_a_contender_that_itself_counts() -> None:
    """A rule that looked at ``contended`` alone would lose objects that nothing else has."""
    weak = contended_by(1, 0.6)
    for rival in (
        contended_by(None, 0.2),  # below the threshold
        contended_by(None, against=0.9),  # explained by a negative
        replace(contended_by(None), overlap=0.9),  # a duplicate
        replace(contended_by(None), clip_score=0.1),  # CLIP says no
    ):
        rule = ReadingRule(0.3, 0.5, exclusive=True)
        assert rule.admitted([weak, rival]) == [weak]
        assert replace(rule, exclusive=False).admitted([weak, rival]) == [weak]
    assert ReadingRule(exclusive=True).admitted([weak, contended_by(None)]) == [contended_by(None)]
    assert len(ReadingRule().admitted([weak, contended_by(None)])) == 2


def test_a_contender_that_yields_itself_still_takes() -> None:
    """One step, so that SQL needs one join and not as many as a chain is long."""
    chain = [contended_by(None, 0.9), contended_by(0, 0.8), contended_by(1, 0.7)]
    assert ReadingRule(exclusive=True).admitted(chain) == chain[:1]


@pytest.mark.parametrize("nowhere", [-1, 1, 77])
def test_a_contender_that_is_not_there_takes_nothing(nowhere: int) -> None:
    one = contended_by(nowhere)
    assert ReadingRule(exclusive=True).admitted([one]) == [one]


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
