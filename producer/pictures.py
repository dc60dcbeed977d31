"""Small pictures of images, and finer masks of them: made in child processes, for pages.

The guarded decoder may take 800 MB for an image of 3 MB, and a fault in it may end its process; so
whoever serves people never decodes.
"""

from __future__ import annotations

import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from db import grants
from maskpool.errors import ImageError, Unreachable
from maskpool.picture_sizes import MAX_BYTES
from maskpool.settings import Settings
from maskpool.text import counted
from producer import child_settings
from producer.child_settings import SECRETS
from producer.pictured import Kind, Pictured
from producer.pool import Pool
from storage.images.web.urls import is_web

if TYPE_CHECKING:  # numpy, at first use only
    from producer.refining.work import Answer, Asked

#: Longest wait for one picture, reading the image included.
DEADLINE_SECONDS = 20.0


_SERVICE = "the making of pictures"


class Pictures:
    """Makes pictures in a few child processes; threads may share one.

    Args:
        settings: Of the pool.
        deadline_seconds: Longest wait for one picture.
    """

    def __init__(self, settings: Settings, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._megabytes = settings.picture_megabytes
        self._told = child_settings.told(settings)
        self._deadline = deadline_seconds
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._all: set[_Child] = set()
        self._lock = threading.Lock()
        for _ in range(settings.picture_processes):
            self._free.put(None)

    def make(self, pool: Pool, image: Pictured, kind: Kind) -> bytes:
        """Make a picture and keep it; returns the JPEG.

        Raises:
            NotFound: There is no such image.
            ImageError: It cannot be made; says why.
            Unreachable: The image's place is away, or too many pictures are wanted just now.
        """
        uri = image.uri(pool)
        asked = {
            "settings": self._told,
            "uri": uri,
            "batch": None if image.batch_id is None else str(image.batch_id),
            "granted": granted_hosts(pool, image.batch_id, uri),
            "side": kind.side,
        }
        try:
            made = self._ask(orjson.dumps(asked) + b"\n")
        except TimeoutError:
            raise ImageError("no picture can be made of it in time") from None
        except EOFError:
            raise ImageError(
                "no picture can be made of it: it ended the process that tried"
            ) from None
        pool.store().put(image.key(kind), made, "image/jpeg")
        return made

    def refine(self, asked: Asked, granted: Sequence[str] | None) -> Answer:
        """Make masks of one image finer.

        Args:
            asked: Which, and how fine.
            granted: See ``granted_hosts``.

        Raises:
            ImageError: It cannot be done; says why.
            Unreachable: Too much is wanted just now.
        """
        from producer.refining import spoken  # noqa: PLC0415 - numpy, at first use only

        request = {
            "settings": self._told,
            "granted": granted,
            "finer": spoken.asked_json(asked),
        }
        try:
            return spoken.read_answer(self._ask(orjson.dumps(request) + b"\n"))
        except TimeoutError:
            raise ImageError(
                f"{counted(len(asked.masks), 'mask')} cannot be made {asked.fineness.value} in "
                "time; ask for fewer at once, for a lower level, or for an export"
            ) from None
        except EOFError:
            raise ImageError(
                "its masks cannot be made finer: they ended the process that tried"
            ) from None

    def _ask(self, request: bytes) -> bytes:
        until = time.monotonic() + self._deadline
        try:
            child = self._free.get(timeout=self._deadline)
        except queue.Empty:
            raise Unreachable(_SERVICE, "too many are wanted just now; ask again") from None
        try:
            if child is None or not child.alive:
                child = self._start()
            return child.ask(request, until)
        finally:
            if child is not None and not child.alive:
                with self._lock:
                    self._all.discard(child)
                child = None
            self._free.put(child)

    def _start(self) -> _Child:
        child = _Child(self._megabytes)
        with self._lock:
            self._all.add(child)
        return child

    def close(self) -> None:
        """End every child."""
        with self._lock:
            for child in self._all:
                child.end()
            self._all.clear()


def granted_hosts(pool: Pool, batch_id: UUID | None, uri: str) -> Sequence[str] | None:
    """Where a web server may lead; see ``db.grants.hosts_of_batch``."""
    if batch_id is None or not is_web(uri):
        return None
    with pool.database.read() as session:
        return grants.hosts_of_batch(session, batch_id)


class _Child:
    """One process; it is ended where it takes too long or does not answer as it should."""

    def __init__(self, megabytes: int) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        # Each thread of a library takes address space that no picture needs.
        environment |= {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "producer.picture_process", str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
            start_new_session=True,
        )
        self._rest = b""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: bytes, until: float) -> bytes:
        try:
            self._write(request, until)
            head = orjson.loads(self._line(until))
            if head["error"]:
                raise (
                    Unreachable(_SERVICE, head["error"])
                    if head.get("later")
                    else ImageError(head["error"])
                )
            return self._exactly(min(int(head["size"]), MAX_BYTES), until)
        except TimeoutError:
            self.end()
            raise
        except (OSError, EOFError, orjson.JSONDecodeError):
            self.end()
            raise EOFError from None

    def _write(self, request: bytes, until: float) -> None:
        """Hand over a request, which may be more than a pipe holds."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - a pipe, as it was started
        os.set_blocking(pipe.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_WRITE)
            rest = memoryview(request)
            while rest:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                rest = rest[os.write(pipe.fileno(), rest) :]

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._rest:
            self._rest += self._some(until)
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _exactly(self, size: int, until: float) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size:
            parts.append(self._some(until))
            have += len(parts[-1])
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def _some(self, until: float) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - a pipe, as it was started
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
        some = os.read(pipe.fileno(), 1 << 20)
        if not some:
            raise EOFError
        return some

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
