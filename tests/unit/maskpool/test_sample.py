"""Samples: drawn by lot, the same again for the same seed, and each image as likely as another."""

from __future__ import annotations

import random

import pytest

from maskpool.sample import Sample, draw, read_sample

NAMES = [f"{n:04}.jpg" for n in range(500)]


def drawn(sample: Sample, names: list[str]) -> list[str]:
    found, count = draw(sample, iter(names), str)
    assert count == len(names)
    return found


def test_a_sample_has_so_many_in_the_order_of_the_source() -> None:
    found = drawn(Sample(40), NAMES)
    assert len(found) == len(set(found)) == 40
    assert found == sorted(found)


def test_the_same_seed_draws_the_same_whatever_the_order() -> None:
    mixed = random.Random(1).sample(NAMES, len(NAMES))
    assert sorted(drawn(Sample(40, 3), mixed)) == drawn(Sample(40, 3), NAMES)
    assert drawn(Sample(40, 4), NAMES) != drawn(Sample(40, 3), NAMES)


def test_a_source_that_grew_a_little_gives_nearly_the_same() -> None:
    before, now = drawn(Sample(40), NAMES[:-10]), drawn(Sample(40), NAMES)
    assert len(set(before) & set(now)) >= 36


@pytest.mark.parametrize("count", [0, 1, 39, 40])
def test_a_small_source_is_taken_whole(count: int) -> None:
    assert drawn(Sample(40), NAMES[:count]) == NAMES[:count]


def test_each_image_is_as_likely_as_another() -> None:
    times = dict.fromkeys(NAMES[:50], 0)
    for seed in range(1_000):
        for name in drawn(Sample(10, seed), NAMES[:50]):
            times[name] += 1
    # 200 each are expected, with a deviation of 13.
    assert all(130 < count < 270 for count in times.values())


def test_a_name_twice_is_drawn_twice_so_that_it_can_be_refused() -> None:
    assert drawn(Sample(2), ["a", "a"]) == ["a", "a"]


def test_what_is_stored_is_read_again() -> None:
    sample = Sample(200, 7).drawn_from(12_000)
    assert read_sample(sample.dump()) == sample
    assert read_sample(None) is None
