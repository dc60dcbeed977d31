"""What it costs the web server that many people listen to its events."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from uuid import UUID

from sqlalchemy import update

from bench import machine
from bench.table import Row
from db.models import BatchRow
from db.session import Database
from maskpool.domain import BatchState

#: Seconds that each state is measured for.
_SECONDS = 15.0


def listeners(
    port: int, pid: int, tokens: Sequence[str], count: int, batch: tuple[Database, UUID]
) -> list[Row]:
    """The CPU of the server while nothing happens, and while a batch goes on.

    Args:
        port: Of the server.
        pid: Of the server's process.
        tokens: Of those who listen, in turns.
        count: Listeners.
        batch: Whose name is changed twice a second; it is made to go on.
    """
    database, batch_id = batch
    _change(database, batch_id, state=BatchState.ACTIVE)
    with _listening(port, tokens, count) as heard:
        time.sleep(3)
        quiet = _cores(pid)
        before = heard()
        with _changing(database, batch_id):
            busy = _cores(pid)
        each = (heard() - before) / count / _SECONDS
    who = f"{len(tokens)} users"
    return [
        Row(f"{count} listeners, nothing happens", 100 * quiet, "% of core", "≤ 5", note=who),
        Row(
            "  a batch changes all the time",
            *(100 * busy, "% of core", "≤ 5"),
            note=f"{each:.2f} snapshots/s each",
        ),
    ]


def _cores(pid: int) -> float:
    before = machine.cpu_seconds(pid)
    time.sleep(_SECONDS)
    return (machine.cpu_seconds(pid) - before) / _SECONDS


def _change(database: Database, batch_id: UUID, **values: object) -> None:
    with database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(values))


@contextmanager
def _changing(database: Database, batch_id: UUID) -> Iterator[None]:
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.wait(0.5):
            number += 1
            _change(database, batch_id, name=f"change {number}")

    thread = threading.Thread(target=change)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def _listening(port: int, tokens: Sequence[str], count: int) -> Iterator[Callable[[], int]]:
    """Connections that listen; gives how many snapshots all of them heard."""
    heard, over = 0, threading.Event()
    with ExitStack() as stack:
        made = []
        for number in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            token = tokens[number % len(tokens)]
            one.sendall(
                f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            one.setblocking(False)
            made.append(one)

        def read() -> None:
            nonlocal heard
            while not over.wait(0.1):
                for one in made:
                    try:
                        heard += one.recv(1 << 16).count(b"event: batches")
                    except BlockingIOError:
                        continue

        thread = threading.Thread(target=read)
        thread.start()
        yield lambda: heard
        over.set()
        thread.join()
