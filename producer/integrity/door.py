"""Objects of what came through the door, or was made for it, that no row names."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db import integrity
from maskpool.domain import ObjectInfo
from storage.objects import keys


def unnamed_at_the_door(session: Session, listed: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    """Files of uploads that are gone, and of data sets that no task made.

    An upload's row is there before its first file, and a task's row before its first object. What
    a task that has ended does not name in its result was written by a clerk that died or was late.
    """
    return [*_of_no_upload(session, listed), *_of_no_task(session, listed)]


def _of_no_upload(session: Session, listed: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    files = {
        one: owner
        for one in listed
        if one.key.startswith((keys.UPLOADS, keys.PARTS)) and (owner := keys.owner_of(one.key))
    }
    there = integrity.uploads_there(session, set(files.values())) if files else set()
    return [one for one, owner in files.items() if owner not in there]


def _of_no_task(session: Session, listed: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    files = {
        one: owner
        for one in listed
        if one.key.startswith(keys.EXPORTS) and (owner := keys.owner_of(one.key))
    }
    made = integrity.exports_made(session, set(files.values())) if files else {}
    orphans = []
    for one, owner in files.items():
        named = made.get(owner, frozenset())
        if named is not None and one.key not in named:
            orphans.append(one)
    return orphans
