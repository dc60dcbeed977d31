"""``clerk.run``: the Celery shell over ``clerk.run_task``."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from clerk.process import current
from maskpool import tasks
from maskpool.errors import MaskpoolError, Permanent

log = logging.getLogger(__name__)


@shared_task(name=tasks.TASK)
def run(**kwargs: Any) -> None:  # noqa: ANN401 - from the broker: anything
    """Do the task that the message names; acknowledge it whatever happens.

    What was not finished comes back by the task's lease, never by the message.
    """
    process = current()
    try:
        task_id = tasks.from_kwargs(kwargs)
    except Permanent as error:
        log.error("%s", error)  # noqa: TRY400 - a bad message is no bug of ours
        return
    try:
        outcome = process.run(task_id)
    except MaskpoolError as error:
        log.warning("task %s left to its lease: %s", task_id, error, extra={"task": task_id})
    else:
        log.info("task %s: %s", task_id, outcome, extra={"task": task_id})
