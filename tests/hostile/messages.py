"""Messages that no dispatcher sends, as they would lie in a worker's list in Redis."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from maskpool import wire
from maskpool.domain import Klass, new_id

QUEUE = wire.queue_name("demo", Klass.BULK)


def message(
    kwargs: dict[str, Any] | None = None,
    *,
    body: bytes | None = None,
    content_type: str = "application/json",
    encoding: str = "utf-8",
    args: list[Any] | None = None,
    embed: dict[str, Any] | None = None,
    **headers: Any,
) -> bytes:
    """One as kombu writes it, with any part of it replaced."""
    payload = [args or [], kwargs or {}, {"callbacks": None, "chain": None, **(embed or {})}]
    data = json.dumps(payload).encode() if body is None else body
    name = str(new_id())
    usual = {"lang": "py", "task": wire.TASK, "id": name, "retries": 0, "root_id": name}
    envelope = {
        "body": base64.b64encode(data).decode(),
        "content-encoding": encoding,
        "content-type": content_type,
        "headers": {**usual, "timelimit": [None, None], **headers},
        "properties": {
            "correlation_id": name,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(new_id()),
        },
    }
    return json.dumps(envelope).encode()


def kwargs_of(batch: UUID | str, chunk: UUID | str, **more: Any) -> dict[str, Any]:
    """A task's arguments as the dispatcher sends them, and others beside them."""
    return {"batch": str(batch), "chunk": str(chunk), "size": 1, "solo": False, **more}


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._canary,))


def hostile_messages(
    canary: Path, batch: UUID, chunk: UUID, other_batch: UUID
) -> Iterator[tuple[str, bytes]]:
    """What each is, and its bytes.

    Args:
        canary: A file that appears if one of them is executed.
        batch: A batch whose chunk is queued.
        chunk: That chunk, which none of them may take.
        other_batch: Another one.
    """
    good = kwargs_of(batch, chunk)
    yield from _not_json(canary, good)
    yield from _odd_kwargs(canary, good)
    yield from _odd_envelopes(canary, good)
    yield "a chunk that is not there", message(kwargs_of(batch, new_id()))
    yield "a batch that is not there", message(kwargs_of(new_id(), chunk))
    yield "a chunk of another batch", message(kwargs_of(other_batch, chunk))
    yield "the chunk as if alone", message({**good, "solo": True})


def _not_json(canary: Path, good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    evil = pickle.dumps(Touch(canary))
    sent = pickle.dumps(([], good, Touch(canary)))
    for name in ("application/x-python-serialize", "application/x-pickle", "pickle"):
        for encoding in ("binary", "utf-8"):
            what = f"{name} in {encoding}"
            yield what, message(body=evil, content_type=name, encoding=encoding)
            yield f"{what}, as a task", message(body=sent, content_type=name, encoding=encoding)
    yaml = f"!!python/object/apply:os.system ['touch {canary}']".encode()
    yield "yaml", message(body=yaml, content_type="application/x-yaml")
    yield "msgpack", message(body=b"\x93\x90\x80\x80", content_type="application/x-msgpack")
    yield "plain text", message(body=b"annotate", content_type="text/plain")
    yield "raw data", message(body=evil, content_type="application/data", encoding="binary")
    yield "a kind unknown", message(body=evil, content_type="application/x-own")
    yield "a pickle called JSON", message(body=evil)
    for name, body in {
        "nothing": b"",
        "broken JSON": b'[[], {"batch": ',
        "no list": b'"annotate"',
        "null": b"null",
        "a list too short": b"[[]]",
        "kwargs that are a list": b"[[], [], {}]",
        "args that are a text": b'["x", {}, {}]',
        "nested 100,000 deep": b"[" * 100_000,
        "not UTF-8": b"\xff\xfe\x00",
    }.items():
        yield f"a body of {name}", message(body=body)
    yield "an encoding unknown", message(good, encoding="rot13-of-ours")


def _odd_kwargs(canary: Path, good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield "no kwargs", message()
    yield "a path beside them", message({**good, "path": "/etc/passwd"})
    yield "a URI beside them", message({**good, "uri": canary.as_uri()})
    yield "code beside them", message({**good, "code": f"open({str(canary)!r}, 'w')"})
    yield "Python's own names", message({"self": 1, "__class__": 2})
    yield "self beside them", message({**good, "self": {"x": 1}})
    yield "args for kwargs", message(args=[good["batch"], good["chunk"], 1, False])
    yield "args beside kwargs", message(good, args=["x"])
    yield "a size that is none", message({**good, "size": "1; drop table jobs"})
    yield "a chunk that is a query", message({**good, "chunk": "' OR '1'='1"})
    yield (
        "typed values",
        message({**good, "chunk": {"__type__": "uuid", "__value__": {"hex": "zz"}}}),
    )
    yield "10 MB", message({**good, "more": "x" * 10_000_000})


def _odd_envelopes(canary: Path, good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for task in (
        "os.system",
        "celery.map",
        "celery.chord_unlock",
        "producer.cli.main",
        "",
        None,
        5,
    ):
        yield f"the task {task!r}", message(good, task=task)
    without = json.loads(message(good))
    del without["headers"]["task"]
    yield "no task", json.dumps(without).encode()
    yield "an ETA that is none", message(good, eta="tomorrow")
    yield "an end that is none", message(good, expires="yesterday")
    yield "an end long ago", message(good, expires="2001-01-01T00:00:00+00:00")
    yield "a time limit that is none", message(good, timelimit="x")
    yield "retries that are none", message(good, retries="x")
    link = {"task": "os.system", "args": [f"touch {canary}"], "kwargs": {}, "options": {}}
    odd = kwargs_of(new_id(), new_id())
    yield "a callback", message(odd, embed={"callbacks": [link]})
    yield "an errback", message({}, embed={"errbacks": [link]})
    yield "a chain", message(odd, embed={"chain": [link]})
    yield "a chord", message(odd, embed={"chord": link})


def broken_envelopes() -> Iterator[tuple[str, bytes]]:
    """Entries of a list that are no messages at all."""
    yield "garbage", b"\xff\x00garbage"
    yield "no JSON", b"{"
    yield "a number", b"5"
    yield "a list", b"[]"
    yield "an empty object", b"{}"
    yield "null", b"null"
    for kind, value in (("uuid", 5), ("bytes", None), ([], 0), ("own", 1)):
        odd = json.dumps({"__type__": kind, "__value__": value}).encode()
        yield f"a typed value of {kind!r} that kombu cannot make", odd
    envelope = json.loads(message({}))
    for part in ("body", "properties", "headers", "content-type"):
        left = {key: value for key, value in envelope.items() if key != part}
        yield f"a message without {part}", json.dumps(left).encode()
    for part in ("delivery_tag", "delivery_info", "body_encoding"):
        odd = json.loads(message({}))
        del odd["properties"][part]
        yield f"properties without {part}", json.dumps(odd).encode()
    for part, value in (("body", "no base64 \u20ac"), ("headers", 5), ("properties", [])):
        yield f"a message whose {part} is {value!r}", json.dumps({**envelope, part: value}).encode()
