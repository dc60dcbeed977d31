"""Lists of words, a team's or the whole pool's: read, changed, and taken back to what they were.

Each change gives its list a new version; what a word was in an earlier one stays in its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from db import glossary as rows
from db.glossary import POOL, Entry
from db.teams import Team
from maskpool.errors import Conflict, NotFound
from maskpool.glossary import Kind, Word
from maskpool.glossary.table import MAX_WORDS
from maskpool.text import counted
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.pool import Pool

#: Whether a change is meant for a version of a list.
Fits = Callable[[int], bool]


def _any(_: int) -> bool:
    return True


def listing(pool: Pool, team: Team | None) -> tuple[int, list[Entry]]:
    """The version of a team's list, or of the pool's, and its words by word and kind."""
    with pool.database.read() as session:
        return _listing(session, team.id if team else POOL)


def _listing(session: Session, scope: UUID) -> tuple[int, list[Entry]]:
    return rows.versions(session, [scope]).get(scope, 0), rows.entries(session, [scope])


class Stale(Conflict):
    """A change was meant for another version of the list."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a change made of a list.

    Attributes:
        version: Of the list.
        added: Words that were not there.
        changed: Words that were written or sent otherwise.
        before: What was written or sent otherwise, or is gone, as it was.
    """

    version: int
    added: int = 0
    changed: int = 0
    before: tuple[Entry, ...] = ()


def put(
    pool: Pool, actor: Actor, team: Team | None, words: Sequence[Word], fits: Fits = _any
) -> Done:
    """Add words to a list, or give them other English; all of them, as one change.

    Args:
        pool: Where the list is.
        actor: Who does it.
        team: Whose list; None: the whole pool's.
        words: What is put in; one that is there already as it is makes no change.
        fits: Whether the change is meant for this version of the list.

    Raises:
        Conflict: The list would be too long.
        Stale: The change is meant for another version.
    """
    scope = team.id if team else POOL
    version, there = listing(pool, team)
    if not _changed(there, words):
        _require_fit(fits, version)
        return Done(version)
    with pool.database.write() as session:
        version = rows.next_version(session, scope)
        _require_fit(fits, version - 1)
        there = rows.entries(session, [scope])
        known = {(one.key, one.kind): one for one in there}
        _require_room(known.keys(), words)
        new = [
            Entry(scope, one.key, one.kind.value, one.word, one.english)
            for one in _changed(there, words)
        ]
        _write(session, actor, team, new, version=version, action="glossary.put")
    before = tuple(known[at] for one in new if (at := (one.key, one.kind)) in known)
    return Done(version, len(new) - len(before), len(before), before)


@dataclass(frozen=True, slots=True)
class Preview:
    """What putting words into a list would make of it.

    Attributes:
        version: Of the list as it is.
        added: Words that are not there.
        changed: Words that would be written or sent otherwise, and what they are now.
        same: Words that are there already as they are.
    """

    version: int
    added: tuple[Word, ...]
    changed: tuple[tuple[Entry, Word], ...]
    same: int


def preview(pool: Pool, team: Team | None, words: Sequence[Word]) -> Preview:
    """What ``put`` would do; nothing is written.

    Raises:
        Conflict: The list would be too long.
    """
    version, there = listing(pool, team)
    known = {(one.key, one.kind): one for one in there}
    _require_room(known.keys(), words)
    new = _changed(there, words)
    pairs = [(known.get((one.key, one.kind.value)), one) for one in new]
    return Preview(
        version,
        added=tuple(word for before, word in pairs if before is None),
        changed=tuple((before, word) for before, word in pairs if before is not None),
        same=len({(one.key, one.kind) for one in words}) - len(new),
    )


def revert(pool: Pool, actor: Actor, team: Team | None, version: int, fits: Fits = _any) -> Done:
    """Make a list what it was at an earlier version, as one more change.

    Args:
        pool: Where the list is.
        actor: Who does it.
        team: Whose list; None: the whole pool's.
        version: What it is to be again; 0 is the empty list.
        fits: Whether the change is meant for this version of the list.

    Raises:
        NotFound: The list never had this version.
        Stale: The change is meant for another version.
    """
    scope = team.id if team else POOL
    with pool.database.write() as session:
        now = rows.next_version(session, scope)
        _require_fit(fits, now - 1)
        if version >= now:
            raise NotFound(f"the list has no version {version:,}; its last is {now - 1:,}")
        there = {(one.key, one.kind): one for one in rows.entries(session, [scope])}
        then = {(one.key, one.kind): one for one in rows.entries(session, [scope], version)}
        back = [one for at, one in then.items() if not _same(there.get(at), one)]
        gone = [replace(one, english=None) for at, one in there.items() if at not in then]
        _write(session, actor, team, [*back, *gone], version=now, action="glossary.revert")
    before = tuple(one for at, one in there.items() if not _same(then.get(at), one))
    added = sum((one.key, one.kind) not in there for one in back)
    return Done(now, added, len(back) - added, before)


def _same(one: Entry | None, other: Entry) -> bool:
    return one is not None and (one.word, one.english) == (other.word, other.english)


def remove(
    pool: Pool, actor: Actor, team: Team | None, word: str, kind: Kind, *, fits: Fits = _any
) -> Done:
    """Take a word out of a list; the shipped one, where there is one, counts again.

    Raises:
        NotFound: The list has no such word.
        Stale: The change is meant for another version of the list.
    """
    scope = team.id if team else POOL
    key = Word(word, kind, "").key
    with pool.database.write() as session:
        version = rows.next_version(session, scope)
        _require_fit(fits, version - 1)
        before = [
            one for one in rows.entries(session, [scope]) if (one.key, one.kind) == (key, kind)
        ]
        if not before:
            whose = f"the glossary of {team.name}" if team else "the pool's glossary"
            raise NotFound(f"{whose} has no {kind.value} {word!r}; shipped words stay")
        gone = [replace(one, english=None) for one in before]
        _write(session, actor, team, gone, version=version, action="glossary.remove")
    return Done(version, before=tuple(before))


def _require_room(there: Iterable[tuple[str, str]], words: Sequence[Word]) -> None:
    total = len({(one.key, one.kind.value) for one in words}.union(there))
    if total > MAX_WORDS:
        raise Conflict(
            f"the list would have {total:,} words; {MAX_WORDS:,} are allowed",
            code="glossary.full",
            params={"total": total, "limit": MAX_WORDS},
        )


def _require_fit(fits: Fits, version: int) -> None:
    if not fits(version):
        raise Stale("somebody changed the list since you read it; read it again")


def _write(
    session: Session,
    actor: Actor,
    team: Team | None,
    new: list[Entry],
    *,
    version: int,
    action: str,
) -> None:
    if not new:  # somebody else wrote the same meanwhile
        return
    rows.write(session, new, version=version, user_id=actor.user_id, name=actor.name)
    what = new[0].word if len(new) == 1 else counted(len(new), "word")
    audit.append(session, actor, action, team.name if team else "", words=what, version=version)


def _changed(there: Sequence[Entry], words: Sequence[Word]) -> list[Word]:
    """Words that are not there as they are; of one that comes twice, the last."""
    known = {(one.key, one.kind): (one.word, one.english) for one in there}
    last = {(one.key, one.kind.value): one for one in words}
    return [one for key, one in last.items() if known.get(key) != (one.word, one.english)]


def _word(entry: Entry) -> Word:
    return Word(entry.word, Kind(entry.kind), entry.english or "")


def words_of(entries: Iterable[Entry]) -> list[Word]:
    """Entries as words."""
    return [_word(one) for one in entries]
