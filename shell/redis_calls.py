"""What a Celery program of ours says to Redis beside Celery: wake the dispatcher, and ping."""

from __future__ import annotations

import logging
from uuid import UUID

import redis
from redis.exceptions import RedisError

from maskpool import wire

log = logging.getLogger(__name__)


def connect(redis_url: str) -> redis.Redis:
    """A client that waits for nothing longer than five seconds."""
    return redis.Redis.from_url(
        wire.redis_py_url(redis_url),
        socket_connect_timeout=5,
        socket_timeout=5,  # a thread that waits for ever is one less at work
    )


def wake(client: redis.Redis) -> None:
    """Tell the dispatcher that rows changed; it looks by itself if this fails."""
    try:
        client.lpush(wire.WAKE_KEY, 1)
    except RedisError as error:
        log.debug("could not wake the dispatcher: %s", error)


def ping(client: redis.Redis) -> str:
    """What is wrong with Redis, or an empty string."""
    try:
        client.ping()
    except RedisError as error:
        return f"Redis is unreachable: {error}"
    return ""


def say_ended(client: redis.Redis, batch_id: UUID) -> None:
    """Say that jobs of a batch ended; whoever waits looks by itself if this fails."""
    try:
        client.publish(wire.ENDED_CHANNEL, str(batch_id))
    except RedisError as error:
        log.debug("could not say that jobs ended: %s", error)
