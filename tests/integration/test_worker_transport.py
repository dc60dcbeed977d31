"""How a worker reads its lists in Redis: what it drops, and what it keeps its hands off."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hostile.messages import QUEUE, kwargs_of, message
from kombu import Connection, Consumer, Queue
from kombu.transport import TRANSPORT_ALIASES

from maskpool.domain import new_id
from shell.inbox import refusal
from shell.transport import ForgivingQoS, StrictTransport, install

GOOD = message(kwargs_of(new_id(), new_id()))


@pytest.fixture
def connection(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    for scheme in ("redis", "rediss"):
        monkeypatch.setitem(TRANSPORT_ALIASES, scheme, TRANSPORT_ALIASES[scheme])
    install()
    with Connection(redis_url) as connection:
        assert isinstance(connection.transport, StrictTransport)
        yield connection


@pytest.fixture
def lists(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def read(connection: Connection, take: Callable[[Any, Any], None]) -> None:
    """Until the first message was handed on."""
    with Consumer(connection, [Queue(QUEUE)], callbacks=[take]):
        connection.drain_events(timeout=20)


@pytest.mark.parametrize(
    "entry",
    [
        b"{",
        b"\xff\x00garbage",
        b"[" * 100_000,
        b'{"__type__": "unheard of", "__value__": 1}',
        b'{"__type__": "uuid", "__value__": 5}',
        b'{"__type__": "bytes", "__value__": null}',
        b'{"__type__": [], "__value__": null}',
    ],
)
def test_what_kombu_cannot_read_is_dropped_and_the_next_comes(
    connection: Connection, lists: redis.Redis, caplog: pytest.LogCaptureFixture, entry: bytes
) -> None:
    lists.lpush(QUEUE, entry, GOOD)  # taken from the other end
    taken: list[str] = []
    with caplog.at_level(logging.ERROR):
        read(connection, lambda _, got: taken.append(got.headers["id"]))
    assert taken == [json.loads(GOOD)["headers"]["id"]]
    (line,) = caplog.messages
    assert line.startswith(f"an entry of {QUEUE}")
    assert line.endswith("is no JSON; dropped")


@pytest.mark.parametrize("error", [ValueError, RecursionError, json.JSONDecodeError])
def test_an_error_of_whoever_takes_a_message_is_his_own(
    connection: Connection,
    lists: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    lists.lpush(QUEUE, GOOD)

    def stumble(*_: object) -> None:
        raise error("mine", "", 0) if error is json.JSONDecodeError else error("mine")

    with pytest.raises(error, match="mine"):
        read(connection, stumble)
    assert "dropped" not in caplog.text


def test_it_gives_back_what_it_has_in_hand_only_while_there_is_somebody_to_give_it_to(
    connection: Connection, lists: redis.Redis
) -> None:
    lists.lpush(QUEUE, GOOD)
    taken: list[Any] = []
    read(connection, lambda _, got: taken.append(got))
    (got,) = taken
    qos = got.channel.qos
    assert isinstance(qos, ForgivingQoS)
    assert not lists.exists("unacked", "unacked_index"), "no second copy"
    connection.transport.client = None  # as Celery leaves it behind
    assert qos.restore_unacked() is None
    assert lists.llen(QUEUE) == 0, "it comes back by its row"
    connection.transport.client = connection
    qos.restore_unacked()
    [entry] = lists.lrange(QUEUE, 0, -1)
    assert refusal(json.loads(entry), QUEUE) == ""
    again: list[str] = []
    read(connection, lambda _, got: again.append(got.headers["id"]))
    assert again == [json.loads(GOOD)["headers"]["id"]]


def test_what_was_acknowledged_is_not_given_back(
    connection: Connection, lists: redis.Redis
) -> None:
    lists.lpush(QUEUE, GOOD)
    taken: list[Any] = []
    read(connection, lambda _, got: taken.append(got))
    taken[0].ack()
    assert taken[0].channel.qos.can_consume()
    taken[0].channel.qos.restore_unacked()
    assert lists.llen(QUEUE) == 0
