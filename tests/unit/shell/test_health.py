"""A worker's health: which of its parts stands still, and whether it will ever move again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from maskpool.domain import new_id
from maskpool.health import HealthFile, State, read_state
from shell.health import Consumer, ProcessHealth
from workers.leases import Holding, LeaseKeeper

STALL_SECONDS = 120.0


@dataclass
class Leases:
    """What the health file says of a worker's heartbeats."""

    draining: bool = False
    trouble: str = ""
    late_seconds: float = 0.0
    stuck: Holding | None = None

    def stalled(self) -> Holding | None:
        return self.stuck


@dataclass
class QuietConsumer:
    """Celery's loop, heard so long ago."""

    quiet_seconds: float = 0.0


@dataclass
class Parts:
    """A worker's parts, all well at first."""

    file: Path
    leases: Leases = field(default_factory=Leases)
    consumer: QuietConsumer = field(default_factory=QuietConsumer)
    healthy: bool = True
    redis: str = ""
    pings: int = 0

    def __post_init__(self) -> None:
        self._health = ProcessHealth(
            HealthFile(self.file, "worker", "host:2"),
            cast(LeaseKeeper, self.leases),
            cast(Consumer, self.consumer),
            healthy=lambda: self.healthy,
            ping=self._ping,
            stall_seconds=STALL_SECONDS,
        )

    def _ping(self) -> str:
        self.pings += 1
        return self.redis

    def state(self, *, looks: int = 1) -> State:
        """What the file says after so many looks, which are a second apart in a worker."""
        for _ in range(looks):
            self._health.write()
        return read_state(self.file)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "health.json")


def test_all_is_well(parts: Parts) -> None:
    state = parts.state()
    assert (state.live, state.ready) == (True, True)


def _lose_device(parts: Parts) -> None:
    parts.healthy = False


def _stall(parts: Parts) -> None:
    parts.leases.stuck = Holding(new_id(), 0.0)


def _stop_heart(parts: Parts) -> None:
    parts.leases.late_seconds = STALL_SECONDS + 1


def _stop_celery(parts: Parts) -> None:
    parts.consumer.quiet_seconds = STALL_SECONDS + 1


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (_lose_device, "the device or the engine is lost"),
        (_stall, "made no progress"),
        (_stop_heart, "no heartbeat went round"),
        (_stop_celery, "Celery stands still for 121 s although Redis answers"),
    ],
)
def test_what_will_never_move_again_is_not_live(
    parts: Parts, hurt: Callable[[Parts], None], said: str
) -> None:
    hurt(parts)
    state = parts.state(looks=61)
    assert not state.live
    assert said in state.sentence


def _no_database(parts: Parts) -> None:
    parts.leases.trouble = "the database is unreachable: refused"


def _silent_database(parts: Parts) -> None:
    parts.leases.late_seconds = 30.0


def _no_redis(parts: Parts) -> None:
    parts.consumer.quiet_seconds, parts.redis = STALL_SECONDS + 1, "Redis is unreachable: refused"


def _slow_celery(parts: Parts) -> None:
    parts.consumer.quiet_seconds = 30.0


def _drain(parts: Parts) -> None:
    parts.leases.draining, parts.consumer.quiet_seconds = True, STALL_SECONDS + 1


@pytest.mark.parametrize(
    ("hinder", "said"),
    [
        (_no_database, "the database is unreachable"),
        (_silent_database, "has not answered for 30 s"),
        (_no_redis, "Redis is unreachable"),
        (_slow_celery, "Celery stands still for 30 s"),
        (_drain, "it is draining"),
    ],
)
def test_what_another_start_would_not_help_is_live_and_not_ready(
    parts: Parts, hinder: Callable[[Parts], None], said: str
) -> None:
    hinder(parts)
    state = parts.state()
    assert (state.live, state.ready) == (True, False)
    assert said in state.sentence


def test_celery_has_a_minute_to_come_back_once_redis_answers(parts: Parts) -> None:
    """It sleeps for up to half a minute between two tries to connect, and is quiet meanwhile."""
    _no_redis(parts)
    assert parts.state(looks=300).live
    parts.redis = ""
    state = parts.state(looks=60)
    assert (state.live, state.ready) == (True, False)
    assert "Celery stands still for 121 s" in state.sentence
    assert not parts.state().live, "it had its minute"


def test_the_minute_begins_anew_when_redis_goes_or_celery_is_heard(parts: Parts) -> None:
    _stop_celery(parts)
    assert parts.state(looks=60).live
    parts.redis = "Redis is unreachable: refused"
    assert parts.state().live
    parts.redis = ""
    assert parts.state(looks=60).live
    parts.consumer.quiet_seconds = 1.0
    assert parts.state().ready
    _stop_celery(parts)
    assert parts.state(looks=60).live
    assert not parts.state().live


def test_redis_is_asked_only_about_a_quiet_celery(parts: Parts) -> None:
    parts.state(looks=10)
    _drain(parts)
    parts.state(looks=10)
    assert parts.pings == 0
    parts.leases.draining = False
    parts.state(looks=10)
    assert parts.pings == 10, "once a look"


def test_the_consumer_is_quiet_until_it_is_heard() -> None:
    consumer = Consumer()
    consumer._heard -= 30
    assert consumer.quiet_seconds > 29
    consumer.heard()
    assert consumer.quiet_seconds < 5
