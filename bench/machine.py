"""Measurements of the machine and of its processes."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


def name() -> str:
    """The processor, and how many cores of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()} × {os.cpu_count()}"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its children – ended or not – and theirs."""
    own = _fields(pid)
    return sum(map(int, own[11:15])) / _TICKS + sum(map(cpu_seconds, _children(pid)))


def _fields(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat``, from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile; its parent has counted it
        return ["0"] * 15


def _children(pid: int) -> list[int]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [number for number in numbers if _fields(number)[1] == str(pid)]


def largest_mb(pid: int) -> float:
    """Peak resident memory of a process in MB; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


class Meter:
    """CPU seconds of the processes of several parts since ``start``."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._pids = pids
        self._before = dict.fromkeys(pids, 0.0)

    def start(self) -> None:
        """Count from now."""
        self._before = self._now()

    def read(self) -> dict[str, float]:
        """CPU seconds since ``start``, by part."""
        return {part: used - self._before[part] for part, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {part: sum(map(cpu_seconds, those)) for part, those in self._pids.items()}


def fsync_ms(folder: Path, times: int = 50) -> float:
    """Median time of writing 8 KiB and having the disk keep it, milliseconds."""
    path, taken = folder / "fsync", []
    with path.open("wb") as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"\0" * 8192)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(taken) * 1000


def save(folder: Path, device: str, part: str, content: dict[str, Any]) -> Path:
    """Save a part's results in the file of this day and machine, beside its other parts.

    Returns:
        ``folder/DATE-MACHINE.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    path = folder / f"{time.strftime('%Y-%m-%d')}-{slug}.json"
    kept = json.loads(path.read_text()) if path.exists() else {"machine": device}
    path.write_text(json.dumps(kept | {part: content}, indent=1) + "\n")
    return path
