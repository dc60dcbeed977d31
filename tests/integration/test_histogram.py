"""A histogram and the reading rule say the same at every threshold, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from db import histogram
from db.chunks import Done
from db.chunks.records import INSTANCE_COLUMNS, RARE_COLUMNS, instance_values
from db.models import InstanceRow
from db.session import Database
from maskpool.domain import Found, Instance, new_id
from maskpool.histogram import (
    ANY,
    BARS,
    Bars,
    at_least,
    digest_of,
    digest_of_thresholds,
    hundredth_of,
    is_even,
)
from maskpool.reading_rule import PromptRule, ReadingRule
from maskpool.rle import Rle
from producer import kept_scores

BATCH = new_id()

#: On an edge between two bars, beside it in single precision, and anywhere.
scores = (
    st.integers(5, 100).map(lambda hundredth: hundredth / 100)
    | st.integers(5, 100).map(lambda hundredth: float(np.float32(hundredth / 100)))
    | st.floats(0.0625, 1, width=32)
)
shares = st.none() | st.sampled_from([0.0, 0.4, 0.6, 1.0])
areas = st.integers(0, 4)
prompt_rules = st.builds(
    PromptRule, st.none(), areas, st.none() | st.integers(2, 4), st.none() | st.integers(1, 3)
)
rules = st.builds(
    ReadingRule,
    st.just(0.5),
    st.none() | st.just(0.5),
    max_against=st.sampled_from([0.3, 1.0]),
    exclusive=st.booleans(),
    prompts=st.dictionaries(st.integers(0, 2), prompt_rules),
)
loose = st.tuples(st.integers(0, 2), scores, areas, shares, shares, shares, st.booleans())
objects = st.tuples(st.integers(3, 4), scores, areas)
many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    database = Database(database_url)
    with database.write() as session:
        yield session
    database.close()


@st.composite
def images(draw: st.DrawFn) -> list[Instance]:
    """One image as workers write it: best first within a prompt, contenders are better ones."""
    box, mask = (0.0, 0.0, 1.0, 1.0), Rle((1, 1), "01")
    found = sorted(draw(st.lists(loose, max_size=7)), key=lambda one: (one[0], -np.float32(one[1])))
    instances = []
    for place, (prompt, score, area, overlap, clip, against, contended) in enumerate(found):
        better = [
            other
            for other, rival in enumerate(found)
            if rival[0] != prompt and (-rival[1], other) < (-score, place)
        ]
        rival = draw(st.sampled_from(better)) if contended and better else None
        instances.append(
            Instance(
                Found(prompt, score, box, mask),
                area,
                overlap or 0.0,
                clip,
                against=against,
                contended=None if rival is None else 0.7,
                contender=rival,
            )
        )
    for number, (prompt, score, area) in enumerate(draw(st.lists(objects, max_size=2))):
        instances.append(Instance(Found(prompt, score, box, mask, number), area, 0.0))
    return instances


def write(session: Session, several: list[list[Instance]]) -> list[list[Instance]]:
    """Write rows; returns the instances with the scores that are compared then."""
    single = session.get_bind().dialect.name == "postgresql"
    session.execute(delete(InstanceRow))
    ends = [Done(seq, "k", 0, 1, 1, 1, tuple(one)) for seq, one in enumerate(several)]
    columns = (*INSTANCE_COLUMNS, *RARE_COLUMNS)
    rows = [dict(zip(columns, row, strict=True)) for row in instance_values(BATCH, ends, rare=True)]
    if rows:
        session.execute(insert(InstanceRow), rows)
    return [[_as_kept(one) if single else one for one in image] for image in several]


def _as_kept(instance: Instance) -> Instance:
    score = float(np.float32(instance.found.score))
    return replace(instance, found=replace(instance.found, score=score))


@many
@given(rule=rules, several=st.lists(images(), min_size=1, max_size=4), doubled=st.booleans())
def test_sums_of_bars_are_what_the_rule_admits(
    session: Session, rule: ReadingRule, several: list[list[Instance]], doubled: bool
) -> None:
    kept = write(session, several)
    same = {3: 0} if doubled else {}

    bars = histogram.bars(session, BATCH, rule, same)

    for hundredth in range(BARS):
        at = replace(rule, threshold=hundredth / 100)
        found = [
            [same.get(one.found.prompt_index, one.found.prompt_index) for one in at.admitted(image)]
            for image in kept
        ]
        for prompt in range(5):
            own = bars.get(prompt, Bars())
            assert at_least(own.images, hundredth) == sum(prompt in image for image in found)
            said = at_least(own.instances, hundredth)
            assert said == sum(image.count(prompt) for image in found)
        together = bars.get(ANY, Bars())
        assert at_least(together.images, hundredth) == sum(map(bool, found))
        assert at_least(together.instances, hundredth) == sum(map(len, found))
    every_one = range(len(kept))
    places = np.zeros(len(kept), np.uint32)
    made = kept_scores.make(session, BATCH, rule, every_one, places, same=same)
    assert made.bars == bars
    parts = [histogram.bars(session, BATCH, rule, same, range(n, n + 1)) for n in range(len(kept))]
    added: dict[int, Bars] = {}
    for part in parts:
        for prompt, more in part.items():
            added.setdefault(prompt, Bars()).add_all(more)
    assert added == bars


def test_a_rule_is_told_apart_from_its_thresholds() -> None:
    rule = ReadingRule(0.5, prompts={1: PromptRule(0.7), 2: PromptRule(min_area=4)})
    moved = replace(rule, threshold=0.6, prompts={2: PromptRule(0.1, min_area=4)})
    assert digest_of(rule) == digest_of(moved)
    assert digest_of_thresholds(rule) != digest_of_thresholds(moved)
    assert digest_of(rule) != digest_of(replace(rule, exclusive=True))
    assert digest_of(rule) != digest_of(replace(rule, prompts={}))
    even = replace(rule, prompts={1: PromptRule(0.5), 2: PromptRule(min_area=4)})
    assert (is_even(rule), is_even(even)) == (False, True)
    assert digest_of_thresholds(even) == digest_of_thresholds(replace(rule, prompts={}))


def test_only_hundredths_are_bars() -> None:
    assert [hundredth_of(one / 100) for one in range(BARS)] == list(range(BARS))
    assert hundredth_of(0.333) is None
