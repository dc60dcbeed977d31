"""Rows of a batch page by page, each page in a short transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from db.session import Database


class _InOrder(Protocol):
    """A row of a job."""

    @property
    def seq(self) -> int: ...


Row = TypeVar("Row", bound=_InOrder)


def pages(
    database: Database, read: Callable[[Session, int], Sequence[Row]]
) -> Iterator[Sequence[Row]]:
    """Every page that has rows, by ``seq``.

    Args:
        database: The pool's database.
        read: Reads the rows after a ``seq``, at most a page of them.
    """
    after = -1
    while True:
        with database.read() as session:
            page = read(session, after)
        if not page:
            return
        yield page
        after = page[-1].seq
