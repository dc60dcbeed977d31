"""Named places at which tests may kill or stop a process; off unless a test sets them.

``MASKPOOL_FAILPOINTS=dispatch.claimed=kill@3`` kills the process, as the kernel would, when it
comes to that place for the third time. Several are separated by ``,``; without ``@`` the first time
counts. ``stop`` in place of ``kill`` freezes it until SIGCONT. Unset, as everywhere but in tests, a
place costs one look into an empty dict.

The environment is read here and not by the settings: no user is to set this.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import threading

from maskpool.errors import ConfigError

#: Every place, in the order in which a batch passes them.
PLACES = (
    "submit.created",  # the batch row is committed; no job is
    "submit.block_written",  # a block's jobs are written, but not committed
    "submit.block_committed",
    "submit.loaded",  # every job is there, and no name twice
    "submit.activated",  # ACTIVE is written, but not committed
    "submit.committed",  # ACTIVE is committed, but the dispatcher was not woken
    "dispatch.reaped",  # lapsed chunks are given back; each in its own transaction
    "dispatch.folded",  # counters are written, but not committed
    "dispatch.claimed",  # chunks are written, but not committed
    "dispatch.committed",  # chunks are committed; no message is sent
    "dispatch.sent",  # some messages are sent, but not marked as sent
    "dispatch.marked",
    "worker.taken",  # a chunk is RUNNING
    "worker.stored",  # its masks are in the store; no row names them
    "worker.finishing",  # its end is written, but not committed
    "worker.finished",  # committed; message not acknowledged, dispatcher not woken
    "export.written",  # rows are on the disk; the journal does not count them
    "export.kept",  # the journal counts them
    "export.joined",  # the file is whole, under another name
    "export.replaced",  # it has its name; the parts are still there
    "task.taken",  # a task is RUNNING; nothing was done
    "task.finishing",  # its end is written, but not committed
    "task.finished",  # committed; what is to be tidied up is not
    "delete.block",  # a block of rows is gone; others are not
    "delete.rows",  # all rows are; no object is
    "count.block",  # a block of a batch is counted, under a version that nobody reads
    "count.kept",  # its version is read; the one before is still there
    "task.stored",  # some of its files are in the store
    "request.noted",  # a request with a key is known to be in flight; nothing was done
    "request.worked",  # it was done; its answer is kept only where one transaction did both
    "request.sealed",  # the answer is written, but not committed
    "request.kept",  # it is committed; nobody was told
    "run.made",  # a run's results are whole, aside
    "run.noted",  # the journal says what is to be moved; nothing is
    "run.moving",  # some of them are moved
    "run.moved",  # all of them are; what was before is still there
)

_ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_ARMED = re.compile(r"([a-z._]+)=(kill|stop)(?:@([1-9]\d*))?")


class _Trap:
    """What happens at one place, and at which visit."""

    def __init__(self, action: signal.Signals, time: int) -> None:
        self._action = action
        self._time = time
        self._visits = itertools.count(1)  # next() is atomic, so threads may arrive at once

    def spring(self) -> None:
        if next(self._visits) == self._time:
            # To the process, its main thread would take it when it runs next, and this one go on.
            signal.pthread_kill(threading.get_ident(), self._action)


def _armed(text: str) -> dict[str, _Trap]:
    traps = {}
    for part in filter(None, text.split(",")):
        found = _ARMED.fullmatch(part)
        if found is None or found[1] not in PLACES:
            raise ConfigError(
                f"MASKPOOL_FAILPOINTS: {part!r} is not PLACE=kill or PLACE=stop, with @N at most; "
                f"places are {', '.join(PLACES)}"
            )
        traps[found[1]] = _Trap(_ACTIONS[found[2]], int(found[3] or 1))
    return traps


_traps = _armed(os.environ.get("MASKPOOL_FAILPOINTS", ""))


def reach(place: str) -> None:
    """Called where the process reaches a place."""
    trap = _traps.get(place)
    if trap is not None:
        trap.spring()
