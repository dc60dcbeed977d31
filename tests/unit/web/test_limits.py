"""How often: counted by the process where Redis is away, and forgotten again."""

from __future__ import annotations

import time

import pytest

from web import limits
from web.limits import Limits, network_of
from web.problems import Problem

NOWHERE = "redis://127.0.0.1:1/0"


def test_one_too_many_is_refused_with_when_to_come_again() -> None:
    counter = Limits(NOWHERE)
    for _ in range(3):
        counter.require("x", "ann", most=3, seconds=60)
    with pytest.raises(Problem) as refusal:
        counter.require("x", "ann", most=3, seconds=60)
    assert (refusal.value.status, refusal.value.code) == (429, "rate.limited")
    assert 1 <= int(refusal.value.headers["Retry-After"]) <= 60
    counter.require("x", "bob", most=3, seconds=60)
    counter.require("y", "ann", most=3, seconds=60)


def test_a_window_ends() -> None:
    counter = Limits(NOWHERE)
    counter.require("x", "ann", most=1, seconds=1)
    with pytest.raises(Problem):
        counter.require("x", "ann", most=1, seconds=1)
    time.sleep(1.1)
    counter.require("x", "ann", most=1, seconds=1)


def test_redis_that_is_away_is_not_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    counter, asked = Limits(NOWHERE), []
    ask = counter._redis.pipeline
    monkeypatch.setattr(counter._redis, "pipeline", lambda **o: asked.append(1) or ask(**o))
    for _ in range(5):
        counter.require("x", "ann", most=10, seconds=60)
    assert len(asked) == 1


def test_a_flood_of_names_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_WINDOWS", 10)
    counter = Limits(NOWHERE)
    for number in range(100):
        counter.require("x", str(number), most=1, seconds=60)
    assert len(counter._windows) == 10


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_whoever_has_a_network_is_counted_once(address: str, network: str) -> None:
    assert network_of(address) == network
