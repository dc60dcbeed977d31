"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Enough for torch on a cold disk of a busy machine.
PATIENCE = 180.0

#: More than a local stack gives its children to end.
_PATIENT_END = 60.0


def maskpool(
    *words: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    python: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        [python, "-m", "producer.cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {}), "COLUMNS": "200"},
        cwd=cwd,
        timeout=PATIENCE,
        check=False,
    )


def maskpool_json(
    *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Any:
    """Run a reading verb and parse what it prints; its exit status must be 0 or 3."""
    done = maskpool(*words, "--json", env=env, cwd=cwd)
    # Some verbs say on stdout what is not well, doctor for one.
    assert done.returncode in (0, 3), f"exit {done.returncode}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every verb of a Typer group and its name; one of a group in it is named ``user create``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


@contextmanager
def serving(
    *words: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: tuple[str, ...] = ("-m", "producer.cli"),
    python: str = sys.executable,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """A service in the background, asked to end by a signal; its output goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, *program, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(end)
        try:
            process.wait(_PATIENT_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Any, *, seconds: float = PATIENCE, what: str = "it") -> Any:
    """Poll until a call returns something true; returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def processes_naming(text: str) -> list[str]:
    """Command lines of living processes that contain a text, there or in their environment."""
    return list(_lines_of_processes(text).values())


def process_of(words: str, text: str) -> int:
    """The id of the one Python process that was started with ``words`` and names a text.

    Raises:
        AssertionError: There is none, or are several.
    """
    found = _lines_of_processes(text).items()
    # Its leash names the same words behind its own.
    [number] = [number for number, line in found if line.split(" ", 1)[1].startswith(words)]
    return number


def _lines_of_processes(text: str) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (folder / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line or text in environment:
            found[int(folder.name)] = line
    return found
