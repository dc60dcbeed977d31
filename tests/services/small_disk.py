"""A disk of a few megabytes that a test can fill: a tmpfs, where this user may mount one."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.process import Missing

_BLOCK = bytes(4096)


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Take every block that is left; again where some became free."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(_BLOCK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        """Give back what ``fill`` took."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount an empty disk on a new folder, for as long as it is used.

    Raises:
        Missing: Nothing may be mounted here.
    """
    path.mkdir(parents=True)
    options = f"size={megabytes}m,mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "maskpool-test", str(path)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Missing("no mount program, so no small disk") from None
    if done.returncode:
        raise Missing(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: a process that is about to end may still have a file open.
        subprocess.run(["umount", "--lazy", str(path)], check=True)
