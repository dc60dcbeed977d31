"""The message that we write by hand is the one that Celery would write."""

from __future__ import annotations

import base64
import json
from typing import Any

import redis
from celery import Celery

from maskpool import tasks, wire
from maskpool.domain import ChunkMessage, Klass, new_id
from maskpool.tasks import TaskKind, TaskMessage
from producer.dispatch.broker import Broker
from shell.inbox import refusal

MESSAGE = ChunkMessage(new_id(), new_id(), "demo", Klass.NOW, 7, solo=True)
QUEUE = wire.queue_name(MESSAGE.model, MESSAGE.klass)


def written_by_celery(redis_url: str) -> None:
    app = Celery("maskpool", broker=wire.celery_url(redis_url), set_as_current=False)
    app.conf.update(wire.CELERY)
    app.send_task(
        wire.TASK,
        kwargs=wire.to_kwargs(MESSAGE),
        kwargsrepr=wire.describe(MESSAGE),
        argsrepr="",
        queue=QUEUE,
        task_id=str(MESSAGE.chunk_id),
        # As the worker's setting has it anyway.
        ignore_result=True,
    )
    app.close()


def plain(entry: bytes) -> dict[str, Any]:
    """An entry without what differs from message to message."""
    read: dict[str, Any] = json.loads(entry)
    read["body"] = json.loads(base64.b64decode(read["body"]))
    assert len(read["properties"].pop("delivery_tag")) == 36
    assert "@" in read["headers"].pop("origin")
    # Celery repeats two headers, and says where a result should go that nobody writes.
    for needless in ("argsrepr", "kwargsrepr", "reply_to"):
        read["properties"].pop(needless, None)
    return read


def test_it_is_what_celery_writes(redis_url: str) -> None:
    broker, client = Broker(redis_url), redis.Redis.from_url(redis_url)
    broker.publish([MESSAGE])
    written_by_celery(redis_url)
    ours, theirs = client.rpop(QUEUE), client.rpop(QUEUE)
    assert client.llen(QUEUE) == 0
    assert plain(ours) == plain(theirs)
    assert refusal(json.loads(ours), QUEUE) == ""
    client.close()
    broker.close()


def test_a_tasks_is_what_celery_writes(redis_url: str) -> None:
    broker, client = Broker(redis_url), redis.Redis.from_url(redis_url)
    waiting = TaskMessage(new_id(), TaskKind.EXPORT)
    broker.publish_tasks([waiting])
    app = Celery("maskpool", broker=wire.celery_url(redis_url), set_as_current=False)
    app.conf.update(wire.CELERY)
    app.send_task(
        tasks.TASK,
        kwargs=tasks.to_kwargs(waiting),
        kwargsrepr=tasks.describe(waiting),
        argsrepr="",
        queue=tasks.QUEUE,
        task_id=str(waiting.task_id),
        ignore_result=True,
    )
    app.close()
    ours, theirs = client.rpop(tasks.QUEUE), client.rpop(tasks.QUEUE)
    assert plain(ours) == plain(theirs)
    assert refusal(json.loads(ours), tasks.QUEUE) == ""
    # Neither list takes what is the other's.
    assert refusal(json.loads(ours), QUEUE).startswith("has a 'task'")
    broker.publish([MESSAGE])
    assert refusal(json.loads(client.rpop(QUEUE)), tasks.QUEUE).startswith("has a 'task'")
    client.close()
    broker.close()


def test_each_has_a_tag_of_its_own(redis_url: str) -> None:
    broker, client = Broker(redis_url), redis.Redis.from_url(redis_url)
    broker.publish([MESSAGE])
    broker.publish([MESSAGE])
    tags = {json.loads(one)["properties"]["delivery_tag"] for one in client.lrange(QUEUE, 0, -1)}
    assert len(tags) == 2
    client.close()
    broker.close()
