"""What a chunk costs in turns: no more than the device's time where it served every image."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskpool.fairness import cost

seconds = st.floats(0, 1e4)
sizes = st.integers(1, 64)


@given(sizes, seconds, seconds, seconds)
def test_a_chunk_that_was_done_costs_what_it_took(
    size: int, spent: float, charged: float, held: float
) -> None:
    assert cost(size=size, done=size, spent=spent, charged=charged, held=held) == spent


@given(sizes, seconds, seconds)
def test_a_chunk_without_a_result_costs_its_place(size: int, charged: float, held: float) -> None:
    place = max(charged, min(held, 120.0) / 2)
    assert cost(size=size, done=0, spent=0.0, charged=charged, held=held) == place


def test_an_outage_of_ours_is_not_the_owners_to_pay() -> None:
    """A dispatcher was away for eight hours before it folded what had long been finished."""
    assert cost(size=64, done=0, spent=0.0, charged=2.0, held=8 * 3600.0) == 60.0


@given(st.data(), sizes, seconds, seconds, seconds)
def test_the_fewer_were_served_the_more_it_costs(
    data: st.DataObject, size: int, spent: float, charged: float, held: float
) -> None:
    assume(size > 1)
    done = data.draw(st.integers(1, size))
    more = cost(size=size, done=done, spent=spent, charged=charged, held=held)
    fewer = cost(size=size, done=done - 1, spent=spent, charged=charged, held=held)
    assert spent <= more <= fewer <= max(spent, charged, held / 2)


@pytest.mark.parametrize(
    ("done", "spent", "held", "costs"),
    [
        (40, 2.0, 4.0, 2.0),  # as it should be
        (20, 1.0, 0.5, 2.0),  # half of them cannot be read: the other half's time twice
        (0, 0.0, 0.1, 2.0),  # none can
        (0, 0.0, 120.0, 60.0),  # nor does their place answer
        (0, 2.0, 4.0, 2.0),  # all were looked at, but could not be stored
    ],
)
def test_costs(done: int, spent: float, held: float, costs: float) -> None:
    assert cost(size=40, done=done, spent=spent, charged=2.0, held=held) == pytest.approx(costs)
