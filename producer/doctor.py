"""Checks of a pool's parts: each says what it found and what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maskpool.errors import MaskpoolError, Transient, Unreachable
from maskpool.health import read_state
from maskpool.settings import Settings, load_settings
from maskpool.text import counted

if TYPE_CHECKING:  # SQLAlchemy is imported only when rows are checked
    from sqlalchemy.orm import Session

#: Importing torch on a cold disk takes a while.
_TORCH_SECONDS = 120

_TORCH_PROGRAM = """
import json, torch, transformers
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "transformers": transformers.__version__, "cuda": cuda,
    "device": torch.cuda.get_device_name(0) if cuda else "CPU", "threads": torch.get_num_threads(),
}))
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report.

    Attributes:
        ok: False where something must be done; None where the part is not in use.
        advice: What to do, empty where nothing is.
        service: Whether it is a running part of the pool that is not well: it is away, not ready
            or of another schema. False where this machine or a setting is at fault.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""
    service: bool = False


def settings_to_check() -> Settings:
    """The settings of the pool that is named or runs here; those of the environment without one."""
    from producer.local.endpoints import settings_here  # noqa: PLC0415 - likewise

    try:
        return settings_here()
    except Unreachable:
        return load_settings()


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check everything, one part after the other; no check stops the others."""
    yield _python()
    yield _torch()
    yield _guarded("Redis", "start it, or correct MASKPOOL_REDIS_URL", lambda: _redis(settings))
    yield _guarded(
        "database", "start it, or correct MASKPOOL_DATABASE_URL", lambda: _database(settings)
    )
    yield _guarded("dispatcher", "see the database", lambda: _dispatcher(settings))
    yield _guarded("web server", "see the database", lambda: _web(settings))
    yield _guarded("clerk", "see the database", lambda: _clerk(settings))
    yield _guarded("workers", "see the database", lambda: _workers(settings))
    yield from _processes(settings)
    yield _guarded(
        "store", "correct MASKPOOL_STORE_URL or its credentials", lambda: _store(settings)
    )
    yield _models(settings)


def _guarded(name: str, advice: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except MaskpoolError as error:
        # What is permanent is a setting that is refused; the service itself may be well.
        return Check(name, False, str(error), advice, service=isinstance(error, Transient))


def _python() -> Check:
    version = platform.python_version()
    ok = sys.version_info >= (3, 11)
    return Check("Python", ok, version, "" if ok else "maskpool needs Python 3.11 or newer")


def _torch() -> Check:
    for package in ("torch", "transformers"):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return Check(
                "torch",
                None,
                f"{package} is not installed",
                "needed on workers only: pip install -e '.[worker]' in the checkout",
            )
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _TORCH_PROGRAM],
            capture_output=True,
            text=True,
            timeout=_TORCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        found = f"importing torch took more than {_TORCH_SECONDS} s"
        return Check(
            "torch", False, found, "try again when this machine and its disk are less busy"
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Check("torch", False, reason, "reinstall torch and transformers together")
    found = json.loads(done.stdout)
    words = f"torch {found['torch']}, transformers {found['transformers']}, {found['device']}"
    slow = "" if found["cuda"] else "no GPU is seen: fine for the demo models, slow for SAM3"
    return Check("torch", True, words, slow)


def _redis(settings: Settings) -> Check:
    from producer.dispatch.broker import Broker  # noqa: PLC0415 - only when it is checked

    url = settings.redis_url.get_secret_value()
    if not url:
        return Check("Redis", None, "MASKPOOL_REDIS_URL is not set and no local stack runs here")
    broker = Broker(url)
    try:
        return Check("Redis", True, f"answers, version {broker.ping()}")
    finally:
        broker.close()


def _database(settings: Settings) -> Check:
    from db.schema import head_revision, is_newer, revision  # noqa: PLC0415 - only when it is checked
    from db.session import Database  # noqa: PLC0415

    url = settings.database_url.get_secret_value()
    if not url:
        return Check(
            "database", None, "MASKPOOL_DATABASE_URL is not set and no local stack runs here"
        )
    database = Database(url)
    try:
        with database.read():
            pass
    finally:
        database.close()
    have, want = revision(url), head_revision()
    if is_newer(have):
        newer = f"answers, at revision {have}, which is newer than this code's {want}"
        return Check("database", True, newer, "upgrade maskpool here when it suits you")
    if have != want:
        found = f"it is at revision {have}, not {want}"
        return Check("database", False, found, "run maskpool migrate", service=True)
    return Check("database", True, f"answers, at revision {have}")


def _dispatcher(settings: Settings) -> Check:
    from db import services  # noqa: PLC0415 - only when it is checked

    with _rows(settings) as session:
        if session is None:
            return Check("dispatcher", None, "no database to find it in")
        seen = services.seen(session, services.DISPATCHER)
    alive = [one for one in seen if one.alive]
    if alive:
        names = ", ".join(f"{one.name} ({one.seconds_ago:.0f} s ago)" for one in alive)
        return Check("dispatcher", True, f"seen lately: {names}")
    found = f"last seen {seen[0].seconds_ago:.0f} s ago: {seen[0].name}" if seen else "never seen"
    advice = "start one with maskpool dispatch, or maskpool up"
    return Check("dispatcher", False, found, advice, service=True)


def _web(settings: Settings) -> Check:
    from db import services  # noqa: PLC0415 - only when it is checked

    with _rows(settings) as session:
        if session is None:
            return Check("web server", None, "no database to find it in")
        alive = [one for one in services.seen(session, services.WEB) if one.alive]
    if not alive:
        return Check("web server", None, "none lives", "start one with maskpool serve")
    names = ", ".join(f"{one.name} ({one.seconds_ago:.0f} s ago)" for one in alive)
    return Check("web server", True, f"seen lately: {names}")


def _clerk(settings: Settings) -> Check:
    from db import services, task_messages  # noqa: PLC0415 - only when it is checked

    with _rows(settings) as session:
        if session is None:
            return Check("clerk", None, "no database to find it in")
        alive = [one for one in services.seen(session, services.CLERK) if one.alive]
        waiting = task_messages.count_waiting(session)
    wait = counted(waiting, "task waits", "tasks wait")
    if alive:
        names = ", ".join(f"{one.name} ({one.seconds_ago:.0f} s ago)" for one in alive)
        return Check("clerk", True, f"seen lately: {names}; {wait}")
    advice = "start one with maskpool clerk, or maskpool up"
    # A pool that is used from the shell alone asks nothing of a clerk.
    if not waiting:
        return Check("clerk", None, "none lives, and no task waits for one", advice)
    found = f"none lives, and {wait} for one"
    return Check("clerk", False, found, advice, service=True)


def _workers(settings: Settings) -> Check:
    from db import workers  # noqa: PLC0415 - only when it is checked

    with _rows(settings) as session:
        if session is None:
            return Check("workers", None, "no database to find them in")
        pools = workers.fleets(session)
    if not pools:
        advice = "start one with maskpool worker, or maskpool up"
        return Check("workers", False, "none lives", advice, service=True)
    served = ", ".join(f"{pools[model].workers} serve {model}" for model in sorted(pools))
    return Check("workers", True, served)


@contextmanager
def _rows(settings: Settings) -> Iterator[Session | None]:
    from db.schema import require_fit  # noqa: PLC0415 - only when it is checked
    from db.session import Database  # noqa: PLC0415

    url = settings.database_url.get_secret_value()
    if not url:
        yield None
        return
    database = Database(url)
    try:
        with database.read() as session:
            require_fit(session)
            yield session
    finally:
        database.close()


def _processes(settings: Settings) -> Iterator[Check]:
    """What the health files of this machine say: the local stack's, and the one that is set."""
    from producer.local.endpoints import health_folder, is_held  # noqa: PLC0415 - likewise

    here = is_held(settings.home)
    files = sorted(health_folder(settings.home).glob("*.json")) if here else []
    if settings.health_file is not None and settings.health_file.exists():
        files.append(settings.health_file)
    for file in files:
        state = read_state(file)
        advice = "" if state.ready else "see its log"
        name = f"health of {file.stem}"
        yield Check(name, state.ready, state.sentence, advice, service=not state.ready)


