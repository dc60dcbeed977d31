"""The glossary of a pool: the shipped words, the pool's over them, and a team's over both.

``composed`` is the one place where a Chinese prompt becomes the English that is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from db import glossary as rows
from db.glossary import POOL, Entry
from db.teams import Team
from maskpool.encoder_text import checked_text
from maskpool.errors import Conflict, NotFound, SpecError
from maskpool.glossary import Glossary, Kind, Word, compose, shipped
from maskpool.glossary.chinese import has_chinese
from maskpool.glossary.table import MAX_WORDS
from maskpool.glossary.words import SHIPPED_VERSION
from maskpool.prompts import refuse_contradictions
from maskpool.spec import Prompt
from maskpool.spec_file import Asked, Question
from maskpool.text import counted
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.pool import Pool

__all__ = [
    "Done",
    "Entry",
    "Stale",
    "Team",
    "composed",
    "composed_prompts",
    "composed_question",
    "composed_with",
    "current",
    "listing",
    "of",
    "put",
    "remove",
    "sent",
    "sentences",
    "words_of",
]

#: A prompt with or without what counts of it on reading.
P = TypeVar("P", bound=Prompt)

#: Whether a change is meant for a version of a list.
Fits = Callable[[int], bool]


def _any(_: int) -> bool:
    return True


def current(session: Session, team_id: UUID | None) -> Glossary:
    """The glossary of a team, or of who has none, as it is now."""
    scopes = [POOL] if team_id is None else [POOL, team_id]
    version = rows.versions(session, scopes)
    if not version:
        return shipped()
    # The pool's words first: the team's are laid over them.
    found = sorted(rows.entries(session, scopes), key=lambda one: one.scope != POOL)
    team = version.get(team_id, 0) if team_id else 0
    name = f"{SHIPPED_VERSION}.{version.get(POOL, 0)}.{team}"
    return shipped().overlaid(name, map(_word, found))


def of(pool: Pool, team_id: UUID | None) -> Glossary:
    """As ``current``, in a transaction of its own."""
    with pool.database.read() as session:
        return current(session, team_id)


def composed(pool: Pool, team_id: UUID | None, asked: Asked) -> Asked:
    """A question with its Chinese texts as they are sent; the names stay as they were typed.

    Args:
        pool: Asked for the words only where there is a Chinese text.
        team_id: Whose words count beside the pool's.
        asked: The question.

    Raises:
        GlossaryError: A text has not exactly one reading.
        SpecError: A prompt and its negative are sent as the same.
    """
    return composed_with(lambda: of(pool, team_id), asked)


def composed_with(words: Callable[[], Glossary], asked: Asked) -> Asked:
    """As ``composed``, with words that are at hand; they are taken where there is Chinese."""
    prompts, version = composed_prompts(words, asked.prompts)
    return replace(asked, prompts=prompts, glossary=version) if version else asked


def composed_question(pool: Pool, team_id: UUID | None, question: Question) -> tuple[Question, str]:
    """As ``composed``, for a question as a file writes it; and the glossary's version."""
    prompts, version = composed_prompts(lambda: of(pool, team_id), question.prompts)
    return (question.model_copy(update={"prompts": prompts}) if version else question), version


def composed_prompts(
    words: Callable[[], Glossary], prompts: Sequence[P]
) -> tuple[tuple[P, ...], str]:
    """Prompts as they are sent, and the glossary's version; empty where no text is Chinese."""
    if not any(has_chinese(text) for one in prompts for text in (one.text, *one.negatives)):
        return tuple(prompts), ""
    glossary = words()
    english = (_sent(glossary, one, f"prompts[{index}]") for index, one in enumerate(prompts))
    return tuple(english), glossary.version


def sent(words: Glossary, text: str, field: str = "text") -> str:
    """What is sent for one text; one without Chinese is sent as it is.

    Raises:
        GlossaryError: It has not exactly one reading; names the field.
    """
    return compose(words, text, field).sent if has_chinese(text) else text


def _sent(words: Glossary, prompt: P, field: str) -> P:
    text = sent(words, prompt.text, f"{field}.text")
    negatives = tuple(
        sent(words, one, f"{field}.not[{at}]") for at, one in enumerate(prompt.negatives)
    )
    if (text, negatives) == (prompt.text, prompt.negatives):
        return prompt
    try:
        refuse_contradictions(checked_text(text), negatives)
    except ValueError as error:
        raise SpecError(field, f"{prompt.name!r}, as it is sent, {error}") from None
    composed_some = negatives != prompt.negatives
    typed = prompt.typed or (prompt.negatives if composed_some else ())
    return prompt.model_copy(update={"text": text, "negatives": negatives, "typed": typed})


def sentences(asked: Asked) -> list[str]:
    """What is sent for each prompt of a question that was composed."""
    return [
        f"{one.name} is sent as: {', not '.join((one.text, *one.negatives))}"
        for one in (asked.prompts if asked.glossary else ())
        if one.name != one.text or one.negatives
    ]


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
        keys = {(one.key, str(one.kind)) for one in words}
        total = len(keys | known.keys())
        if total > MAX_WORDS:
            raise Conflict(f"the list would have {total:,} words; {MAX_WORDS:,} are allowed")
        new = [
            Entry(scope, one.key, one.kind.value, one.word, one.english)
            for one in _changed(there, words)
        ]
        _write(session, actor, team, new, version)
    before = tuple(known[at] for one in new if (at := (one.key, one.kind)) in known)
    return Done(version, len(new) - len(before), len(before), before)


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
        _write(session, actor, team, gone, version)
    return Done(version, before=tuple(before))


def _require_fit(fits: Fits, version: int) -> None:
    if not fits(version):
        raise Stale("somebody changed the list since you read it; read it again")


def _write(
    session: Session, actor: Actor, team: Team | None, new: list[Entry], version: int
) -> None:
    if not new:  # somebody else wrote the same meanwhile
        return
    rows.write(session, new, version=version, user_id=actor.user_id, name=actor.name)
    action = "glossary.remove" if new[0].english is None else "glossary.put"
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
