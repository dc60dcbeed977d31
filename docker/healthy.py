# ruff: noqa: INP001 - a script of the image, no module of a package
"""Health check of a dispatcher's or worker's container: did it talk to Redis a moment ago?

A dispatcher waits at Redis for a wake, a worker for a message, both for about a second at a time. A
process that hangs falls silent there, while one that merely has nothing to do does not.
"""

from __future__ import annotations

import os
import sys

import redis

#: Either of them is heard far more often; so long a silence is a hang.
SILENCE_SECONDS = 60


def last_heard(client: redis.Redis) -> int | None:
    """Seconds since another connection from this host asked anything; None where there is none."""
    mine = client.client_info()
    host = str(mine["addr"]).rpartition(":")[0]
    others = [
        int(other["idle"])
        for other in client.client_list()
        if other["id"] != str(mine["id"]) and other["addr"].rpartition(":")[0] == host
    ]
    return min(others, default=None)


def main() -> str | None:
    """None where the container's process is alive, else a line that says what is wrong."""
    client = redis.Redis.from_url(os.environ["MASKPOOL_REDIS_URL"], socket_timeout=5)
    try:
        silence = last_heard(client)
    except redis.RedisError as error:
        return f"Redis does not answer: {error}"
    finally:
        client.close()
    if silence is None:
        return "nobody here is connected to Redis"
    return f"not heard for {silence} s" if silence > SILENCE_SECONDS else None


if __name__ == "__main__":
    sys.exit(main())
