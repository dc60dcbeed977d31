"""A broker that lost its memory stays known as such until everything queued was sent again."""

from __future__ import annotations

import threading
import time

import pytest

from db.session import Database
from maskpool.errors import Unreachable
from producer.dispatch import loop
from producer.dispatch.broker import Broker
from producer.dispatch.loop import Dispatcher
from producer.dispatch.tick import Tick


def test_dying_before_everything_is_sent_again_forgets_nothing(
    redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, database = Broker(redis_url), Database(sqlite_url)
    dispatcher = Dispatcher(database, broker, tick_seconds=0.05, lease_seconds=30)
    asked: list[bool] = []
    stop = threading.Event()

    def tick(*_: object, broker_forgot: bool, **__: object) -> Tick:
        asked.append(broker_forgot)
        if len(asked) == 1:
            raise Unreachable("the database", "gone in the middle")
        if len(asked) == 2:
            return Tick(led=False)
        if len(asked) == 4:
            stop.set()
        return Tick()

    monkeypatch.setattr(loop, "tick", tick)
    dispatcher.run(stop)
    assert asked == [True, True, True, False], "until a tick of ours went through"
    broker.close()
    database.close()


def test_a_long_tick_does_not_outlast_the_patience_with_the_socket(redis_url: str) -> None:
    broker = Broker(redis_url)
    began = time.monotonic()
    assert not broker.wait(60.0)
    assert time.monotonic() - began < 30.0
    broker.close()
