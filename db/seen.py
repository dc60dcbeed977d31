"""Batches as somebody may see them: their own, their teams', or all; never scratch ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from db import trash
from db.clock import now_ms
from db.lookup import meant, progress_columns, read_progress
from db.models import BatchRow, UserRow
from maskpool.domain import BatchState, Klass, Progress

#: Batches that go on at once and are told; more than a page could show.
_MAX_LIVE = 1_000


#: What is deleted, or holds single images of a day, is seen by nobody.
_THERE = and_(BatchRow.deleted_at.is_(None), ~BatchRow.scratch)


@dataclass(frozen=True, slots=True)
class Sees:
    """Whose batches somebody sees.

    Attributes:
        user_id: Their own.
        teams: And those of these teams; None: everything there is.
        in_trash: Those in the trash, and no others.
    """

    user_id: int
    teams: frozenset[UUID] | None
    in_trash: bool = False

    def condition(self) -> ColumnElement[bool]:
        """The same in SQL, over ``batches``, with places for ``values``."""
        there = trash.is_there() if self.in_trash else _THERE
        if self.teams is None:
            return there
        own = BatchRow.owner_id == bindparam("seen_by")
        theirs = BatchRow.team_id.in_(bindparam("seen_teams", expanding=True))
        return and_(there, or_(own, theirs) if self.teams else own)

    def values(self) -> dict[str, Any]:
        """What stands at the places of ``condition``."""
        if self.teams is None:
            return {}
        own = {"seen_by": self.user_id}
        return {**own, "seen_teams": list(self.teams)} if self.teams else own

    def kind(self) -> tuple[bool, bool, bool]:
        """Two of one kind have the same condition."""
        return self.teams is None, bool(self.teams), self.in_trash


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """A batch's row, without its question.

    Attributes:
        progress: How far it is.
        owner_id: Whose it is.
        team_id: Whose members see it; None: its owner alone.
        source: As its owner wrote it.
    """

    progress: Progress
    owner_id: int
    team_id: UUID | None
    source: str

    @property
    def batch_id(self) -> UUID:
        """Its id."""
        return self.progress.batch_id


@dataclass(frozen=True, slots=True)
class WholeBatch:
    """A batch's row with its question.

    Attributes:
        seen: The rest of it.
        spec: ``BatchSpec.dump()``.
        reading: ``Reading.dump()``; None where the spec's own settings hold.
    """

    seen: SeenBatch
    spec: dict[str, Any]
    reading: dict[str, Any] | None


class ListOrder(StrEnum):
    """In which order batches are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


class Place(NamedTuple):
    """Where a page of batches begins: behind this one.

    Attributes:
        key: What it is ordered by: milliseconds, or its name.
        batch_id: Its id.
    """

    key: int | str
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class Filter:
    """Which batches are listed.

    Attributes:
        states: In one of them; none: in any.
        owner: Name of their owner; empty: of anybody.
        name: What their name contains; empty: anything.
    """

    states: Collection[BatchState] = ()
    owner: str = ""
    name: str = ""

    def condition(self) -> ColumnElement[bool]:
        """The same in SQL, over ``batches`` and ``users``."""
        wanted: list[ColumnElement[bool]] = [true()]
        if self.states:
            wanted.append(BatchRow.state.in_(self.states))
        if self.owner:
            wanted.append(UserRow.name == self.owner)
        if self.name:
            wanted.append(BatchRow.name.contains(self.name, autoescape=True))
        return and_(*wanted)


def find(session: Session, sees: Sees, reference: UUID | str) -> list[SeenBatch]:
    """At most three batches that somebody sees and may mean by an id, a part of it, or a name."""
    if not isinstance(reference, UUID):
        return _read(session, sees.condition(), meant(reference), limit=3, values=sees.values())
    rows = session.execute(_by_id(sees), {"batch": reference, **sees.values()})
    return [_seen(row) for row in rows]


def _by_id(sees: Sees) -> Select[Any, Any]:
    kind = sees.kind()
    if kind not in _BY_ID:
        _BY_ID[kind] = progress_columns().where(sees.condition(), BatchRow.id == bindparam("batch"))
    return _BY_ID[kind]


