"""What goes over the broker is read back as it was, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool import wire
from maskpool.domain import MAX_CHUNK, ChunkMessage, Klass, new_id
from maskpool.errors import ConfigError, Permanent
from producer.dispatch.broker import Broker

messages = st.builds(
    ChunkMessage,
    st.uuids(),
    st.uuids(),
    st.just("demo"),
    st.sampled_from(Klass),
    st.integers(1, MAX_CHUNK),
    st.booleans(),
)


@given(messages)
def test_a_message_survives_json(message: ChunkMessage) -> None:
    kwargs = json.loads(json.dumps(wire.to_kwargs(message)))
    assert wire.from_kwargs(kwargs, model=message.model, klass=message.klass) == message


@given(messages)
def test_people_can_read_what_flower_shows(message: ChunkMessage) -> None:
    text = wire.describe(message)
    assert str(message.batch_id) in text
    assert str(message.chunk_id) in text
    assert text.endswith(" solo") == message.solo


GOOD = {"batch": str(new_id()), "chunk": str(new_id()), "size": 3, "solo": False}


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {key: value for key, value in GOOD.items() if key != "solo"},
        {**GOOD, "uri": "file:///etc/passwd"},
        {**GOOD, "size": 0},
        {**GOOD, "size": -1},
        {**GOOD, "size": MAX_CHUNK + 1},
        {**GOOD, "size": 10**30},
        {**GOOD, "size": True},
        {**GOOD, "size": "3"},
        {**GOOD, "size": 3.0},
        {**GOOD, "size": None},
        {**GOOD, "solo": 1},
        {**GOOD, "solo": "false"},
        {**GOOD, "batch": ""},
        {**GOOD, "batch": None},
        {**GOOD, "batch": ["x"]},
        {**GOOD, "chunk": "1' OR '1'='1"},
        {**GOOD, "chunk": "../" * 20},
        {**GOOD, "chunk": {"$ne": None}},
        {1: 2, "batch": 3},
        {"x" * 100_000: 1},
    ],
)
def test_a_hostile_message_is_refused(kwargs: dict[str, object]) -> None:
    with pytest.raises(Permanent, match="dropped"):
        wire.from_kwargs(kwargs, model="demo", klass=Klass.BULK)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(junk, st.sampled_from(sorted(GOOD)))
def test_a_field_of_junk_is_refused_or_what_it_must_be(value: object, field: str) -> None:
    try:
        read = wire.from_kwargs({**GOOD, field: value}, model="demo", klass=Klass.BULK)
    except Permanent as error:
        assert len(str(error)) < 500  # noqa: PT017 - only where one is raised
    else:
        assert wire.to_kwargs(read)[field] == value or field in {"batch", "chunk"}


@given(junk, st.text(min_size=1))
def test_a_field_more_is_refused(value: object, field: str) -> None:
    if field not in GOOD:
        with pytest.raises(Permanent, match="has the fields"):
            wire.from_kwargs({**GOOD, field: value}, model="demo", klass=Klass.BULK)


@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), junk))
def test_junk_is_refused_with_our_own_error(kwargs: dict[str, object]) -> None:
    with pytest.raises(Permanent):
        wire.from_kwargs(kwargs, model="demo", klass=Klass.NOW)


def test_queues_are_named_by_model_and_class() -> None:
    assert wire.queue_name("demo", Klass.NOW) == "annotate.demo.now"
    assert wire.queue_name("sam3", Klass.BULK) == "annotate.sam3.bulk"


@pytest.mark.parametrize(
    ("given_url", "for_celery", "for_redis_py"),
    [
        ("redis://h:6379/0", "redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:p%40@h:6379/1", "redis://:p%40@h:6379/1", "redis://:p%40@h:6379/1"),
        ("rediss://h:6379/0", "rediss://h:6379/0", "rediss://h:6379/0"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock", "unix:///run/r.sock"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock", "unix:///run/r.sock"),
    ],
)
def test_urls_of_sockets(given_url: str, for_celery: str, for_redis_py: str) -> None:
    assert wire.celery_url(given_url) == for_celery
    assert wire.redis_py_url(given_url) == for_redis_py
    assert wire.redis_py_url(for_celery) == for_redis_py


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "http://:hunter2@h",
        "redis://:hunter2@h:port/0",
        "redis://:hunter2@[::1",
        "postgresql://h/x",
    ],
)
def test_a_broker_of_no_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^MASKPOOL_REDIS_URL ") as caught:
        Broker(url)
    assert "hunter2" not in str(caught.value)


def test_only_json_is_accepted() -> None:
    assert wire.CELERY["accept_content"] == ["json"]
    assert wire.CELERY["task_serializer"] == "json"
