"""What ``maskpool doctor`` looks at: each check says what it found and what to do about it."""

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

from maskpool.errors import ConfigError, MaskpoolError, NotFound
from maskpool.health import look
from maskpool.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy is imported only when rows are looked at
    from sqlalchemy.orm import Session

#: Importing torch on a cold disk takes a while; a model is read from disk on top.
_PROBE_SECONDS = 120
_LOOK_SECONDS = 900

_PROBE = """
import json, torch, transformers
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "transformers": transformers.__version__, "cuda": cuda,
    "device": torch.cuda.get_device_name(0) if cuda else "CPU", "threads": torch.get_num_threads(),
}))
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's sheet.

    Attributes:
        ok: False where something must be done; None where the part is not in use.
        advice: What to do, empty where nothing is.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Look at everything, one after the other; no check stops the others."""
    yield _python()
    yield _torch()
    yield _guarded("Redis", "start it, or correct MASKPOOL_REDIS_URL", lambda: _redis(settings))
    yield _guarded(
        "database", "start it, or correct MASKPOOL_DATABASE_URL", lambda: _database(settings)
    )
    yield _guarded("dispatcher", "see the database", lambda: _dispatcher(settings))
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
        return Check(name, False, str(error), advice)


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
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE],
        capture_output=True,
        text=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Check("torch", False, reason, "reinstall torch and transformers together")
    found = json.loads(done.stdout)
    words = f"torch {found['torch']}, transformers {found['transformers']}, {found['device']}"
    slow = "" if found["cuda"] else "no GPU is seen: fine for the demo models, slow for SAM3"
    return Check("torch", True, words, slow)


def _redis(settings: Settings) -> Check:
    from producer.dispatch.broker import Broker  # noqa: PLC0415 - only when it is looked at

    url = settings.redis_url.get_secret_value()
    if not url:
        return Check("Redis", None, "MASKPOOL_REDIS_URL is not set and no local stack runs here")
    broker = Broker(url)
    try:
        return Check("Redis", True, f"answers, version {broker.ping()}")
    finally:
        broker.close()


def _database(settings: Settings) -> Check:
    from db.schema import head_revision, is_newer, revision  # noqa: PLC0415 - only when it is looked at
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
        return Check(
            "database", False, f"it is at revision {have}, not {want}", "run maskpool migrate"
        )
    return Check("database", True, f"answers, at revision {have}")


def _dispatcher(settings: Settings) -> Check:
    from db import services  # noqa: PLC0415 - only when it is looked at

    with _rows(settings) as session:
        if session is None:
            return Check("dispatcher", None, "no database to look for it in")
        seen = services.seen(session, services.DISPATCHER)
    alive = [one for one in seen if one.alive]
    if alive:
        names = ", ".join(f"{one.name} ({one.seconds_ago:.0f} s ago)" for one in alive)
        return Check("dispatcher", True, f"seen lately: {names}")
    found = f"last seen {seen[0].seconds_ago:.0f} s ago: {seen[0].name}" if seen else "never seen"
    return Check("dispatcher", False, found, "start one with maskpool dispatch, or maskpool up")


def _workers(settings: Settings) -> Check:
    from db import workers  # noqa: PLC0415 - only when it is looked at

    with _rows(settings) as session:
        if session is None:
            return Check("workers", None, "no database to look for them in")
        pools = workers.fleets(session)
    if not pools:
        advice = "start one with maskpool worker, or maskpool up"
        return Check("workers", False, "none lives", advice)
    served = ", ".join(f"{pools[model].workers} serve {model}" for model in sorted(pools))
    return Check("workers", True, served)


@contextmanager
def _rows(settings: Settings) -> Iterator[Session | None]:
    from db.schema import require_fit  # noqa: PLC0415 - only when it is looked at
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
        state = look(file)
        advice = "" if state.ready else "see its log"
        yield Check(f"health of {file.stem}", state.ready, state.sentence, advice)


def _store(settings: Settings) -> Check:
    from maskpool.domain import new_id  # noqa: PLC0415 - only when it is looked at
    from storage.objects import open_store  # noqa: PLC0415

    if not settings.store_url:
        return Check("store", None, "MASKPOOL_STORE_URL is not set and no local stack runs here")
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    key = f"doctor/{new_id()}"
    store.put(key, b"maskpool")
    try:
        if store.get(key) != b"maskpool":
            return Check("store", False, f"{store.url} gave back other bytes", "look at the store")
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


def look_at(alias: str, image: Path | None, prompts: list[str]) -> dict[str, object]:
    """Load a model in a process of its own and segment one image; see ``workers.try_model``.

    Raises:
        NotFound: There is no such image.
        ConfigError: The model refuses to load, or the image; says why.
    """
    if image is not None and not image.is_file():
        raise NotFound(f"there is no image {image}")
    words = [word for prompt in prompts for word in ("-p", prompt)]
    command = [
        sys.executable,
        "-m",
        "workers.try_model",
        alias,
        *([str(image)] if image else []),
        *words,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_LOOK_SECONDS, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ConfigError(f"model {alias}: {lines[-1]}")
    report: dict[str, object] = json.loads(done.stdout)
    return report
