"""A task's way: taken, done by its kind's module, and ended, put off or given back."""

from __future__ import annotations

import logging
import random
import time
from uuid import UUID

from clerk.leases import HandedBack, Holding, TaskKeeper
from clerk.work import WORK
from clerk.work.port import Work
from db import tasks
from db.task_problems import Why
from maskpool import failpoints
from maskpool.errors import LeaseLost, MaskpoolError, Transient, Unreachable
from maskpool.tasks import MAX_TAKES
from producer.pool import Pool
from producer.problems import told

log = logging.getLogger(__name__)

#: A task that met a service which is away rests so long, at random: all clerks see it at once.
_REST_MS = (5_000, 15_000)


class TaskRunner:
    """Does tasks, in any number of threads.

    Args:
        pool: What they work on.
        keeper: Keeps their leases.
    """

    def __init__(self, pool: Pool, keeper: TaskKeeper) -> None:
        self._pool = pool
        self._keeper = keeper

    def run(self, task_id: UUID) -> str:
        """Do a task, if it can be taken; returns what came of it, for the log.

        Raises:
            Unreachable: The database is away; the lease brings the task back.
        """
        if self._keeper.draining:
            return "not taken, as this process ends"
        asked_at = time.monotonic()
        with self._pool.database.write() as session:
            task = tasks.take(session, task_id, lease_ms=self._keeper.lease_ms)
        if task is None:
            return "dropped, as another clerk has it or it has ended"
        failpoints.reach("task.taken")
        holding = self._keeper.hold(task, asked_at)
        try:
            return self._run(holding)
        except LeaseLost as error:
            return f"dropped: {error}"
        finally:
            self._keeper.release(holding)

    def _run(self, holding: Holding) -> str:
        task = holding.task
        work = WORK[task.kind]
        try:
            holding.step()
            done = work.do(Work(self._pool, holding))
            with self._pool.database.write() as session:
                tasks.finish(session, task.id, task.lease_id, done.result)
                failpoints.reach("task.finishing")
        except HandedBack:
            self._put_off(holding, None)
            return "given back, as this process ends"
        except LeaseLost:
            raise
        except Transient as error:
            if task.attempts < MAX_TAKES or isinstance(error, Unreachable):
                self._put_off(holding, error)
                return f"put off: {error}"
            return self._fail(holding, _why(error))
        except MaskpoolError as error:
            return self._fail(holding, _why(error))
        except Exception as error:
            log.exception("task %s failed by a bug; please report it", task.id)
            sentence = f"a bug in maskpool: {error!r}; see the clerk's log"
            return self._fail(holding, Why("task.bug", sentence, {}))
        failpoints.reach("task.finished")
        done.afterwards()
        return f"{task.kind} done"

    def _put_off(self, holding: Holding, error: Transient | None) -> None:
        task = holding.task
        with self._pool.database.write() as session:
            tasks.put_off(
                session,
                task.id,
                task.lease_id,
                delay_ms=0 if error is None else random.randint(*_REST_MS),  # noqa: S311 - jitter
                why=None if error is None else _why(error),
                # What is away is away for all: an outage is no task's fault.
                charge=error is not None and not isinstance(error, Unreachable),
            )

    def _fail(self, holding: Holding, why: Why) -> str:
        task = holding.task
        with self._pool.database.write() as session:
            tasks.fail(session, task.id, task.lease_id, why)
            WORK[task.kind].undo(session, task)
        return f"failed: {why.detail}"


def _why(error: MaskpoolError) -> Why:
    said = told(error).storable()
    return Why(said.code, said.detail, said.params)
