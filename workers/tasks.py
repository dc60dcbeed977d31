"""``annotate``: the Celery shell over the pipeline."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task

from maskpool import wire
from maskpool.domain import Klass
from maskpool.errors import MaskpoolError, Permanent
from workers.process import current

log = logging.getLogger(__name__)


@shared_task(name=wire.TASK, bind=True)
def annotate(self: Task, **kwargs: Any) -> None:  # noqa: ANN401 - from the broker: anything
    """Annotate the chunk that the message names; acknowledge it whatever happens.

    What was not finished comes back by the chunk's lease, never by the message.
    """
    process = current()
    queue = str((self.request.delivery_info or {}).get("routing_key", ""))
    klass = Klass.NOW if queue.endswith(f".{Klass.NOW.label}") else Klass.BULK
    try:
        message = wire.from_kwargs(kwargs, model=process.model, klass=klass)
    except Permanent as error:
        log.error("%s", error)  # noqa: TRY400 - a bad message is no bug of ours
        return
    where = {"batch": message.batch_id, "chunk": message.chunk_id}
    try:
        outcome = process.pipeline.run(message)
    except MaskpoolError as error:
        log.warning("chunk %s left to its lease: %s", message.chunk_id, error, extra=where)
    else:
        log.info("chunk %s: %s", message.chunk_id, outcome, extra=where)
    process.wake()
    if klass is Klass.NOW:
        process.say_ended(message.batch_id)
