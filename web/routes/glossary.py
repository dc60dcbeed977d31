"""The words by which Chinese prompts become English ones, and what would be sent for a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Response
from pydantic import Field, StringConstraints

from maskpool.glossary import Glossary, GlossaryError, Kind, Word
from maskpool.glossary.words import SHIPPED_VERSION, shipped_words
from producer import glossary
from producer.accounts import teams
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.glossary import Done, Entry, Team
from producer.pool import Pool
from web import cursors, etags
from web.access import Pooled, needs
from web.problems import problem_of
from web.router import Router
from web.shapes import Asked, Shown, moment

router = Router(prefix="/api/v1", tags=["glossary"])

_TEXT = "红色汽车"

#: Texts of one question: as many as a batch may have, with their negatives.
_MAX_TEXTS = 256

Id = Annotated[UUID, Field(strict=False)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Limit = Annotated[int, Query(ge=1, le=1_000)]
OfKind = Annotated[Kind, Query(description="What the word is in a phrase.")]
Search = Annotated[
    str,
    Query(max_length=100, description="Part of the word, in any writing, or of its English."),
]
IfMatch = Annotated[str | None, Header()]
IfNoneMatch = Annotated[str | None, Header()]


class AskedWord(Asked):
    """What is to be sent for a word."""

    english: str = Field(max_length=200, examples=["pagoda tree"])
    kind: Literal["noun", "colour", "material"] = Field(default="noun", examples=["noun"])


class WordShown(Shown):
    """One word."""

    word: str = Field(examples=["国槐"])
    kind: Kind = Field(examples=[Kind.NOUN])
    english: str = Field(examples=["pagoda tree"])
    by: str = Field(description="Who wrote it; empty for shipped words.", examples=["ann"])
    at: datetime | None = Field(description="Null for shipped words.")
    overruled: str | None = Field(
        description="What is sent instead, by a list that lies over this one; null: it counts.",
        examples=[None],
    )


class Words(Shown):
    """One list of words, or a page of it."""

    version: int = Field(description="Grows with each change of the list.", examples=[3])
    words: list[WordShown]
    next: str | None = Field(description="Hand it back as `after`; null at the end.")


class Version(Shown):
    """The list after a change."""

    version: int = Field(examples=[4])
    before: str | None = Field(
        default=None,
        description="What was sent for the word before; null: it is new, or nothing changed.",
        examples=["tree"],
    )


class AskedTexts(Asked):
    """Texts that are to become prompts or negatives."""

    texts: list[Text] = Field(max_length=_MAX_TEXTS, examples=[[_TEXT, "戴帽子的人", "bus"]])
    team: Id | None = Field(default=None, description="Whose words count beside the pool's.")


class NotSent(Shown):
    """Why a text would be refused; code and params as in a problem."""

    code: str = Field(examples=["glossary.action"])
    detail: str
    params: dict[str, str]


class SentShown(Shown):
    """What would be sent for one text."""

    text: str = Field(examples=[_TEXT])
    sent: str | None = Field(description="Null where it would be refused.", examples=["red car"])
    refused: NotSent | None


class ComposedShown(Shown):
    """What would be sent, by which words."""

    glossary: str = Field(description="Versions: shipped.pool.team.", examples=["1.3.0"])
    texts: list[SentShown]


#: What the routes answer beside their own.
_SAME: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed."}}
STALE: dict[int | str, dict[str, Any]] = {
    412: {"description": "The list is not what If-Match names."}
}


@router.get("/glossary", responses=_SAME)
def list_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    source: Annotated[
        Literal["pool", "shipped"], Query(description="The pool's own, or maskpool's.")
    ] = "pool",
    team: Annotated[
        UUID | None, Query(description="Whose words overrule them, beside the pool's.")
    ] = None,
    q: Search = "",
    after: str | None = None,
    limit: Limit = 200,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Words:
    """List or search the pool's own words, or those that come with maskpool."""
    if team is not None:
        teams.visible(pool, caller, team, Right.READ)
    over = glossary.of(pool, team)
    version, entries = glossary.listing(pool, None)
    etag = etag_of(None, version)
    if source == "shipped" or team is not None:
        etag = etags.etag_of(["glossary", source, over.version])
    known = etags.unless_known(if_none_match, etag, response)
    if known is not None:
        return known  # type: ignore[return-value]  # sent as it is
    if source == "shipped":
        shipped = [one for one in shipped_words() if one.is_like(q)]
        return _page(SHIPPED_VERSION, [_shipped(one, over) for one in shipped], after, limit)
    return _page(version, _found(entries, q, over), after, limit)


@router.put("/glossary/{word}", responses=STALE)
def put_word(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    word: str,
    asked: AskedWord,
    if_match: IfMatch = None,
) -> Version:
    """Add a word for the whole pool, or give it other English."""
    return _put(pool, caller, None, _checked(word, asked), if_match)


