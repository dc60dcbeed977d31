"""Workers and dispatcher cut off from Postgres or Redis alone; lost answers to a COMMIT."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from faults import history
from faults.conftest import built_world
from faults.sizes import IS_FULL, Sizes
from faults.world import LEASE_SECONDS, Load, Member, Report, World, now_ms
from services.tcp_proxy import Mode, TcpProxy, tcp_proxy
from sqlalchemy import select

from db.models import ChunkRow, WorkerRow
from maskpool.domain import ChunkState

#: What a machine with other things to do adds to the lease and the dispatcher's next look.
SLACK_SECONDS = 3.0

#: Longer than a lease: what was in hand is lost.
APART_SECONDS = LEASE_SECONDS + 1.5

#: How a network breaks. The first is the meanest and the one of the short run.
BREAKS = (Mode.BLACK_HOLE, Mode.CUT, Mode.STALL) if IS_FULL else (Mode.BLACK_HOLE,)


@dataclass(frozen=True)
class Lines:
    """The ways of one process to its services."""

    member: Member
    postgres: TcpProxy
    redis: TcpProxy


@dataclass
class Apart:
    """A world in which one worker and the dispatcher reach their services through proxies."""

    world: World
    worker: Lines
    dispatcher: Lines


def _through(stack: ExitStack, member: Member, name: str) -> TcpProxy:
    """Put a proxy between a process and a service, before the process starts."""
    url = member.environment[name]
    proxy = stack.enter_context(tcp_proxy(urlsplit(url).port))
    member.environment[name] = url.replace(f":{proxy.target}/", f":{proxy.port}/")
    return proxy


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """Embedded stacks live on one machine, with a file and a socket: nothing to cut there."""
    folder = tmp_path_factory.mktemp("partitions")
    with built_world("team", folder) as world, ExitStack() as stack:
        lines = [
            Lines(
                member,
                _through(stack, member, "MASKPOOL_DATABASE_URL"),
                _through(stack, member, "MASKPOOL_REDIS_URL"),
            )
            for member in (world.workers[0], world.dispatcher)
        ]
        world.start()
        yield Apart(world, *lines)


@pytest.fixture(scope="module")
def world(apart: Apart) -> World:
    """In place of the shared one."""
    return apart.world


@pytest.mark.parametrize("broken", BREAKS, ids=lambda mode: mode.name.lower())
def test_a_worker_is_cut_off_from_postgres(
    apart: Apart, load: Load, sizes: Sizes, report: Report, broken: Mode
) -> None:
    """Worker cut off from Postgres."""
    world, lines = apart.world, apart.worker
    report.fault += f": {_told(broken)}"
    began, cuts, back = now_ms(), [], []
    pid, deaths = lines.member.pid, _deaths(world)
    worker_id = world.id_of(lines.member)
    for _ in range(sizes.partitions):
        load.keep_up()
        world.until(lambda: world.is_at_work(lines.member), seconds=60, what="a chunk in hand")
        cut = now_ms()
        lines.postgres.set(broken)
        cuts.append((worker_id, cut))
        report.injected += 1
        _others_work_on(world, load, cut)
        mended = _wait_apart(cut)
        # A statement that was under way when the line went may still have come through.
        assert not _steps_of(world, worker_id, cut + 500), "it wrote although it was cut off"
        lines.postgres.set(Mode.OPEN)
        back.append(_seconds_until(world, load, mended, lambda at: _is_back(world, worker_id, at)))
    _check(world, load, report, began, cuts)
    assert (lines.member.pid, _deaths(world)) == (pid, deaths), "it came back by dying"
    report.note = f"works again {max(back):.1f} s after the line is mended; {report.note}"
    assert max(report.recovery) < LEASE_SECONDS + SLACK_SECONDS
    assert max(back) < 15, "it does not notice that the line is mended"


@pytest.mark.parametrize("broken", BREAKS, ids=lambda mode: mode.name.lower())
def test_a_worker_is_cut_off_from_redis(
    apart: Apart, load: Load, sizes: Sizes, report: Report, broken: Mode
) -> None:
    """Worker cut off from Redis."""
    world, lines = apart.world, apart.worker
    report.fault += f": {_told(broken)}"
    began, back = now_ms(), []
    pid, deaths = lines.member.pid, _deaths(world)
    worker_id = world.id_of(lines.member)
    for _ in range(sizes.partitions):
        load.keep_up()
        world.until(lambda: world.is_at_work(lines.member), seconds=60, what="a chunk in hand")
        cut = now_ms()
        lines.redis.set(broken)
        report.injected += 1
        _others_work_on(world, load, cut)
        world.until(
            lambda: not world.is_at_work(lines.member), seconds=60, what="the end of what it had"
        )
        mended = _wait_apart(cut)
        lines.redis.set(Mode.OPEN)
        back.append(_seconds_until(world, load, mended, lambda at: _took(world, worker_id, at)))
    _check(world, load, report, began, [])
    assert (lines.member.pid, _deaths(world)) == (pid, deaths), "it came back by dying"
    expired = [
        step
        for step in history.steps(world.database, began)
        if step.state == ChunkState.EXPIRED and step.worker == worker_id
    ]
    assert not expired, "it still had its database: nothing of its work is to be lost"
    report.note = f"works again {max(back):.1f} s after the line is mended; {report.note}"
    assert max(back) < 40, "it does not notice that the line is mended"


@pytest.mark.parametrize("broken", BREAKS, ids=lambda mode: mode.name.lower())
def test_the_dispatcher_is_cut_off_from_postgres(
    apart: Apart, load: Load, sizes: Sizes, report: Report, broken: Mode
) -> None:
    """Dispatcher cut off from Postgres."""
    report.fault += f": {_told(broken)}"
    _cut_off_the_dispatcher(apart.dispatcher.postgres, broken, load, report, sizes.partitions)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda mode: mode.name.lower())
def test_the_dispatcher_is_cut_off_from_redis(
    apart: Apart, load: Load, sizes: Sizes, report: Report, broken: Mode
) -> None:
    """Dispatcher cut off from Redis."""
    report.fault += f": {_told(broken)}"
    _cut_off_the_dispatcher(apart.dispatcher.redis, broken, load, report, sizes.partitions)


def _cut_off_the_dispatcher(
    proxy: TcpProxy, broken: Mode, load: Load, report: Report, times: int
) -> None:
    if not IS_FULL:
        pytest.skip("the dispatcher's lines are broken in `make faults` only")
    world = load.world
    began, deaths = now_ms(), _deaths(world)
    for _ in range(times):
        load.keep_up()
        asked = now_ms()
        world.until(lambda at=asked: _claimed(world, at), seconds=60, what="a claim")
        cut = now_ms()
        proxy.set(broken)
        report.injected += 1
        mended = _wait_apart(cut)
        proxy.set(Mode.OPEN)
        report.recovery.append(_seconds_until(world, load, mended, lambda at: _claimed(world, at)))
    recovery = report.recovery
    _check(world, load, report, began, [])
    report.recovery = recovery
    assert _deaths(world) == deaths, "it came back by dying"
    assert max(report.recovery) < 30, "it does not notice that the line is mended"


def test_redis_restarts_under_workers_with_threads_free(
    apart: Apart, load: Load, sizes: Sizes, report: Report
) -> None:
    """Redis gone for a second while a worker has a thread free."""
    world, began, deaths = apart.world, now_ms(), _deaths(apart.world)
    for _ in range(sizes.partitions):
        world.until(
            lambda: _kept_up(load, 20) and world.is_at_work(apart.worker.member),
            seconds=60,
            what="a chunk",
        )
        world.restart_redis(1.0)
        report.injected += 1
        load.await_end()
    _check(world, load, report, began, [])
    assert _deaths(world) == deaths, "a worker died of it"


def test_the_answer_to_a_finish_is_lost(
    apart: Apart, load: Load, sizes: Sizes, report: Report
) -> None:
    """Answer to the COMMIT of a finish lost."""
    world, lines = apart.world, apart.worker
    began, lost = now_ms(), lines.postgres.replies_lost
    before = len(lines.member.log.read_text())
    while report.injected < sizes.lost_replies:
        load.keep_up()
        lines.postgres.lose_reply_to(b"COPY instances", b"COMMIT")
        world.until(
            lambda: _kept_up(load) and not lines.postgres.still_to_lose(),
            seconds=60,
            what="a finish of the worker",
        )
        report.injected += 1
    _check(world, load, report, began, [])
    assert lines.postgres.replies_lost > lost
    said = lines.member.log.read_text()[before:]
    assert "cannot finish yet" in said
    # It hears of its own success from the next heartbeat, or when it tries again.
    assert re.search(r"dropped: (the lease of )?chunk", said)


def _told(mode: Mode) -> str:
    return {
        Mode.CUT: "connections reset",
        Mode.BLACK_HOLE: "silence, connections dead for ever",
        Mode.STALL: "silence, then everything arrives",
    }[mode]


def _deaths(world: World) -> int:
    return sum(len(member.own_deaths) for member in world.members)


def _kept_up(load: Load, block: int = 100) -> bool:
    load.keep_up(block=block, blocks=1 if block < 100 else 2)
    return True


def _wait_apart(cut_ms: int) -> int:
    """Until the line was broken for long enough; returns the time then."""
    time.sleep(max(0.0, APART_SECONDS - (now_ms() - cut_ms) / 1000))
    return now_ms()


def _steps_of(world: World, worker_id: object, since_ms: int) -> list[history.Step]:
    """What a worker itself did."""
    return [
        step
        for step in history.steps(world.database, since_ms)
        if step.worker == worker_id and step.state in (ChunkState.RUNNING, ChunkState.DONE)
    ]


def _took(world: World, worker_id: object, since_ms: int) -> int | None:
    steps = _steps_of(world, worker_id, since_ms)
    return next((one.at_ms for one in steps if one.state == ChunkState.RUNNING), None)


def _is_back(world: World, worker_id: object, since_ms: int) -> int | None:
    """When it took a chunk again, once its heart beats too: without that it would lose them all."""
    with world.database.read() as session:
        seen_at = session.scalar(select(WorkerRow.seen_at).where(WorkerRow.id == worker_id)) or 0
    took = _took(world, worker_id, since_ms)
    return max(took, seen_at) if took is not None and seen_at > since_ms else None


def _claimed(world: World, since_ms: int) -> int | None:
    steps = history.steps(world.database, since_ms)
    return next((one.at_ms for one in steps if one.state == ChunkState.QUEUED), None)


def _others_work_on(world: World, load: Load, cut_ms: int) -> None:
    world.until(
        lambda: _kept_up(load) and history.first_end_after(world.database, cut_ms),
        seconds=60,
        what="a result of the others",
    )


def _seconds_until(
    world: World, load: Load, since_ms: int, happened: Callable[[int], int | None]
) -> float:
    world.until(
        lambda: _kept_up(load) and happened(since_ms), seconds=90, what="work behind the break"
    )
    return ((happened(since_ms) or since_ms) - since_ms) / 1000


def _check(
    world: World, load: Load, report: Report, began: int, cuts: list[tuple[object, int]]
) -> None:
    load.await_end()
    jobs = world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    report.recovery = history.until_expired(told, cuts)
    report.note = f"at most {max(job.losses for job in jobs)} losses of a job"
    assert report.failed == 0
    assert {job.attempts for job in jobs} == {0}, "a network's fault was charged to an image"
    with world.database.read() as session:
        assert session.query(ChunkRow).filter_by(state=ChunkState.RUNNING).count() == 0
