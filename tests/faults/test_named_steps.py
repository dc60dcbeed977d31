"""Submitter, dispatcher and worker killed at each step that has a name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from faults import history
from faults.conftest import built_world
from faults.sizes import Sizes
from faults.world import HERE, PROMPTS, Load, Member, Report, World
from services.command_line import PATIENCE
from services.rows import counts_by_state
from sqlalchemy import select

from db.models import BatchRow
from maskpool.domain import MAX_LOSSES, BatchState
from maskpool.failpoints import PLACES

#: Several blocks of the submitter in these tests.
COUNT = 100


@pytest.fixture(scope="module")
def world(team_unless_full: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As for other files; in short nothing here runs on SQLite, so no world starts there."""
    with built_world(team_unless_full, tmp_path_factory.mktemp(f"steps-{team_unless_full}")) as one:
        one.start()
        yield one


def places(of: str) -> list[str]:
    return [place for place in PLACES if place.startswith(of)]


def submit(
    world: World, manifest: Path, key: str, armed: str = ""
) -> subprocess.CompletedProcess[str]:
    """``maskpool submit``, a process of its own."""
    return subprocess.run(submitting(manifest, key), check=False, **how_to_submit(world, armed))


def submitting(manifest: Path, key: str) -> list[str]:
    script = str(HERE / "scripts" / "small_block_submitter.py")
    spec = manifest.with_suffix(".spec.json")
    spec.write_text(json.dumps({"prompts": PROMPTS}))
    words = ["submit", str(manifest), "--spec", str(spec), "--key", key, "--no-upload"]
    return [sys.executable, "-P", script, *words]


def how_to_submit(world: World, armed: str = "") -> dict[str, object]:
    environment = {**os.environ, **world.dispatcher.environment, "MASKPOOL_OWNER": "bea"}
    environment["MASKPOOL_FAILPOINTS"] = armed
    return {"env": environment, "capture_output": True, "text": True, "timeout": PATIENCE}


def kill_at(place: str) -> str:
    # A block behind the first: something is there already that must not be there twice.
    return f"{place}=kill{'@2' if '.block' in place else ''}"


@pytest.mark.usefixtures("at_full_size_or_team")
def test_the_submitter_is_killed_at_each_step(world: World, report: Report) -> None:
    """kill -9 the submitter at each named step."""
    submitted = []
    for place in places("submit."):
        key = f"{world.profile} {place}"
        manifest = world.manifest(COUNT)
        killed = submit(world, manifest, key, kill_at(place))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        report.injected += 1
        batch_id = _batch_of(world, key)
        if place != "submit.committed":
            _nothing_of_it_is_in_work(world, batch_id)
        again = submit(world, manifest, key)
        assert again.returncode == 0, again.stderr
        assert str(batch_id) in again.stdout
        assert ("was submitted before" in again.stdout) == (place == "submit.committed")
        submitted.append(batch_id)
    world.batch_ids += submitted
    world.await_end(submitted, 120)
    world.check(report, submitted)
    assert (report.failed, report.jobs) == (0, COUNT * len(submitted))


def _batch_of(world: World, key: str) -> UUID:
    with world.database.read() as session:
        return session.scalars(select(BatchRow.id).where(BatchRow.idempotency_key == key)).one()


def _nothing_of_it_is_in_work(world: World, batch_id: UUID) -> None:
    """Not half-visible: LOADING, and nobody claims any of it."""
    time.sleep(0.5)  # several ticks of the dispatcher
    progress = world.progress(batch_id)
    assert (progress.state, progress.total) == (BatchState.LOADING, 0)
    with world.database.read() as session:
        assert sum(counts_by_state(session, batch_id).values()) == progress.loaded
    assert [one for one in history.steps(world.database) if one.batch_id == batch_id] == []


def test_postgres_stops_under_submitters(world: World, sizes: Sizes, report: Report) -> None:
    """Postgres stopped at once while somebody submits."""
    if world.postgres is None:
        pytest.skip("SQLite has no server to stop")
    submitted = []
    for number in range(sizes.submit_outages):
        key, manifest = f"outage {number}", world.manifest(COUNT)
        armed = f"submit.block_written=stop@{world.rng.randint(1, 5)}"
        process = subprocess.Popen(
            submitting(manifest, key),
            env=how_to_submit(world, armed)["env"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        world.until(lambda one=process: _is_stopped(one.pid), seconds=60, what="a block")
        world.stop_postgres()
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 4, said
        assert f"--key {key}" in " ".join(said.split()), said
        world.start_postgres()
        report.injected += 1
        done = submit(world, manifest, key)
        assert done.returncode == 0, done.stderr
        submitted.append(_batch_of(world, key))
    world.batch_ids += submitted
    world.await_end(submitted, 120)
    world.check(report, submitted)
    assert (report.failed, report.jobs) == (0, COUNT * len(submitted))


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.usefixtures("at_full_size_or_team")
def test_one_key_from_many_processes(world: World, sizes: Sizes, report: Report) -> None:
    """One key submitted by many processes at once."""
    manifest = world.manifest(COUNT)
    key = f"{world.profile} many"
    environment = how_to_submit(world)["env"]
    processes = [
        subprocess.Popen(
            submitting(manifest, key), env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(sizes.submitters)
    ]
    said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * sizes.submitters
    batch_id = _batch_of(world, key)
    assert all(str(batch_id) in one for one in said)
    assert sum("was submitted before" not in one for one in said) == 1
    report.injected = sizes.submitters
    world.batch_ids.append(batch_id)
    world.await_end([batch_id], 120)
    world.check(report, [batch_id])
    assert (report.failed, report.jobs) == (0, COUNT)


@pytest.mark.usefixtures("at_full_size_or_team")
def test_the_dispatcher_is_killed_at_each_step(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """kill -9 the dispatcher at each named step."""
    for place in places("dispatch."):
        _die_at(load, [world.dispatcher], f"{place}=kill@3", sizes.deaths_a_step, report)
    _mend([world.dispatcher])
    load.await_end()
    ended = world.check(report, load.batch_ids)
    assert report.failed == 0
    assert {(job.attempts, job.losses) for job in ended} == {(0, 0)}, "no worker died"


@pytest.mark.usefixtures("at_full_size_or_team")
def test_workers_are_killed_at_each_step(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """kill -9 a worker at each named step."""
    for place in places("worker."):
        _die_at(load, world.workers, f"{place}=kill@2", sizes.deaths_a_step, report)
    _mend(world.workers)
    load.await_end()
    ended = world.check(report, load.batch_ids)
    assert report.failed == 0
    assert max(job.losses for job in ended) < MAX_LOSSES


def _die_at(load: Load, members: list[Member], armed: str, deaths: int, report: Report) -> None:
    """Have these processes die at a place, each of them again and again."""
    before = {member.log: len(member.own_deaths) for member in members}
    for member in members:
        member.environment["MASKPOOL_FAILPOINTS"] = armed
        member.restart()

    def died() -> list[int]:
        return [status for one in members for status in one.own_deaths[before[one.log] :]]

    def died_often_enough() -> bool:
        load.keep_up(block=40)
        return len(died()) >= deaths

    load.world.until(died_often_enough, seconds=120, what=f"{deaths} deaths by {armed}")
    assert set(died()) == {-signal.SIGKILL}
    report.injected += len(died())


def _mend(members: list[Member]) -> None:
    for member in members:
        del member.environment["MASKPOOL_FAILPOINTS"]
        member.restart()