def page(
    session: Session,
    sees: Sees,
    which: Filter,
    *,
    after: Place | None,
    limit: int,
    order: ListOrder = ListOrder.NEWEST,
) -> list[SeenBatch]:
    """Batches that somebody sees."""
    key = tuple_(BatchRow.name if order is ListOrder.NAME else BatchRow.created_at, BatchRow.id)
    behind: ColumnElement[bool] = true()
    if after is not None:
        behind = key < tuple_(*after) if order is ListOrder.NEWEST else key > tuple_(*after)
    asked = (sees.condition(), which.condition(), behind)
    return _read(session, *asked, limit=limit, order=order, values=sees.values())


def rename(session: Session, batch_id: UUID, name: str) -> None:
    """Call a batch by another name."""
    session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(name=name))


#: One batch by its id, for each kind of ``Sees``: almost every request asks it, and building a
#: statement costs SQLAlchemy more than running it.
_BY_ID: dict[tuple[bool, bool, bool], Select[Any, Any]] = {}

#: By what rows come in each order.
_BY: dict[ListOrder, tuple[Any, ...]] = {
    ListOrder.NEWEST: (BatchRow.created_at.desc(), BatchRow.id.desc()),
    ListOrder.OLDEST: (BatchRow.created_at, BatchRow.id),
    ListOrder.NAME: (BatchRow.name, BatchRow.id),
}


def _read(
    session: Session,
    *which: ColumnElement[bool],
    limit: int,
    order: ListOrder = ListOrder.NEWEST,
    values: Mapping[str, Any] | None = None,
) -> list[SeenBatch]:
    rows: Sequence[Any] = session.execute(
        progress_columns().where(*which).order_by(*_BY[order]).limit(limit), values
    ).all()
    return [_seen(row) for row in rows]


def _seen(row: Any) -> SeenBatch:  # noqa: ANN401 - a Row of the select above
    batch: BatchRow = row.BatchRow
    return SeenBatch(read_progress(row), batch.owner_id, batch.team_id, batch.source)


def each(session: Session, batch_ids: Collection[UUID]) -> dict[UUID, WholeBatch]:
    """Those of some batches that are there, whosoever they are; scratch ones are not.

    Whoever hands them on asks who may see them.
    """
    rows = session.execute(progress_columns().where(_THERE, BatchRow.id.in_(batch_ids)))
    found = (WholeBatch(_seen(row), row.BatchRow.spec, row.BatchRow.reading) for row in rows)
    return {one.seen.batch_id: one for one in found}


class Queued(NamedTuple):
    """What one owner waits for."""

    owner: str
    klass: Klass
    batches: int
    images: int


def queued(session: Session) -> list[Queued]:
    """Images that wait or are in hand, by owner and class; names no batch, so all may see it."""
    left = BatchRow.total - BatchRow.done - BatchRow.failed
    rows = session.execute(
        select(UserRow.name, BatchRow.klass, func.count(), func.sum(left))
        .join(UserRow, UserRow.id == BatchRow.owner_id)
        .where(BatchRow.state == BatchState.ACTIVE)
        .group_by(UserRow.name, BatchRow.klass)
        .order_by(BatchRow.klass, UserRow.name)
    )
    return [Queued(owner, Klass(klass), count, int(images)) for owner, klass, count, images in rows]


def live(session: Session, *, lately_ms: int) -> list[SeenBatch]:
    """Everybody's batches that go on, newest first; whoever hands them on asks who may see them.

    Args:
        session: Read from.
        lately_ms: For so long, in milliseconds, one that ended is still told: who listens looks
            now and then, and a small batch may begin and end between two looks.
    """
    # In a query of its own, Postgres reads the clock once and can use the index.
    since = select(now_ms() - lately_ms).scalar_subquery()
    going_on = _read(session, _THERE, BatchRow.state.in_(BatchState.live()), limit=_MAX_LIVE)
    ended = _read(session, _THERE, BatchRow.finished_at > since, limit=_MAX_LIVE)
    both = sorted(
        going_on + ended, key=lambda one: (one.progress.created_at_ms, one.batch_id), reverse=True
    )
    return list({one.batch_id: one for one in both}.values())
