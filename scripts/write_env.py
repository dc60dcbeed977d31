"""Write ``.env`` for docker compose, or add what an earlier version's lacks; ``make env`` runs it.

It needs nothing but Python, so that it runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

_LINE = re.compile(r"^(?P<name>[A-Z0-9_]+)=(?P<value>.*)$", re.MULTILINE)
_SECRET = re.compile(r"_(PASSWORD|KEY)$")

#: What an NVIDIA driver shows of itself, on Linux and on WSL.
_DRIVERS = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))


def _value(name: str, default: str) -> str:
    """What a new line of ``.env`` says."""
    if name == "COMPOSE_PROFILES":
        return "gpu" if any(driver.exists() for driver in _DRIVERS) else "cpu"
    if name == "CLI_USER":
        return f"{os.getuid()}:{os.getgid()}"
    return default or (secrets.token_hex(20) if _SECRET.search(name) else "")


def _filled(text: str) -> str:
    return _LINE.sub(lambda line: f"{line[1]}={_value(line[1], line[2])}", text)


def completed(example: str, present: str) -> tuple[str, list[str]]:
    """The text of ``.env`` and the names that were added.

    Args:
        example: Text of ``.env.example``: paragraphs of comments and lines ``NAME=value``.
        present: Text of ``.env`` as it is; empty if there is none. Each value in it stays.
    """
    if not present:
        return _filled(example), [line[1] for line in _LINE.finditer(example)]
    added: list[str] = []

    def fill(line: re.Match[str]) -> str:
        value = line[2] or _value(line[1], "")
        added.extend([] if value == line[2] else [line[1]])
        return f"{line[1]}={value}"

    known = {line[1] for line in _LINE.finditer(present)}
    text = _LINE.sub(fill, present.rstrip("\n") + "\n")
    for paragraph in example.strip().split("\n\n"):
        lines = [line for line in _LINE.finditer(paragraph) if line[1] not in known]
        if lines:
            comments = [line for line in paragraph.splitlines() if line.startswith("#")]
            values = [_filled(line[0]) for line in lines]
            text += "\n" + "\n".join(comments + values) + "\n"
            added += [line[1] for line in lines]
    return text, added


def main(folder: Path) -> None:
    """Write ``.env`` in a folder that holds ``.env.example``."""
    path = folder / ".env"
    present = path.read_text() if path.exists() else ""
    text, added = completed((folder / ".env.example").read_text(), present)
    if not added:
        sys.stdout.write(f"{path.name} has every key already; nothing was changed.\n")
        return
    part = folder / ".env.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
    what = f"Added {', '.join(added)} to" if present else "Wrote"
    sys.stdout.write(f"{what} {path.name}. Keep it: the volumes are made with these passwords.\n")


if __name__ == "__main__":
    main(Path.cwd())
