"""What a machine and its processes say of themselves."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

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
    """Of ``/proc/PID/stat``, from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile; its parent has counted it
        return ["0"] * 15


def _children(pid: int) -> list[int]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [number for number in numbers if _fields(number)[1] == str(pid)]


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


def peak_mb(pid: int) -> float:
    """Largest resident size so far, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