def _store(settings: Settings) -> Check:
    from maskpool.domain import new_id  # noqa: PLC0415 - only when it is checked
    from storage.objects import open_store  # noqa: PLC0415

    if not settings.store_url:
        return Check("store", None, "MASKPOOL_STORE_URL is not set and no local stack runs here")
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    key = f"doctor/{new_id()}"
    store.put(key, b"maskpool")
    try:
        if store.get(key) != b"maskpool":
            found = f"{store.url} gave back other bytes than were written"
            return Check("store", False, found, "check the store's disk", service=True)
    finally:
        store.delete([key])
    return Check("store", True, f"{store.url} can be written, read and deleted from")


def _models(settings: Settings) -> Check:
    try:
        alias = settings.alias(settings.model)
    except MaskpoolError as error:
        return Check("models", False, str(error), "correct MASKPOOL_MODEL or MASKPOOL_MODELS")
    for reference in (alias.sam3, alias.clip):
        folder = Path(reference)
        if folder.is_absolute() and not (folder / "config.json").is_file():
            return Check("models", False, f"{folder} holds no model", "make demo-models trains it")
    words = f"{settings.model}: {alias.sam3} and {alias.clip}"
    return Check("models", True, words, f"try it: maskpool doctor --model {settings.model} IMAGE")
