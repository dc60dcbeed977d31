"""The reading rule in Python and in SQL are one rule, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.chunks import Done
from db.chunks.records import INSTANCE_COLUMNS, RARE_COLUMNS, instance_values
from db.instances import admitted, contending_pairs, count_by_prompt
from db.models import InstanceRow
from db.session import Database
from maskpool.domain import Found, Instance, new_id
from maskpool.reading_rule import PromptRule, ReadingRule
from maskpool.rle import Rle

#: Rows keep single precision; so does what the pipeline makes.
parts = st.floats(0, 1, width=32)
#: Values from a small set meet each other on the edge of a rule.
edges = st.sampled_from([0.0, 0.25, 0.5, float(np.float32(0.3)), 1.0])
values = parts | edges
areas = st.integers(0, 4)
prompt_rules = st.builds(
    PromptRule, st.none() | values, areas, st.none() | areas, st.none() | st.integers(1, 3)
)
rules = st.builds(
    ReadingRule,
    values,
    st.none() | values,
    values,
    values,
    exclusive=st.booleans(),
    prompts=st.dictionaries(st.integers(0, 2), prompt_rules),
)
box, mask = st.just((0.0, 0.0, 1.0, 1.0)), st.just(Rle((1, 1), "01"))
# The categories of objects follow those of prompts.
found = st.builds(Found, st.integers(0, 2), values, box, mask) | st.builds(
    Found, st.integers(3, 4), values, box, mask, st.just(0)
)
instances = st.builds(
    Instance,
    found,
    areas,
    values,
    st.none() | values,
    against=st.none() | values,
    contended=st.none() | values,
    contender=st.none() | st.integers(-1, 8),
)
several = st.lists(st.lists(instances, max_size=8), min_size=1, max_size=3)
many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    database = Database(database_url)
    with database.write() as session:
        yield session
    database.close()


def write(session: Session, images: list[list[Instance]]) -> None:
    session.execute(delete(InstanceRow))
    ends = [Done(seq, "k", 0, 1, 1, 1, tuple(one)) for seq, one in enumerate(images)]
    columns = (*INSTANCE_COLUMNS, *RARE_COLUMNS)
    rows = [dict(zip(columns, row, strict=True)) for row in instance_values(BATCH, ends, rare=True)]
    if rows:
        session.execute(insert(InstanceRow), rows)


BATCH = new_id()


@many
@given(rule=rules, images=several)
def test_the_rule_admits_the_same_in_python_and_in_sql(
    session: Session, rule: ReadingRule, images: list[list[Instance]]
) -> None:
    write(session, images)

    rows = session.execute(select(InstanceRow.seq, InstanceRow.ordinal).where(admitted(rule)))

    uncounted = {i: replace(own, max_count=None) for i, own in rule.prompts.items()}
    expected = [replace(rule, prompts=uncounted).admitted(one) for one in images]
    numbered = [
        {n for n, instance in enumerate(one) if any(instance is other for other in counting)}
        for one, counting in zip(images, expected, strict=True)
    ]
    assert {tuple(row) for row in rows} == {
        (seq, ordinal) for seq, ordinals in enumerate(numbered) for ordinal in ordinals
    }
    counts = count_by_prompt(session, BATCH, rule)
    best = [one for image in images for one in rule.admitted(image)]
    found = [one.found.prompt_index for one in best]
    assert counts == {prompt: found.count(prompt) for prompt in set(found)}


@many
@given(rule=rules, images=several)
def test_pairs_that_contend_are_counted_where_both_count(
    session: Session, rule: ReadingRule, images: list[list[Instance]]
) -> None:
    write(session, images)
    expected: dict[tuple[int, int], int] = {}
    for one in images:
        for instance in one:
            place = -1 if instance.contender is None else instance.contender
            if not 0 <= place < len(one) or not (rule.admits(instance) and rule.admits(one[place])):
                continue
            low, high = sorted((instance.found.prompt_index, one[place].found.prompt_index))
            expected[low, high] = expected.get((low, high), 0) + 1

    pairs = contending_pairs(session, BATCH, rule)

    assert pairs == expected
    parts = [contending_pairs(session, BATCH, rule, range(n, n + 1)) for n in range(len(images))]
    assert sum(parts, Counter()) == expected


def test_other_batches_do_not_contend(session: Session) -> None:
    found = Found(0, 0.9, (0.0, 0.0, 1.0, 1.0), Rle((1, 1), "01"))
    weak = Instance(found, 1, 0.0, contended=0.7, contender=1)
    write(session, [[weak]])
    end = Done(0, "k", 0, 1, 1, 1, (weak, replace(weak, contender=None)))
    rows = list(instance_values(new_id(), [end], rare=False))
    session.execute(
        insert(InstanceRow), [dict(zip(INSTANCE_COLUMNS, row, strict=True)) for row in rows]
    )
    rule = ReadingRule(exclusive=True)
    assert count_by_prompt(session, BATCH, rule) == {0: 1}
    assert contending_pairs(session, BATCH, rule) == {}
