"""Who is served when, on a pool of sixteen workers that a batch of any size would fill."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

import pytest
from faults.conftest import built_world
from faults.sizes import IS_FULL, Sizes
from faults.traffic import Sent, Traffic, flowing
from faults.world import Report, World
from sqlalchemy import func, select

from db.models import WorkerRow
from maskpool.domain import Klass, Priority

pytestmark = pytest.mark.alone

#: A chunk aims at so many seconds of its worker.
CHUNK_SECONDS = 2.0
IMAGE_SECONDS = 0.05
CHUNK_IMAGES = CHUNK_SECONDS / IMAGE_SECONDS
WORKERS = {"team": 16, "embedded": 4}
PROCESSES = 2

#: What a machine with other things to do may add to a wait.
SLACK_SECONDS = 1.0


@pytest.fixture(scope="module")
def world(team_unless_full: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Logical workers, in two processes, that lease and beat as in production."""
    workers = WORKERS[team_unless_full]
    told = {
        "SIMULATED_WORKERS": str(workers // PROCESSES),
        "SIMULATED_IMAGE_SECONDS": str(IMAGE_SECONDS),
        "MASKPOOL_LEASE_SECONDS": "30",
        "MASKPOOL_HEARTBEAT_SECONDS": "1",
    }
    folder = tmp_path_factory.mktemp(f"shares-{team_unless_full}")
    with built_world(
        team_unless_full, folder, told=told, worker_count=PROCESSES, worker_script="pool_worker.py"
    ) as one:
        one.start()
        one.until(lambda: _living(one) == workers, seconds=60, what="every logical worker")
        with flowing(one) as first:  # a pool in use: every worker knows its rate
            first.await_end([first.submit("first", 40 * workers)])
        yield one


@pytest.fixture
def traffic(world: World) -> Iterator[Traffic]:
    with flowing(world) as one:
        yield one


@pytest.fixture
def at_full_size_of_team(world: World) -> None:
    """In short, `tests/integration/test_turns.py` and the unit tests say as much."""
    if not IS_FULL or world.profile == "embedded":
        pytest.skip("in `make faults` only, with sixteen workers")


@pytest.fixture
def of_team(world: World) -> None:
    if world.profile == "embedded":
        pytest.skip("sixteen workers are the harder case")


def _living(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(WorkerRow)) or 0


def _get_going(traffic: Traffic, batch: Sent) -> None:
    """Until its open chunks are charged by what its own images took, not by the pool's mean."""
    traffic.after(3 * CHUNK_SECONDS * WORKERS[traffic.world.profile], [batch])


def _check_shares(
    report: Report, got: Sequence[float], weights: Sequence[float], names: Sequence[object]
) -> None:
    """Each within a tenth of its weight; with few chunks to share, one may be anybody's."""
    grain = 0.0 if IS_FULL and report.profile == "team" else CHUNK_SECONDS
    errors = []
    for seconds, weight in zip(got, weights, strict=True):
        wanted = sum(got) * weight / sum(weights)
        errors.append((seconds - wanted) / wanted)
        assert abs(seconds - wanted) <= 0.1 * wanted + grain, (names, got)
    told = ", ".join(f"{name} {error:+.1%}" for name, error in zip(names, errors, strict=True))
    report.injected = round(sum(got) / CHUNK_SECONDS)
    report.note = f"{told} over {sum(got):.0f} GPU-s; times: chunks"


@pytest.mark.usefixtures("at_full_size_or_team")
def test_owners_share_by_weight(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """Owners of weight 1, 2 and 5 with endless work."""
    weights = {"one": 1.0, "two": 2.0, "five": 5.0}
    traffic.weigh(weights)
    sent = [traffic.submit(owner, sizes.endless_jobs) for owner in weights]
    traffic.settle()
    got = traffic.after(sizes.share_seconds * WORKERS[world.profile], sent)
    _check_shares(report, got, list(weights.values()), list(weights))


@pytest.mark.usefixtures("at_full_size_of_team")
def test_an_owners_batches_share_by_priority(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """One owner's low, normal and high batch with endless work."""
    sent = [traffic.submit("chooser", sizes.endless_jobs, priority=one) for one in Priority]
    traffic.settle()
    # A twenty-first of the pool is little: it takes longer to be told from a chunk more or less.
    got = traffic.after(2 * sizes.share_seconds * WORKERS[world.profile], sent)
    _check_shares(report, got, [one.weight for one in Priority], list(Priority))


@pytest.mark.usefixtures("of_team")
def test_a_small_batch_does_not_wait_for_a_large_one(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """100 images behind 100,000, of the same owner or of another."""
    large = traffic.submit("large", sizes.large_jobs)
    _get_going(traffic, large)
    small = []
    for _ in range(sizes.small_batches):
        for owner, priority in (
            ("small", Priority.NORMAL),
            ("large", Priority.NORMAL),
            ("large", Priority.LOW),
        ):
            small.append(traffic.submit(owner, 100, priority=priority))
            traffic.await_start(small[-1])
        traffic.await_end(small)
    starts = [traffic.start_of(one) for one in small]
    overtaken = max(one.overtaken_by for one in starts) / CHUNK_IMAGES
    report.injected = len(small)
    report.recovery = [one.ended for one in starts]
    report.note = (
        f"until the first chunk ended; overtaken by at most {overtaken:.1f} chunks, claimed "
        f"within {max(s.claimed for s in starts):.2f} s, "
        f"taken within {max(s.taken for s in starts):.2f} s"
    )
    assert world.progress(large.batch_id).remaining > 0, "the large batch was not large enough"
    assert overtaken <= 2
    assert max(one.taken for one in starts) <= 2 * CHUNK_SECONDS + SLACK_SECONDS
    # A worker holds two chunks more, at most, and works through what came first.
    own = CHUNK_SECONDS
    assert max(one.ended for one in starts) <= 2 * CHUNK_SECONDS + own + SLACK_SECONDS


@pytest.mark.usefixtures("at_full_size_or_team")
def test_who_waits_is_served_within_a_chunk(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """One image that somebody waits for, beside bulk on every worker."""
    bulk = traffic.submit("bulk", sizes.large_jobs)
    traffic.await_start(bulk)
    asked = []
    for _ in range(sizes.interactive):
        time.sleep(world.rng.uniform(0.0, 0.6))
        asked.append(traffic.submit("guest", 1, Klass.NOW))
    traffic.await_end(asked)
    starts = [traffic.start_of(one) for one in asked]
    report.injected = len(asked)
    report.recovery = [one.ended for one in starts]
    late = statistics.quantiles(report.recovery, n=20)[-1]
    report.note = (
        f"until the result was there, p95 {late:.2f} s, a chunk is {CHUNK_SECONDS:.0f} s; "
        f"taken within {max(one.taken for one in starts):.2f} s"
    )
    assert world.progress(bulk.batch_id).remaining > 0, "bulk ended too soon"
    assert max(report.recovery) <= CHUNK_SECONDS


@pytest.mark.usefixtures("at_full_size_of_team")
def test_the_past_neither_helps_nor_hurts(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """Owners who come back: one was away, one had the pool for long when nobody else asked."""
    traffic.weigh({"rested": 1.0, "steady": 1.0})
    traffic.weigh({"heavy": 1.0}, clock=100_000.0)
    steady = traffic.submit("steady", sizes.endless_jobs)
    _get_going(traffic, steady)
    back = [traffic.submit(owner, sizes.endless_jobs) for owner in ("rested", "heavy")]
    for one in back:
        traffic.await_start(one)
    starts = [traffic.start_of(one) for one in back]
    traffic.settle()
    got = traffic.after(sizes.share_seconds * WORKERS[world.profile], [steady, *back])
    _check_shares(report, got, [1.0] * 3, ["steady", "rested", "heavy"])
    assert max(one.taken for one in starts) <= 2 * CHUNK_SECONDS + SLACK_SECONDS


@pytest.mark.usefixtures("at_full_size_of_team")
def test_a_batch_that_cannot_be_read_keeps_nobody_waiting(
    world: World, traffic: Traffic, sizes: Sizes, report: Report
) -> None:
    """A batch whose images are all missing, beside one that is sound."""
    sound = traffic.submit("sound", sizes.large_jobs)
    traffic.await_start(sound)
    broken = traffic.submit("broken", sizes.endless_jobs, missing=True)
    traffic.settle()
    began = time.monotonic()
    [spent] = traffic.after(sizes.share_seconds / 2 * WORKERS[world.profile], [sound])
    share = spent / (time.monotonic() - began) / WORKERS[world.profile]
    failed = world.progress(broken.batch_id)
    report.injected, report.failed = 1, failed.failed
    report.note = f"the sound one had {share:.0%} of the pool"
    assert failed.failed > 0
    assert failed.remaining > 0, "the broken batch was not large enough"
    assert share > 0.45
