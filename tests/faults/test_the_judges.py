"""The counters of these tests count: a bug that is put in on purpose does not get past them."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faults import history
from faults.conftest import built_world
from faults.door import open_door
from faults.orders import Orders, effects, judge
from faults.world import LEASE_SECONDS, Member, Report, World
from sqlalchemy import delete

from db.models import InstanceRow, JobRow, TaskRow


@pytest.fixture
def unfenced(tmp_path: Path) -> Iterator[World]:
    """A stack whose workers write also what is not theirs any more."""
    with built_world(
        "embedded", tmp_path, worker_script="unfenced_worker.py", worker_count=2
    ) as world:
        world.start()
        yield world


def test_an_order_done_twice_and_one_lost_are_counted(tmp_path: Path) -> None:
    with (
        built_world("embedded", tmp_path) as world,
        open_door(world, "forgetful_web_server.py") as door,
    ):
        orders = Orders(door)
        with door.client() as client:
            orders.once_more(client)
        report = Report("a key is not heard", "embedded")
        with pytest.raises(AssertionError):
            judge(report, orders.told, orders.given_up, effects(world.database))
        assert (report.jobs, report.lost, report.twice) == (1, 0, 1)

        with world.database.write() as session:
            session.execute(delete(TaskRow))
        report = Report("a row is deleted", "embedded")
        with pytest.raises(AssertionError):
            judge(report, orders.told, orders.given_up, effects(world.database))
        assert (report.lost, report.twice) == (1, 0)


def _frozen(world: World, worker: Member) -> bool:
    """Freeze a worker that holds a chunk, but no lock: on SQLite that would stop everybody else."""
    if not world.is_at_work(worker):
        return False
    worker.send(signal.SIGSTOP)
    path = world.database_url.removeprefix("sqlite:///")
    try:
        with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        worker.send(signal.SIGCONT)
        return False
    return True


def test_a_result_accepted_twice_and_a_lost_job_are_counted(unfenced: World) -> None:
    sound = unfenced.submit(40)
    unfenced.await_end([sound], 60)
    unfenced.check(Report("none", "embedded"), [sound])

    batch = unfenced.submit(60)
    sleeper = unfenced.workers[0]
    unfenced.until(lambda: _frozen(unfenced, sleeper), seconds=60, what="a frozen worker")
    time.sleep(LEASE_SECONDS + 1.0)
    unfenced.await_end([batch], 60)
    sleeper.send(signal.SIGCONT)
    unfenced.until(
        lambda: max(history.times_ended(unfenced.database, [batch]).values()) > 1,
        seconds=60,
        what="a second end of a job",
    )
    report = Report("a zombie writes", "embedded")
    with pytest.raises(AssertionError):
        unfenced.check(report, [batch])
    assert report.twice > 0

    with unfenced.database.write() as session:
        for table in (InstanceRow, JobRow):
            session.execute(delete(table).where(table.batch_id == sound, table.seq == 7))
    report = Report("a row is deleted", "embedded")
    with pytest.raises(AssertionError):
        unfenced.check(report, [sound])
    assert (report.lost, report.twice) == (1, 0)
