"""A chunk that is to stop takes back what the engine has not begun, and waits for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from maskpool.domain import new_id
from workers.leases import Holding

STOPS: list[Callable[[Holding], None]] = [Holding.stop_soon, Holding.lose]


def holding() -> Holding:
    return Holding(new_id(), time.monotonic() + 60)


@pytest.mark.parametrize("stop", STOPS)
def test_what_waits_for_its_turn_is_taken_back(stop: Callable[[Holding], None]) -> None:
    one, waiting = holding(), Future[int]()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(one.wait_for, waiting)
        while not one._awaited:
            time.sleep(0.001)
        stop(one)
        with pytest.raises(CancelledError):
            answer.result(10)
    assert waiting.cancelled()


@pytest.mark.parametrize("stop", STOPS)
def test_what_comes_later_is_not_begun(stop: Callable[[Holding], None]) -> None:
    one, late = holding(), Future[int]()
    stop(one)
    with pytest.raises(CancelledError):
        one.wait_for(late)


@pytest.mark.parametrize("stop", STOPS)
def test_what_has_begun_is_waited_for(stop: Callable[[Holding], None]) -> None:
    one, begun = holding(), Future[int]()
    assert begun.set_running_or_notify_cancel()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(one.wait_for, begun)
        while not one._awaited:
            time.sleep(0.001)
        stop(one)
        begun.set_result(7)
        assert answer.result(10) == 7
