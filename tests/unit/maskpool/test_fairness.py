"""Whose turn it is: windows, shares and starvation, with the virtual times fed back as rows do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskpool.domain import MAX_CHUNK, Klass, Priority, new_id
from maskpool.fairness import Candidate, Claim, Fleet, chunk_size, plan

OneKey = tuple[str, Klass]


def a_batch(**changes: object) -> Candidate:
    values: dict[str, object] = {
        "batch_id": new_id(),
        "owner_id": 1,
        "model": "demo",
        "klass": Klass.BULK,
        "priority": Priority.NORMAL,
        "owner_time": 0.0,
        "owner_weight": 1.0,
        "batch_time": 0.0,
        "next_seq": 0,
        "fresh": 1000,
        "due": 0,
        "seconds_per_image": 0.1,
        **changes,
    }
    return Candidate(**values)


@dataclass
class Simulation:
    """A fleet that works on what is claimed; owners' and batches' clocks advance as in the rows."""

    batches: list[Candidate]
    fleet: Fleet
    open: list[tuple[UUID, int]] = field(default_factory=list)
    given: Counter[UUID] = field(default_factory=Counter)
    owner_times: dict[int, float] = field(default_factory=dict)

    def tick(self) -> list[Claim]:
        by_key = Counter((self._batch(batch_id).model, Klass.BULK) for batch_id, _ in self.open)
        # Model by model one model is enough here: the window is what several batches share.
        claims = plan([b for b in self.batches if b.fresh > 0], {"demo": self.fleet}, by_key)
        for claim in claims:
            self._apply(claim)
        return claims

    def work(self, chunks: int) -> None:
        """The oldest chunks end."""
        del self.open[:chunks]

    def _batch(self, batch_id: UUID) -> Candidate:
        return next(b for b in self.batches if b.batch_id == batch_id)

    def _apply(self, claim: Claim) -> None:
        batch = self._batch(claim.candidate.batch_id)
        images = min(batch.fresh, claim.chunks * claim.size)
        seconds = images * claim.image_seconds
        for start in range(0, images, claim.size):
            self.open.append((batch.batch_id, min(claim.size, images - start)))
        self.given[batch.batch_id] += images
        owner = self.owner_times.get(batch.owner_id, 0.0) + seconds / batch.owner_weight
        self.owner_times[batch.owner_id] = owner
        changed = replace(
            batch,
            fresh=batch.fresh - images,
            batch_time=batch.batch_time + seconds / batch.priority.weight,
        )
        self.batches = [
            replace(
                changed if b.batch_id == batch.batch_id else b,
                owner_time=self.owner_times.get(b.owner_id, 0.0),
            )
            for b in self.batches
        ]


rates = st.none() | st.floats(0.01, 500)
fleets = st.builds(
    lambda workers, threads, rate: Fleet(workers, workers * (threads - 1), rate, rate),
    st.integers(1, 8),
    st.integers(2, 4),
    rates,
)
candidates = st.builds(
    a_batch,
    owner_id=st.integers(1, 3),
    model=st.sampled_from(["demo", "sam3", "idle"]),
    klass=st.sampled_from(Klass),
    priority=st.sampled_from(Priority),
    owner_time=st.floats(0, 1e6),
    owner_weight=st.floats(0.01, 100),
    batch_time=st.floats(0, 1e6),
    fresh=st.integers(0, 5000),
    due=st.integers(1, 50),
    seconds_per_image=st.none() | st.floats(1e-4, 100),
)
keys = st.tuples(st.sampled_from(["demo", "sam3", "idle"]), st.sampled_from(Klass))


@given(
    st.lists(candidates, max_size=12),
    st.dictionaries(st.sampled_from(["demo", "sam3"]), fleets),
    st.dictionaries(keys, st.integers(0, 40)),
)
@settings(deadline=None)
def test_the_window_is_never_exceeded_and_never_left_open(
    batches: list[Candidate], fleets: Mapping[str, Fleet], open_chunks: Mapping[OneKey, int]
) -> None:
    claims = plan(batches, fleets, open_chunks)
    for model, fleet in fleets.items():
        for klass, most in {Klass.NOW: 16 * fleet.workers, Klass.BULK: fleet.bulk_window}.items():
            chosen = [c for c in claims if (c.candidate.model, c.candidate.klass) == (model, klass)]
            room = max(0, most - open_chunks.get((model, klass), 0))
            wanted = sum(
                math.ceil((b.fresh + b.due) / chunk_size(fleet, b.fresh + b.due))
                for b in batches
                if (b.model, b.klass) == (model, klass)
            )
            assert sum(claim.chunks for claim in chosen) == min(room, wanted)
    for claim in claims:
        assert claim.chunks >= 1
        assert 1 <= claim.size <= MAX_CHUNK
        assert (claim.chunks - 1) * claim.size < claim.candidate.fresh + claim.candidate.due
    assert {claim.candidate.model for claim in claims} <= set(fleets)
    assert len({claim.candidate.batch_id for claim in claims}) == len(claims)


def test_a_model_without_workers_gets_nothing() -> None:
    batches = [a_batch(model="sam3"), a_batch(model="sam3", klass=Klass.NOW)]
    assert plan(batches, {"demo": Fleet(1, 2, 4.0, 4.0)}, {}) == []
    assert plan(batches, {}, {}) == []


def test_each_model_has_a_window_of_its_own() -> None:
    batches = [a_batch(model="demo"), a_batch(model="sam3", owner_time=1e9)]
    fleets = {"demo": Fleet(1, 2, 4.0, 4.0), "sam3": Fleet(3, 6, 4.0, 4.0)}
    claims = plan(batches, fleets, {("demo", Klass.BULK): 1})
    assert {c.candidate.model: c.chunks for c in claims} == {"demo": 1, "sam3": 6}


def test_interactive_batches_come_first_and_need_no_window() -> None:
    bulk, now = a_batch(), a_batch(klass=Klass.NOW, owner_time=1e9, fresh=1)
    fleets = {"demo": Fleet(1, 2, 4.0, 4.0)}
    claims = plan([bulk, now], fleets, {})
    assert [claim.candidate for claim in claims] == [now, bulk]
    assert plan([bulk, now], fleets, {("demo", Klass.BULK): 2})[0].candidate == now


def test_a_huge_interactive_batch_does_not_flood_the_broker() -> None:
    huge = a_batch(klass=Klass.NOW, fresh=1_000_000)
    [claim] = plan([huge], {"demo": Fleet(2, 4, 4.0, 4.0)}, {("demo", Klass.NOW): 5})
    assert claim.chunks == 2 * 16 - 5


def shares(weights: list[float], *, ticks: int = 300, workers: int = 4) -> list[float]:
    batches = [
        a_batch(owner_id=n, owner_weight=weight, fresh=10**7) for n, weight in enumerate(weights)
    ]
    simulation = Simulation(batches, Fleet(workers, 2 * workers, 4.0, 4.0))
    for _ in range(ticks):
        simulation.tick()
        simulation.work(workers)
    total = sum(simulation.given.values())
    return [simulation.given[batch.batch_id] / total for batch in batches]


@pytest.mark.parametrize("weights", [[1, 1], [1, 2], [1, 1, 1, 1, 1], [0.5, 1, 4], [10, 1]])
def test_owners_get_their_share(weights: list[float]) -> None:
    for share, weight in zip(shares(weights), weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), rel=0.1)


@given(
    st.lists(st.floats(0.05, 20), min_size=2, max_size=6),
    st.integers(1, 8),
    st.lists(st.floats(0.05, 0.5), min_size=6, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_no_clock_runs_away_whatever_the_weights_and_costs(
    weights: list[float], workers: int, costs: list[float]
) -> None:
    """The lag of one owner behind another is at most what a chunk costs each of them."""
    batches = [
        a_batch(owner_id=n, owner_weight=weight, fresh=10**7, seconds_per_image=cost)
        for n, (weight, cost) in enumerate(zip(weights, costs, strict=False))
    ]
    simulation = Simulation(batches, Fleet(workers, 2 * workers, 4.0, 4.0))
    size = chunk_size(simulation.fleet, 10**7)
    steps = [size * (one.seconds_per_image or 0) / one.owner_weight for one in batches]
    for _ in range(100):
        simulation.tick()
        simulation.work(1)
        times = [simulation.owner_times.get(one.owner_id, 0.0) for one in batches]
        assert max(times) - min(times) <= max(steps) * (1 + 1e-9)


def test_many_batches_buy_no_greater_share() -> None:
    greedy = [a_batch(owner_id=1, fresh=10**6) for _ in range(20)]
    modest = a_batch(owner_id=2, fresh=10**6)
    simulation = Simulation([*greedy, modest], Fleet(2, 4, 4.0, 4.0))
    for _ in range(200):
        simulation.tick()
        simulation.work(2)
    total = sum(simulation.given.values())
    assert simulation.given[modest.batch_id] / total == pytest.approx(0.5, rel=0.1)


def test_priorities_share_as_a_quarter_one_and_four() -> None:
    batches = [a_batch(priority=priority, fresh=10**6) for priority in Priority]
    simulation = Simulation(batches, Fleet(4, 8, 4.0, 4.0))
    for _ in range(300):
        simulation.tick()
        simulation.work(4)
    total = sum(simulation.given.values())
    for batch in batches:
        expected = batch.priority.weight / 5.25
        assert simulation.given[batch.batch_id] / total == pytest.approx(expected, rel=0.1)


def test_priority_is_an_owners_own_affair() -> None:
    high = a_batch(owner_id=1, priority=Priority.HIGH, fresh=10**6)
    low = a_batch(owner_id=2, priority=Priority.LOW, fresh=10**6)
    simulation = Simulation([high, low], Fleet(2, 4, 4.0, 4.0))
    for _ in range(200):
        simulation.tick()
        simulation.work(2)
    assert simulation.given[high.batch_id] == pytest.approx(simulation.given[low.batch_id], rel=0.1)


@pytest.mark.parametrize("same_owner", [True, False])
def test_a_small_batch_behind_a_large_one_starts_within_two_chunks(*, same_owner: bool) -> None:
    large = a_batch(fresh=10**6)
    simulation = Simulation([large], Fleet(1, 2, 4.0, 4.0))
    for _ in range(50):
        simulation.tick()
        simulation.work(1)
    large = simulation.batches[0]
    # What activation gives a newcomer: the least virtual time of those who are active.
    small = a_batch(
        owner_id=large.owner_id if same_owner else 2,
        owner_time=large.owner_time,
        batch_time=large.batch_time,
        fresh=3,
    )
    simulation.owner_times[small.owner_id] = large.owner_time
    simulation.batches.append(small)
    before = simulation.given[large.batch_id]
    for _ in range(10):
        simulation.tick()
        if simulation.given[small.batch_id]:
            break
        simulation.work(1)
    size = chunk_size(simulation.fleet, 10**6)
    assert simulation.given[small.batch_id] == 3
    assert simulation.given[large.batch_id] - before <= 2 * size


@given(st.data(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_nobody_starves(data: st.DataObject, workers: int) -> None:
    batches = data.draw(
        st.lists(
            st.builds(
                a_batch,
                owner_id=st.integers(1, 3),
                priority=st.sampled_from(Priority),
                fresh=st.integers(1, 60),
                seconds_per_image=st.none() | st.floats(0.01, 2),
            ),
            min_size=1,
            max_size=8,
        )
    )
    total = sum(batch.fresh for batch in batches)
    simulation = Simulation(batches, Fleet(workers, 2 * workers, 4.0, 4.0))
    for _ in range(total):
        simulation.tick()
        simulation.work(1)
    assert dict(simulation.given) == {batch.batch_id: batch.fresh for batch in batches}


@given(fleets, st.integers(1, 10**7))
def test_chunks_have_at_least_one_job_and_at_most_the_largest(fleet: Fleet, left: int) -> None:
    size = chunk_size(fleet, left)
    assert 1 <= size <= MAX_CHUNK
    if fleet.images_per_s:
        assert size <= max(1, 2 * fleet.images_per_s), "no more than two seconds of the slowest"


@pytest.mark.parametrize(
    ("rate", "left", "size"),
    [
        (None, 1000, 4),  # nothing is measured
        (0.1, 1000, 1),
        (4.0, 1000, 8),
        (4.0, 8, 4),  # the tail is shared out over the window …
        (1.0, 8, 2),  # … but no chunk is longer than two seconds
        (1000.0, 10**6, 64),
        (1000.0, 40, 20),
    ],
)
def test_chunk_sizes(rate: float | None, left: int, size: int) -> None:
    assert chunk_size(Fleet(1, 2, rate, rate), left) == size


def test_an_image_is_estimated_by_its_batch_then_by_its_pool() -> None:
    fleet = {"demo": Fleet(2, 4, 0.1, 4.0)}  # the mean: one slow worker makes no image dear
    [measured] = plan([a_batch(seconds_per_image=3.0)], fleet, {})
    [unmeasured] = plan([a_batch(seconds_per_image=None)], fleet, {})
    [unknown] = plan([a_batch(seconds_per_image=None)], {"demo": Fleet(1, 2, None, None)}, {})
    seconds = [claim.image_seconds for claim in (measured, unmeasured, unknown)]
    assert seconds == [3.0, 0.25, 0.1]


def test_the_smaller_is_first_where_clocks_are_equal() -> None:
    large, small = a_batch(fresh=10**6), a_batch(fresh=3)
    [claim] = plan([large, small], {"demo": Fleet(1, 2, 4.0, 4.0)}, {("demo", Klass.BULK): 1})
    assert claim.candidate == small


def test_planning_changes_nothing() -> None:
    batches = [a_batch(), a_batch(owner_id=2)]
    fleets, open_chunks = {"demo": Fleet(1, 2, 4.0, 4.0)}, {("demo", Klass.BULK): 0}
    assert plan(batches, fleets, open_chunks) == plan(batches, fleets, open_chunks)
    assert open_chunks == {("demo", Klass.BULK): 0}


@pytest.mark.parametrize(
    ("seconds", "size"), [(None, 1), (0.0, 1), (60.0, 1), (0.5, 4), (0.001, 20)]
)
def test_chunks_of_tiled_images_are_sized_by_their_own_seconds(
    seconds: float | None, size: int
) -> None:
    """The workers' speed counts views, of which an image may have hundreds."""
    fleet = Fleet(workers=1, bulk_window=2, images_per_s=10.0, mean_images_per_s=10.0)
    batch = a_batch(tiled=True, seconds_per_image=seconds)
    [claim] = plan([batch], {"demo": fleet}, {})
    assert claim.size == size
