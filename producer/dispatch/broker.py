"""The broker as the producing side sees it: publish chunks, wake the dispatcher, wait for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis
from redis.exceptions import RedisError

from maskpool import tasks, wire
from maskpool.domain import ChunkMessage
from maskpool.errors import ConfigError, Unreachable
from maskpool.tasks import TaskMessage
from producer.dispatch.envelope import envelope, task_envelope

#: A wait ends well before the socket would be taken for dead.
_MAX_WAIT_SECONDS = 5.0


class Broker:
    """One process's way to Redis.

    Args:
        redis_url: ``redis://[:password@]host:port/0``, ``rediss://…`` or ``redis+socket:///path``.

    Raises:
        ConfigError: The URL is not one.
    """

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        try:
            self._redis = redis.Redis.from_url(
                wire.redis_py_url(redis_url),
                socket_connect_timeout=5,
                socket_timeout=_MAX_WAIT_SECONDS + 5,
            )
        except ValueError:
            # The URL may hold a password, so it is not repeated.
            raise ConfigError(
                "MASKPOOL_REDIS_URL cannot be read; write redis://[:password@]host:port/0, "
                "rediss://… or redis+socket:///path"
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def ping(self) -> str:
        """The server's version.

        Raises:
            Unreachable: It does not answer.
        """
        with _translated():
            return str(self._redis.info("server").get("redis_version", "unknown"))

    def wake(self) -> None:
        """Tell the dispatcher that there is something to do. Call it after COMMIT.

        Raises:
            Unreachable: The broker does not answer; the dispatcher looks by itself all the same.
        """
        with _translated():
            self._redis.lpush(wire.WAKE_KEY, 1)

    def wait(self, seconds: float) -> bool:
        """Wait until woken, at most so long, and never longer than five seconds.

        Raises:
            Unreachable: The broker does not answer.
        """
        with _translated():
            wait = min(seconds, _MAX_WAIT_SECONDS)
            return self._redis.blpop([wire.WAKE_KEY], timeout=wait) is not None

    def begin_round(self) -> bool:
        """Empty the list of wakes, which one tick serves all.

        Returns:
            Whether the broker kept what it was given since ``remember``.

        Raises:
            Unreachable: The broker does not answer.
        """
        with _translated():
            both = self._redis.pipeline(transaction=False)
            both.delete(wire.WAKE_KEY)
            both.exists(wire.SENTINEL_KEY)
            return bool(both.execute()[1])

    def remember(self) -> None:
        """Note that everything queued was sent again.

        Raises:
            Unreachable: The broker does not answer.
        """
        with _translated():
            self._redis.set(wire.SENTINEL_KEY, 1)

    def publish(self, messages: Sequence[ChunkMessage]) -> None:
        """Send messages to the workers, in this order; one command for each list.

        Raises:
            Unreachable: The broker does not answer; some may have been sent.
        """
        lists: dict[str, list[bytes]] = {}
        for message in messages:
            name = wire.queue_name(message.model, message.klass)
            lists.setdefault(name, []).append(envelope(message))
        with _translated():
            for name, entries in lists.items():
                self._redis.lpush(name, *entries)

    def publish_tasks(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages to the clerks, in this order.

        Raises:
            Unreachable: The broker does not answer.
        """
        with _translated():
            self._redis.lpush(tasks.QUEUE, *map(task_envelope, messages))

    def waiting(self, queues: Sequence[str]) -> dict[str, int]:
        """Messages that wait in each list.

        Raises:
            Unreachable: The broker does not answer.
        """
        with _translated():
            return {queue: int(self._redis.llen(queue)) for queue in queues}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unreachable("Redis", _reason(error)) from error


def _reason(error: BaseException) -> str:
    """The first line of an error; redis-py names host and port, never the password."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
