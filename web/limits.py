"""How often something may be done: counted in Redis for all processes, in this one without it."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections import OrderedDict
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Annotated

import redis
from fastapi import Depends, Request
from redis.exceptions import RedisError

from maskpool import wire
from web.problems import Problem

log = logging.getLogger(__name__)

_PREFIX = "maskpool:limit:"

#: A login must not wait for a Redis that is away, nor ask it again at once.
_PATIENCE_SECONDS, _AWAY_SECONDS = 0.5, 5.0

#: Windows that one process counts by itself; the oldest go first.
_MAX_WINDOWS = 10_000

#: Whoever has one address of IPv6 has a whole network of this length.
_V6_PREFIX = 64


class Limits:
    """Counts in windows of a fixed length.

    Args:
        redis_url: Of the pool.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            wire.redis_py_url(redis_url),
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
        )
        self._away_until = 0.0
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = Lock()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def require(self, what: str, whose: str, *, most: int, seconds: int) -> None:
        """Count one more, and refuse it where it is one too many.

        Args:
            what: The thing that is limited, as ``login.name``.
            whose: Of whom it is counted; any text.
            most: In one window.
            seconds: Length of a window.

        Raises:
            Problem: 429 with ``Retry-After``.
        """
        # Hashed, since it may be of any length, and may be a name that nobody else should read.
        key = f"{_PREFIX}{what}:{hashlib.sha256(whose.encode(errors='replace')).hexdigest()[:32]}"
        count, left = self._count(key, seconds)
        if count <= most:
            return
        wait = max(1, math.ceil(left))
        raise Problem(
            429,
            "rate.limited",
            f"too often; try again in {wait} s",
            headers={"Retry-After": str(wait)},
            limit=what,
            seconds=wait,
        )

    def _count(self, key: str, seconds: int) -> tuple[int, float]:
        """How often in this window, and how many seconds are left of it."""
        if time.monotonic() < self._away_until:
            return self._count_here(key, seconds)
        try:
            with self._redis.pipeline(transaction=True) as steps:
                steps.set(key, 0, ex=seconds, nx=True)
                steps.incr(key)
                steps.pttl(key)
                _, count, left_ms = steps.execute()
        except (RedisError, OSError) as error:
            log.warning("Redis is away (%s); this process counts by itself", type(error).__name__)
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return self._count_here(key, seconds)
        return int(count), int(left_ms) / 1000

    def _count_here(self, key: str, seconds: int) -> tuple[int, float]:
        now = time.monotonic()
        with self._lock:
            count, ends = self._windows.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + seconds
                self._windows.pop(key, None)
            self._windows[key] = (count + 1, ends)
            while len(self._windows) > _MAX_WINDOWS:
                self._windows.popitem(last=False)
        return count + 1, ends - now


def network_of(address: str) -> str:
    """An address as it is counted: of IPv6 the network that one customer has."""
    try:
        if ip_address(address).version == 6:
            return str(ip_network(f"{address}/{_V6_PREFIX}", strict=False))
    except ValueError:
        pass
    return address


async def _limits(request: Request) -> Limits:
    found: Limits = request.app.state.limits
    return found


#: The counters, as a parameter of a route.
Limited = Annotated[Limits, Depends(_limits)]
