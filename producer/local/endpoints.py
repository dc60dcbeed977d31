"""Where a running local stack's parts are: ``stack.json``, and the settings of a verb."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from maskpool.errors import Unreachable
from maskpool.files import write_whole
from maskpool.settings import Settings, load_settings

#: In a home: where the parts are, and the lock that its stack holds.
FILE, LOCK = "stack.json", "stack.lock"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running stack's parts are; what ``stack.json`` holds, readable by its owner only."""

    database_url: str
    redis_url: str
    store_url: str
    source_roots: tuple[str, ...]
    model: str
    #: Of its web server; empty where it has none.
    serve_address: str = ""

    def applied_to(self, settings: Settings) -> Settings:
        """The settings, with the stack's parts where the environment names none."""
        update: dict[str, object] = {}
        if not settings.database_url.get_secret_value():
            update["database_url"] = SecretStr(self.database_url)
        if not settings.redis_url.get_secret_value():
            update["redis_url"] = SecretStr(self.redis_url)
        if not settings.store_url:
            update["store_url"] = self.store_url
        # The workers of this database were told the stack's roots, whatever the environment says.
        if "database_url" in update or not settings.source_roots:
            update["source_roots"] = tuple(Path(root) for root in self.source_roots)
        if "model" not in settings.model_fields_set:
            update["model"] = self.model
        if self.serve_address:
            update["serve_address"] = self.serve_address
        return settings.model_copy(update=update)


def health_folder(home: Path) -> Path:
    """Where a stack's processes write their health files."""
    return home / "health"


def running(home: Path) -> Endpoints | None:
    """The stack that runs in a home, or None."""
    if not is_held(home):
        return None
    try:
        content = json.loads((home / FILE).read_text())
        return Endpoints(**{**content, "source_roots": tuple(content["source_roots"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # just starting, or just stopping


def is_held(home: Path) -> bool:
    """Whether a stack holds this home; its lock ends with its process, whatever ends that."""
    try:
        with (home / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def settings_here() -> Settings:
    """The settings of a verb: the environment, then the stack that runs in the home.

    Raises:
        Unreachable: Neither names a database, and no stack runs.
    """
    settings = load_settings()
    endpoints = running(settings.home)
    if endpoints is not None:
        return endpoints.applied_to(settings)
    if settings.database_url.get_secret_value():
        return settings
    raise Unreachable(
        "the pool",
        f"no stack runs in {settings.home}; start one with maskpool up, or set "
        "MASKPOOL_DATABASE_URL, MASKPOOL_REDIS_URL and MASKPOOL_STORE_URL to the team's",
    )


def write(home: Path, endpoints: Endpoints) -> None:
    """Write where the parts are: readable by the owner alone, whole or not at all."""
    # After a power cut no stack runs and the file is of no use, so nothing waits for the disk.
    data = json.dumps(asdict(endpoints), indent=1).encode()
    write_whole(home / FILE, data, durable=False, mode=0o600)
