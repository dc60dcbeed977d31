"""How a worker tries again what may pass."""

from __future__ import annotations

import statistics

import pytest
from tenacity import stop_after_attempt

from maskpool.errors import LeaseLost, Permanent, Unreachable
from workers.pipeline import _retrying


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    return slept


def try_hard(error: Exception, tries: int) -> None:
    for attempt in _retrying(stop_after_attempt(tries)):
        with attempt:
            raise error


def test_no_two_workers_wait_the_same(waits: list[float]) -> None:
    last = []
    for _ in range(50):
        with pytest.raises(Unreachable):
            try_hard(Unreachable("the store", "away"), tries=12)
        assert len(waits) == 11
        assert all(0.1 <= wait <= 5.0 for wait in waits)
        last.append(waits[-1])
        waits.clear()
    assert statistics.pstdev(last) > 1.0, "also where the longest wait is reached"


@pytest.mark.parametrize("error", [LeaseLost("gone"), Permanent("denied")])
def test_what_does_not_pass_is_not_tried_again(waits: list[float], error: Exception) -> None:
    with pytest.raises(type(error)):
        try_hard(error, tries=12)
    assert waits == []
