"""Events for Flower, many in one message.

Celery sends the events of a chunk – received, started, done – in up to three messages of their own,
which cost as much as the chunk's. People look at Flower; half a second later is soon enough.
"""

from __future__ import annotations

import time
from typing import Any

from celery import signals
from celery.worker.consumer import Consumer

#: Seconds between two messages, unless Celery's buffer is full earlier.
_SECONDS = 0.5


class UnhurriedConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, but it sends events together, twice a second."""

    _told = float("-inf")

    def on_send_event_buffered(self) -> None:
        """Send buffered events, at most twice a second; also called by the threads of chunks."""
        now = time.monotonic()
        if now - self._told > _SECONDS:
            self._told = now
            super().on_send_event_buffered()


@signals.heartbeat_sent.connect
def _tell_the_rest(sender: Any, **_: Any) -> None:  # noqa: ANN401 - Celery's signal
    """Send what is left: after the last chunk, nothing else would."""
    sender.eventer.flush()
