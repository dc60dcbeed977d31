"""kombu's Redis transport, changed so that odd messages and a lost Redis do not end the worker.

What is replaced here are insides of kombu 5.7 (``constraints.txt``); with another version, read
``kombu/transport/redis.py`` again.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from shell.inbox import refusal

log = logging.getLogger(__name__)


class ForgivingQoS(virtual.QoS):
    """Knows the messages in hand, and restores them only while there is a connection.

    When the broker goes away under a worker that has a chunk in hand and a thread free, Celery
    closes the connection twice, and the second time fails on what the first one removed; that
    error would end the process. Losing the messages is harmless: chunks come back by their rows.
    """

    def restore_unacked(self) -> Any:  # noqa: ANN401 - as kombu has it
        """As kombu's, unless the connection is gone."""
        is_gone = getattr(self.channel.connection, "client", None) is None
        return None if is_gone else super().restore_unacked()  # type: ignore[no-untyped-call]


class StrictChannel(redis.Channel):
    """Drops entries that kombu cannot read, which would end the process.

    kombu is told of an entry that it cannot read as if nothing had come. It is off the list
    already, and Celery never sees it.

    What is in hand is not kept in Redis a second time: two transactions a message, for a copy that
    would come back after an hour and that the dispatcher has sent again long before (ADR 12).
    """

    ack_emulation = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.QoS = ForgivingQoS  # type: ignore[assignment]

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: ANN401 - as above
        client = super()._create_client(asynchronous)  # type: ignore[no-untyped-call]
        client.set_response_callback("BRPOP", _readable)
        return client

    def _handle_message(self, client: Any, reply: Any) -> Any:  # noqa: ANN401 - as above
        """Handle a broadcast message, i.e. remote control."""
        told = super()._handle_message(client, reply)  # type: ignore[no-untyped-call]
        if isinstance(told["data"], bytes) and not _is_readable(told["channel"], told["data"]):
            told["data"] = None
        return told


def _readable(reply: list[bytes] | None) -> tuple[bytes, bytes] | None:
    """A list's name and its entry, if there is one and kombu can read it."""
    if not reply:
        return None
    name, entry = reply
    return (name, entry) if _is_readable(name, entry) else None


def _is_readable(name: bytes, entry: bytes) -> bool:
    try:
        loads(bytes_to_str(entry))  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - the entry decides what fails: text, depth, values
        where = name.decode(errors="replace")
        log.error("an entry of %s is no JSON; dropped", where)  # noqa: TRY400
        return False
    return True


class StrictTransport(redis.Transport):
    """Delivers only messages that ``shell.inbox.refusal`` accepts."""

    Channel = StrictChannel

    def _deliver(self, message: object, queue: str) -> None:
        if reason := refusal(message, queue):
            log.error("a message in %s %s; dropped", queue, reason)
        else:
            super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def install() -> None:
    """Make kombu use this transport for every Redis connection of this process."""
    # By its name, as kombu looks it up: a transport in the settings gives way to one in the URL.
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{StrictTransport.__qualname__}"
