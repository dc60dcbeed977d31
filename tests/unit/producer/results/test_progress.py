"""How fast a batch goes is measured over its last seconds."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from maskpool.domain import BatchState, Klass, Priority, Progress, new_id
from producer.results.progress import Pace, Speed

BATCH = Progress(
    batch_id=new_id(),
    name="scenes",
    owner="ann",
    state=BatchState.ACTIVE,
    klass=Klass.BULK,
    priority=Priority.NORMAL,
    model="demo",
    total=1_000,
    loaded=1_000,
    done=0,
    failed=0,
    gpu_seconds=0.0,
    created_at_ms=0,
    finished_at_ms=None,
)


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    Clock.now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_pace_needs_two_readings_that_differ(clock: type[Clock]) -> None:
    speed = Speed()
    assert speed.measure(BATCH) == Pace(None, None)
    clock.now += 5
    assert speed.measure(BATCH) == Pace(None, None), "nothing ended yet"
    clock.now += 5
    assert speed.measure(replace(BATCH, done=80, failed=20)) == Pace(10.0, 90.0)


def test_what_is_long_ago_does_not_count(clock: type[Clock]) -> None:
    speed = Speed()
    for done in (0, 500, 520):  # fast at first, then slow
        pace = speed.measure(replace(BATCH, done=done))
        clock.now += 20
    assert pace == Pace(1.0, 480.0)
