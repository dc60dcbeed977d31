"""Child processes of a local stack: started on a leash, asked to end, started again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producer import leash


@dataclass(slots=True)
class Child:
    """One process of the stack.

    Attributes:
        name: For people and for the log's file name.
        deaths: When it ended by itself lately, on the monotonic clock.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it, or start it again."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
            self.process = subprocess.Popen(
                [sys.executable, "-P", leash.__file__, *self.command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )

    def ask_to_end(self) -> None:
        """Tell it to end, without waiting."""
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

    def last_words(self) -> str:
        """The last line of the log, for people."""
        lines = (
            self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        )
        return lines[-1] if lines else "it said nothing"
