"""Rows of images in a list: what is said of each, and which are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, select, true
from sqlalchemy.orm import Session

from db.instances import admitted, best
from db.models import InstanceRow, JobRow
from maskpool.domain import JobState
from maskpool.reading_rule import ReadingRule


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images are listed.

    Attributes:
        states: In one of these; none: in any.
        prompts: Of interest, by ``prompt_index``; None: all.
        scores: Least and largest score of an instance that counts.
        found: Whether an instance of those prompts and scores counts; None: either.
    """

    states: Sequence[JobState] = ()
    prompts: Sequence[int] | None = None
    scores: tuple[float, float] = (0.0, 1.0)
    found: bool | None = None


class Image(NamedTuple):
    """An image's row.

    Attributes:
        key: What it is ordered by, before ``seq``.
    """

    key: Any
    seq: int
    name: str
    state: JobState
    width: int | None
    height: int | None
    attempts: int
    error: str | None


#: Of an image in a list: its key and ``seq``.
Place: TypeAlias = tuple[Any, int]


def rows(key: ColumnElement[Any]) -> Select[Any]:
    """Images with what they are ordered by, without any condition."""
    return select(
        *(key.label("key"), JobRow.seq, JobRow.name, JobRow.state),
        *(JobRow.width, JobRow.height, JobRow.attempts, JobRow.error),
    )


def fetched(session: Session, query: Select[Any]) -> list[Image]:
    """The images of a query that ``rows`` began."""
    return [Image(*row)._replace(state=JobState(row.state)) for row in session.execute(query)]


def chosen(rule: ReadingRule, choice: Choice) -> ColumnElement[bool]:
    """Whether an image is chosen."""
    states = in_states(choice)
    if choice.found is None:
        return states
    there = (
        select(InstanceRow.ordinal)
        .where(
            InstanceRow.batch_id == JobRow.batch_id,
            InstanceRow.seq == JobRow.seq,
            counts_for(rule, choice),
        )
        .correlate(JobRow)
        .exists()
    )
    return and_(states, there if choice.found else ~there)


def in_states(choice: Choice) -> ColumnElement[bool]:
    """Whether an image is in one of the states."""
    return JobRow.state.in_(choice.states) if choice.states else true()


def counts_for(rule: ReadingRule, choice: Choice) -> ColumnElement[bool]:
    """Whether an instance is one by which its image is chosen, or not."""
    low, high = choice.scores
    return and_(
        of_prompts(choice), InstanceRow.score.between(low, high), admitted(rule), best(rule)
    )


def of_prompts(choice: Choice) -> ColumnElement[bool]:
    """Whether an instance is of a prompt of interest."""
    return true() if choice.prompts is None else InstanceRow.prompt_index.in_(choice.prompts)
