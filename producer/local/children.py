"""Child processes of a local stack: started on a leash, asked to end, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskpool.health import read_state
from producer.local import leash

#: A silent child has this long to write its health file again.
_SILENCE_SECONDS = 5.0


@dataclass(slots=True)
class Child:
    """One process of the stack.

    Attributes:
        name: For people and for the log's file name.
        health: Its health file, where it writes one.
        inherits: Open file descriptors that it is given.
        deaths: Times at which it recently ended by itself, on the monotonic clock.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    health: Path | None = None
    inherits: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    _started: float = 0.0
    _silent_since: float | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.ask_to_end()  # closes our end of the pipe to the one that died
        if self.health is not None:  # the file of the previous process says nothing about this one
            self.health.unlink(missing_ok=True)
        self._started, self._silent_since = time.monotonic(), None
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
            self.process = subprocess.Popen(
                [sys.executable, "-P", leash.__file__, *self.command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
                pass_fds=self.inherits,
            )

    def hangs(self) -> bool:
        """Whether it reported since its start and is not live any more; call this repeatedly.

        One check is not enough: after the whole machine slept, the child soon reports again.
        """
        if self._is_heard():
            self._silent_since = None
            return False
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        return now - self._silent_since > _SILENCE_SECONDS

    def _is_heard(self) -> bool:
        if self.health is None:
            return True
        state = read_state(self.health)
        return state.live or state.heard is None or state.heard < self._started

    def kill(self) -> None:
        """End it by force, with all of its session: one that hangs answers no signal."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()  # the leash sees it and ends the command

    def stop(self) -> None:
        """End it, by force if it does not listen."""
        if self.process is None:
            return
        self.ask_to_end()
        try:
            self.process.wait(leash.GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def last_log_line(self) -> str:
        """The last line of the log, for people."""
        lines = (
            self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        )
        return lines[-1] if lines else "it said nothing"
