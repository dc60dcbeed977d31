"""kombu's Redis transport, mended in one place: a worker outlives its broker."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis


class ForgivingQoS(redis.QoS):
    """Acknowledges and gives back messages only while there is somebody to tell.

    When the broker goes away under a worker that has a chunk in hand and a thread free, Celery
    closes the connection twice, and later acknowledges on it what it had in hand; both stumble over
    what the first time tore down, and the error ends the process. Nothing is lost with the
    messages: chunks come back by their rows.
    """

    @property
    def _is_gone(self) -> bool:
        return getattr(self.channel.connection, "client", None) is None

    def restore_unacked(self, client: Any = None) -> Any:  # noqa: ANN401 - as kombu has it
        """As kombu's, on a connection that still is one."""
        return None if self._is_gone else super().restore_unacked(client)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """As kombu's, on a connection that still is one."""
        if not self._is_gone:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]


def mend() -> None:
    """Have every later connection use it."""
    redis.Channel.QoS = ForgivingQoS
