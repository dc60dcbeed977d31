"""What a worker lets in is what the dispatcher sends, and nothing makes the look at it fail."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hostile.messages import QUEUE, broken_envelopes, kwargs_of, message
from hypothesis import given
from hypothesis import strategies as st

from maskpool.domain import new_id
from shell.inbox import refusal

GOOD = kwargs_of(new_id(), new_id())

junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def read(data: bytes) -> Any:
    return json.loads(data)


def test_our_own_message_is_let_in() -> None:
    assert refusal(read(message(GOOD)), QUEUE) == ""


@given(junk)
def test_junk_is_refused(entry: Any) -> None:
    assert refusal(entry, QUEUE)
    assert refusal(entry, "x.celery.pidbox")


@given(st.sampled_from(sorted(read(message(GOOD)))), junk)
def test_a_part_that_is_junk_is_refused(part: str, value: Any) -> None:
    envelope = read(message(GOOD))
    assert refusal({**envelope, part: value}, QUEUE) or value == envelope[part]


@given(junk)
def test_a_body_of_junk_is_refused(value: Any) -> None:
    body = base64.b64encode(json.dumps(value).encode()).decode()
    plain = isinstance(value, list) and len(value) == 3
    if not plain:
        assert refusal({**read(message(GOOD)), "body": body}, QUEUE)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(GOOD, task="os.system"), "has a 'task' that the dispatcher never writes"),
        (message(GOOD, eta="2099-01-01T00:00:00"), "has a 'eta'"),
        (message(GOOD, retries=3), "has a 'retries'"),
        (message(GOOD, timelimit=[1, 1]), "has a 'timelimit'"),
        (message(GOOD, content_type="application/x-python-serialize"), "is no JSON"),
        (message(GOOD, encoding="binary"), "is no message of Celery's"),
        (message(GOOD, args=[1]), "holds more than the name of a row"),
        (message(GOOD, embed={"chain": [{"task": "x"}]}), "holds more than the name of a row"),
        (message(GOOD, embed={"callbacks": [{}]}), "holds more than the name of a row"),
        (message(body=b"[" * 2_900), "holds more than the name of a row"),
        (message({**GOOD, "more": "x" * 5_000}), "is too long"),
    ],
)
def test_what_the_dispatcher_never_writes_is_refused(sent: bytes, reason: str) -> None:
    assert refusal(read(sent), QUEUE).startswith(reason)


def test_envelopes_that_lack_a_part_are_refused() -> None:
    for what, data in broken_envelopes():
        if what not in {"garbage", "no JSON"}:  # these are no envelopes
            assert refusal(read(data), QUEUE), what


def test_remote_control_is_only_asked_for_its_form() -> None:
    control = read(message(body=b'{"method": "ping"}'))
    del control["headers"]["task"]
    assert refusal(control, "demo-1@host.celery.pidbox") == ""
    assert refusal(control, QUEUE)
