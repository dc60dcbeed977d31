"""Real processes and their health: hanging, hindered, well again, and what others see of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image
from services.command_line import maskpool, maskpool_json, serving, until
from services.plain_pool import PlainPool
from services.postgres_server import PostgresServer, running_postgres, start_again
from services.process import serve, stop
from services.redis_server import running_redis
from sqlalchemy import update

from db import services, ticks
from db.chunks import reap
from db.models import ServiceRow
from db.schema import upgrade
from db.session import Database
from maskpool.errors import Unreachable
from maskpool.health import HealthFile, State, read_state
from producer.dispatch import tick as dispatch
from producer.dispatch.broker import Broker
from producer.dispatch.heartbeat import Heartbeat
from producer.dispatch.loop import Dispatcher
from producer.dispatch.tick import tick
from producer.local.children import Child
from storage.objects import open_store
from workers.leases import STALLED

WORKER = (str(Path(__file__).resolve().parents[1] / "services" / "scripts" / "stuck_worker.py"),)

#: Seconds of silence that these tests take for a hang; three beats and a slow machine.
SHORT = 6.0


@pytest.fixture
def environment(
    sqlite_url: str, redis_url: str, folder_store_url: str, tmp_path: Path
) -> dict[str, str]:
    images = tmp_path / "images"
    images.mkdir()
    return {
        "MASKPOOL_HOME": str(tmp_path / "home"),
        "MASKPOOL_DATABASE_URL": sqlite_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": folder_store_url,
        "MASKPOOL_SOURCE_ROOTS": str(images),
        "MASKPOOL_STALL_SECONDS": "3",
        "MASKPOOL_WEB_SECONDS": "2",
    }


def check(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a container's health check runs."""
    command = [sys.executable, "-P", "-m", "maskpool.health", str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def becomes(file: Path, wanted: Callable[[State], bool], what: str) -> State:
    until(lambda: wanted(read_state(file, max_age=SHORT)), seconds=90, what=what)
    return read_state(file, max_age=SHORT)


def ready(file: Path) -> State:
    return becomes(file, lambda state: state.ready, f"{file.name} ready")


@pytest.mark.parametrize("service", ["dispatcher", "worker"])
def test_a_frozen_process_is_not_live_and_one_that_ended_leaves_no_file(
    service: str, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / f"{service}.json"
    told = {**environment, "MASKPOOL_HEALTH_FILE": str(file)}
    words = ("dispatch",) if service == "dispatcher" else ()
    program = ("-m", "producer.cli") if service == "dispatcher" else WORKER
    with serving(*words, log=tmp_path / "log", env=told, program=program) as process:
        assert service in ready(file).sentence
        assert check(file).returncode == 0
        process.send_signal(signal.SIGSTOP)
        frozen = becomes(file, lambda state: not state.live, "notice of the freeze")
        assert "hangs or is gone" in frozen.sentence
        assert check(file, "--max-age", str(SHORT)).returncode == 1
        process.send_signal(signal.SIGCONT)
        ready(file)
    assert not file.exists()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    yield from serve(running_postgres())


def test_a_database_that_is_away_makes_both_unready_and_neither_dead(
    own_postgres: PostgresServer, environment: dict[str, str], tmp_path: Path
) -> None:
    url = own_postgres.url(own_postgres.create())
    upgrade(url)
    files = {service: tmp_path / f"{service}.json" for service in ("dispatcher", "worker")}
    told = {
        service: {
            **environment,
            "MASKPOOL_DATABASE_URL": url,
            "MASKPOOL_HEALTH_FILE": str(file),
            "MASKPOOL_STALL_SECONDS": "60",
        }
        for service, file in files.items()
    }
    with ExitStack() as stack:
        start = stack.enter_context
        start(serving("dispatch", log=tmp_path / "d.log", env=told["dispatcher"]))
        start(serving(log=tmp_path / "w.log", env=told["worker"], program=WORKER))
        for file in files.values():
            ready(file)
        stop(own_postgres.process, signal.SIGINT)
        for file in files.values():
            hindered = becomes(file, lambda state: not state.ready, "notice of the outage")
            assert "the database is unreachable" in hindered.sentence
        time.sleep(8)  # longer than the longest pause between two tries
        for file in files.values():
            state = read_state(file, max_age=20)
            assert (state.live, state.ready) == (True, False), state.sentence
            assert check(file).returncode == 0
            assert check(file, "--ready").returncode == 1
        again = start_again(own_postgres)
        stack.callback(stop, again.process, signal.SIGINT)
        for file in files.values():
            ready(file)


def test_a_broker_that_is_away_makes_the_dispatcher_unready(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "dispatcher.json"
    with running_redis() as redis_server:
        port = redis_server.port
        told = {
            **environment,
            "MASKPOOL_REDIS_URL": redis_server.url,
            "MASKPOOL_HEALTH_FILE": str(file),
        }
        stack = ExitStack()
        stack.enter_context(serving("dispatch", log=tmp_path / "d.log", env=told))
        with stack:
            ready(file)
            stop(redis_server.process)
            hindered = becomes(file, lambda state: not state.ready, "notice of the outage")
            assert hindered.live
            assert "Redis is unreachable" in hindered.sentence
            with running_redis(port):
                ready(file)


def test_a_worker_whose_engine_hangs_is_not_live_and_ends(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "worker.json"
    told = {**environment, "MASKPOOL_HEALTH_FILE": str(file)}
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "black.png")
    with (
        serving("dispatch", log=tmp_path / "d.log", env=environment),
        serving(log=tmp_path / "w.log", env=told, program=WORKER) as worker,
    ):
        ready(file)
        assert (
            maskpool("submit", str(tmp_path / "images"), "-p", "a", env=environment).returncode == 0
        )
        assert worker.wait(90) == STALLED
    state = read_state(file)
    assert not state.live
    assert "made no progress" in state.sentence


def test_celery_is_heard_by_the_pulse(environment: dict[str, str], tmp_path: Path) -> None:
    """Were its signal not what we think, an idle worker would be given up after a while."""
    file = tmp_path / "worker.json"
    told = {**environment, "MASKPOOL_HEALTH_FILE": str(file), "MASKPOOL_STALL_SECONDS": "10"}
    with serving(log=tmp_path / "w.log", env=told, program=WORKER):
        ready(file)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            assert read_state(file).ready, read_state(file).sentence
            time.sleep(0.2)


def test_who_is_there_is_said_by_doctor_status_and_submit(
    environment: dict[str, str], tmp_path: Path
) -> None:
    Image.new("RGB", (32, 32), "white").save(tmp_path / "images" / "white.png")
    submit = ("submit", str(tmp_path / "images"), "-p", "a", "--json")
    alone = maskpool(*submit, env=environment)
    assert "no dispatcher was seen yet: nothing will happen" in alone.stderr
    assert "no living worker serves demo" in alone.stderr
    sheet = checks(environment)
    assert (sheet["dispatcher"]["ok"], sheet["workers"]["ok"]) == (False, False)
    with (
        serving("dispatch", log=tmp_path / "d.log", env=environment),
        serving(log=tmp_path / "w.log", env=environment, program=WORKER),
    ):
        until(lambda: len(maskpool_json("status", env=environment)) == 1, what="the worker")
        until(lambda: checks(environment)["dispatcher"]["ok"], what="the dispatcher")
        assert checks(environment)["workers"]["found"] == "1 serve demo"
        told = maskpool(*submit, env=environment)
        assert "nothing will happen" not in told.stderr
    assert checks(environment)["dispatcher"]["found"] == "never seen", "it signed off"
    database = Database(environment["MASKPOOL_DATABASE_URL"])
    Heartbeat(database).round_done()
    with database.write() as session:
        session.execute(update(ServiceRow).values(seen_at=ServiceRow.seen_at - 6_000_000))
    database.close()
    said = maskpool("status", env=environment).stderr
    assert re.search(r"no dispatcher was seen for 10\d minutes: nothing will happen", said)
    assert re.match(r"last seen 6\d\d\d s ago", str(checks(environment)["dispatcher"]["found"]))


def checks(environment: dict[str, str]) -> dict[str, dict[str, object]]:
    done = maskpool("doctor", "--json", env=environment)
    assert done.returncode in (0, 4), done.stderr
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_a_dispatcher_writes_its_row_rarely(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url)
    written = []
    announce = services.announce
    monkeypatch.setattr(services, "announce", lambda *words: (written.append(1), announce(*words)))
    heartbeat = Heartbeat(database)
    for _ in range(500):
        heartbeat.round_done()
    assert len(written) == 1
    with database.read() as session:
        [seen] = services.seen(session, services.DISPATCHER)
    assert seen.alive
    heartbeat._announced -= services.BEAT_SECONDS + 1
    heartbeat.round_done()
    assert len(written) == 2
    with database.read() as session:
        assert len(services.seen(session, services.DISPATCHER)) == 1
    heartbeat.leave()
    with database.read() as session:
        assert services.seen(session, services.DISPATCHER) == []
    database.close()


def test_rows_of_dispatchers_long_gone_are_swept(database_url: str) -> None:
    database = Database(database_url)
    Heartbeat(database).round_done()
    with database.write() as session:
        session.execute(update(ServiceRow).values(seen_at=ServiceRow.seen_at - services.FORGET_MS))
    Heartbeat(database).round_done()
    with database.read() as session:
        assert [one.alive for one in services.seen(session, services.DISPATCHER)] == [True]
    database.close()


def test_a_child_of_a_stack_that_hangs_is_noticed_and_ended_with_all_it_leads(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, time, pathlib; from maskpool.health import HealthFile\n"
        "health_file = HealthFile(pathlib.Path(sys.argv[1]), 'dispatcher', 'host:1')\n"
        "while True: health_file.beat(); time.sleep(0.1)"
    )
    file = tmp_path / "health.json"
    child = Child(
        "dispatcher",
        [sys.executable, "-P", "-c", program, str(file)],
        dict(os.environ),
        tmp_path / "log",
        file,
    )
    child.start()
    try:
        assert not child.hangs(), "nothing was heard of it yet"
        ready(file)
        assert not child.hangs()
        pid = json.loads(file.read_text())["pid"]
        os.kill(pid, signal.SIGSTOP)
        until(lambda: not read_state(file, max_age=SHORT).live, seconds=60, what="silence")
        assert not child.hangs(), "a minute is allowed"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "producer.local.children.read_state", lambda path: read_state(path, max_age=SHORT)
            )
            assert not child.hangs(), "one reading is not enough"
            until(child.hangs, seconds=60, what="the second reading")
            child.kill()
            until(lambda: not Path(f"/proc/{pid}").exists(), seconds=90, what="its end")
            patch.setattr("producer.local.children._SILENCE_SECONDS", -1.0)
            child.start()
            assert not child.hangs(), "what the dead one said is not its own"
            ready(file)
            assert not child.hangs()
    finally:
        child.stop()


def test_a_child_that_starts_after_a_hard_reboot_is_not_taken_to_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody took the file away, and the clock of its boot was further than this one's."""
    monkeypatch.setattr("producer.local.children._SILENCE_SECONDS", -1.0)
    file = tmp_path / "health.json"
    program = [sys.executable, "-P", "-c", "import time; time.sleep(600)"]
    child = Child("worker-1", program, dict(os.environ), tmp_path / "log", file)
    leave_file(file, time.monotonic() + 500_000)
    child.start()
    try:
        assert not file.exists(), "a file of its name is its own from now on"
        assert not child.hangs()
        leave_file(file, time.monotonic() + 500_000)
        assert not child.hangs(), "an earlier boot's, however it came back"
        leave_file(file, child._started - 100)
        assert not child.hangs(), "a predecessor's, written late"
        leave_file(file, child._started, live=False)
        assert child.hangs()
    finally:
        child.stop()


def leave_file(file: Path, monotonic: float, *, live: bool = True) -> None:
    """As a process leaves it that had no time to take it away."""
    HealthFile(file, "worker", "host:2").beat("" if live else "lost", live=live)
    file.write_text(json.dumps({**json.loads(file.read_text()), "monotonic": monotonic}))


def test_a_dispatcher_is_heard_while_a_round_takes_long(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of lapsed chunks are reaped, one transaction each, before a round is whole."""
    database, broker, file = Database(database_url), Broker(redis_url), tmp_path / "health.json"
    heartbeat, stop = Heartbeat(database, file), threading.Event()
    lapsed = iter(range(3))
    heard: list[State] = []

    def reap_one(*_: object, **__: object) -> bool:
        heard.append(read_state(file))
        file.unlink(missing_ok=True)
        heartbeat._health_file._written = float("-inf")  # as if a second had passed
        if next(lapsed, None) is None:
            stop.set()
        return not stop.is_set()

    monkeypatch.setattr(reap, "reap_one", reap_one)
    monkeypatch.setattr(reap, "any_lapsed", lambda _: True)
    monkeypatch.setattr(ticks, "anything_to_do", lambda _: True)
    Dispatcher(database, broker, tick_seconds=0.05, lease_seconds=30, heartbeat=heartbeat).run(stop)
    assert [state.ready for state in heard] == [True] * 4
    broker.close()
    database.close()


def test_each_step_of_a_round_is_told(
    database_url: str, folder_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that claims and sends much takes long, too."""
    monkeypatch.setattr(dispatch, "_PUBLISHED_AT_ONCE", 1)
    pool = PlainPool(Database(database_url), open_store(folder_store_url))
    pool.tick()  # a worker is there
    pool.submit(8)
    steps: list[str] = []
    done = tick(
        pool.database,
        lambda _: steps.append("sent"),
        beat=lambda: steps.append("goes on"),
    )
    assert done.published == 2
    # Folding, each claim, COMMIT; then each message.
    first = steps.index("sent")
    assert steps[:first].count("goes on") >= 3
    assert steps[first:] == ["sent", "goes on"] * 2
    pool.database.close()


def test_a_step_that_went_well_does_not_end_the_trouble(database_url: str, tmp_path: Path) -> None:
    database, file = Database(database_url), tmp_path / "health.json"
    heartbeat = Heartbeat(database, file)
    heartbeat.round_failed(Unreachable("Redis", "refused"))
    file.unlink()
    heartbeat._health_file._written = float("-inf")
    heartbeat.step()
    assert (read_state(file).live, read_state(file).ready) == (True, False)
    heartbeat.round_done()
    heartbeat._health_file._written = float("-inf")
    heartbeat.step()
    assert read_state(file).ready
    database.close()