@router.delete("/glossary/{word}", responses=STALE)
def remove_word(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    word: str,
    kind: OfKind = Kind.NOUN,
    if_match: IfMatch = None,
) -> Version:
    """Take a word of the pool's out; a shipped one counts again."""
    return _remove(pool, caller, None, word, kind, if_match)


@router.post("/glossary/compose")
def compose_texts(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], asked: AskedTexts
) -> ComposedShown:
    """Show what would be sent for texts, or why they would be refused; nothing is kept."""
    if asked.team is not None:
        teams.visible(pool, caller, asked.team, Right.READ)
    words = glossary.of(pool, asked.team)
    texts = [_sent(words, text) for text in asked.texts]
    return ComposedShown(glossary=words.version, texts=texts)


@router.get("/teams/{team_id}/glossary", responses=_SAME)
def list_team_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    team_id: UUID,
    q: Search = "",
    after: str | None = None,
    limit: Limit = 200,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Words:
    """List or search a team's own words."""
    team = teams.visible(pool, caller, team_id, Right.READ)
    version, entries = glossary.listing(pool, team)
    known = etags.unless_known(if_none_match, etag_of(team, version), response)
    if known is not None:
        return known  # type: ignore[return-value]  # sent as it is
    return _page(version, _found(entries, q, None), after, limit)


@router.put("/teams/{team_id}/glossary/{word}", responses=STALE)
def put_team_word(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    word: str,
    asked: AskedWord,
    if_match: IfMatch = None,
) -> Version:
    """Add a word for a team, or give it other English."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    return _put(pool, caller, team, _checked(word, asked), if_match)


@router.delete("/teams/{team_id}/glossary/{word}", responses=STALE)
def remove_team_word(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    word: str,
    kind: OfKind = Kind.NOUN,
    if_match: IfMatch = None,
) -> Version:
    """Take a word of a team's out; the pool's, or the shipped one, counts again."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    return _remove(pool, caller, team, word, kind, if_match)


def _sent(words: Glossary, text: str) -> SentShown:
    try:
        return SentShown(text=text, sent=glossary.sent(words, text), refused=None)
    except GlossaryError as error:
        problem = problem_of(error)
        why = NotSent(code=problem.code, detail=problem.detail, params=problem.params)
        return SentShown(text=text, sent=None, refused=why)


def _page(version: int, words: list[WordShown], after: str | None, limit: int) -> Words:
    begin = cursors.read(after, cursors.row_number)[0] if after else 0
    end = begin + limit
    following = cursors.written(end) if end < len(words) else None
    return Words(version=version, words=words[begin:end], next=following)


def etag_of(team: Team | None, version: int) -> str:
    """What stands for a version of a team's list, or of the pool's."""
    return etags.etag_of(["glossary", str(team.id) if team else "pool", version])


def fits(if_match: str | None, team: Team | None) -> Callable[[int], bool]:
    """Whether a change is meant for a version of a list."""
    fit = etags.fits(if_match)
    return lambda version: fit(etag_of(team, version))


def _checked(word: str, asked: AskedWord) -> Word:
    return Word.checked(word, asked.kind, asked.english)


def _put(pool: Pool, caller: Caller, team: Team | None, new: Word, if_match: str | None) -> Version:
    try:
        done = glossary.put(pool, Actor.of(caller), team, [new], fits(if_match, team))
    except glossary.Stale as error:
        raise etags.stale(str(error)) from None
    return _version(done)


def _version(done: Done) -> Version:
    before = done.before[0].english if done.before else None
    return Version(version=done.version, before=before)


def _remove(
    pool: Pool, caller: Caller, team: Team | None, word: str, kind: Kind, if_match: str | None
) -> Version:
    actor = Actor.of(caller)
    try:
        done = glossary.remove(pool, actor, team, word, kind, fits=fits(if_match, team))
    except glossary.Stale as error:
        raise etags.stale(str(error)) from None
    return _version(done)


def _found(entries: Sequence[Entry], q: str, over: Glossary | None) -> list[WordShown]:
    """Entries that a search finds; ``over`` says what counts instead of them."""
    words = zip(entries, glossary.words_of(entries), strict=True)
    return [_shown(one, _overruled(word, over)) for one, word in words if word.is_like(q)]


def _overruled(word: Word, over: Glossary | None) -> str | None:
    counts = over.english[word.kind].get(word.key) if over else None
    return None if counts == word.english else counts


def _shown(one: Entry, overruled: str | None) -> WordShown:
    return WordShown(
        word=one.word,
        kind=Kind(one.kind),
        english=one.english or "",
        by=one.user_name,
        at=moment(one.at),
        overruled=overruled,
    )


def _shipped(one: Word, over: Glossary) -> WordShown:
    about = {"word": one.word, "kind": one.kind, "english": one.english, "by": "", "at": None}
    return WordShown.model_validate({**about, "overruled": _overruled(one, over)})
