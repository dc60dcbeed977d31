"""What goes over the broker: names of queues and keys, and the one message there is.

A message names rows; it never carries code, paths or URLs. JSON is the only serialisation that
either side accepts.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from maskpool.domain import MAX_CHUNK, ChunkMessage, Klass
from maskpool.errors import Permanent
from maskpool.socket_url import SocketUrl

#: The one Celery task.
TASK = "annotate"

#: A list that submit and finish push to after COMMIT; the dispatcher waits on it.
WAKE_KEY = "maskpool:wake"

#: A channel on which a worker says, after COMMIT, the id of a batch of class ``now`` whose jobs
#: ended. Whoever waits for one reads its row then; and by itself where nothing is heard.
ENDED_CHANNEL = "maskpool:ended"

#: Missing after the broker lost its data: then every queued chunk is published again.
SENTINEL_KEY = "maskpool:sentinel"

#: Celery's settings on both sides. Its retries, ETA, revokes, priorities, result backend and time
#: limits are not used: the database alone keeps the queue's state.
CELERY = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "task_acks_late": True,
    # The lease brings lost work back; a rejected message would only loop.
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        # One list a queue, read in the order given: `now` before `bulk`.
        "queue_order_strategy": "priority",
        "priority_steps": [0],
        # A broken network gives no sign: without these limits a process would wait for hours.
        "socket_connect_timeout": 5,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 5,
    },
    "task_default_queue": "annotate.unused",
    "task_create_missing_queues": True,
    "enable_utc": True,
    "timezone": "UTC",
}


def queue_name(model: str, klass: Klass) -> str:
    """The list that workers of a model read for a class of batches."""
    return f"annotate.{model}.{klass.label}"


def celery_url(redis_url: str) -> str:
    """The broker's URL as Celery wants it: sockets are ``redis+socket://``.

    Raises:
        ConfigError: It names a socket with an option that is not read.
    """
    socket = SocketUrl.read(redis_url)
    return redis_url if socket is None else socket.for_celery()


def redis_py_url(redis_url: str) -> str:
    """The broker's URL as redis-py wants it: sockets are ``unix://``.

    Raises:
        ConfigError: It names a socket with an option that is not read.
    """
    socket = SocketUrl.read(redis_url)
    return redis_url if socket is None else socket.for_redis_py()


def to_kwargs(message: ChunkMessage) -> dict[str, Any]:
    """The task's arguments."""
    return {
        "batch": str(message.batch_id),
        "chunk": str(message.chunk_id),
        "size": message.size,
        "solo": message.solo,
    }


def describe(message: ChunkMessage) -> str:
    """The task's arguments as people read them in Flower."""
    alone = " solo" if message.solo else ""
    return f"batch={message.batch_id} chunk={message.chunk_id} size={message.size}{alone}"


def from_kwargs(kwargs: dict[str, Any], *, model: str, klass: Klass) -> ChunkMessage:
    """Read a message, trusting nothing.

    Raises:
        Permanent: It is not one of ours; names what is wrong.
    """
    if set(kwargs) != {"batch", "chunk", "size", "solo"}:
        raise Permanent(f"a message has the fields {sorted(map(str, kwargs))[:8]}; dropped")
    size, solo = kwargs["size"], kwargs["solo"]
    if type(size) is not int or not 1 <= size <= MAX_CHUNK or type(solo) is not bool:
        raise Permanent("a message's size or solo is out of range; dropped")
    try:
        batch_id, chunk_id = UUID(str(kwargs["batch"])), UUID(str(kwargs["chunk"]))
    except ValueError:
        raise Permanent("a message names no batch or chunk; dropped") from None
    return ChunkMessage(batch_id, chunk_id, model, klass, size, solo)
