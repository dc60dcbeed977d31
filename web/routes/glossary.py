"""The words by which Chinese prompts become English ones, and what would be sent for a text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field, StringConstraints

from maskpool.glossary import Glossary, GlossaryError, Kind, Word
from maskpool.glossary.words import SHIPPED_VERSION, shipped_words
from producer import glossary
from producer.accounts import teams
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.glossary import Entry
from web import cursors
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


class Words(Shown):
    """One list of words, or a page of it."""

    version: int = Field(description="Grows with each change of the list.", examples=[3])
    words: list[WordShown]
    next: str | None = Field(description="Hand it back as `after`; null at the end.")


class Version(Shown):
    """The list after a change."""

    version: int = Field(examples=[4])


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


@router.get("/glossary")
def list_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    source: Annotated[
        Literal["pool", "shipped"], Query(description="The pool's own, or maskpool's.")
    ] = "pool",
    after: str | None = None,
    limit: Limit = 200,
) -> Words:
    """List the pool's own words, or those that come with maskpool."""
    del caller
    if source == "shipped":
        shipped = [_shipped(one) for one in shipped_words()]
        return _page(SHIPPED_VERSION, shipped, after, limit)
    version, entries = glossary.listing(pool, None)
    return _page(version, [_shown(one) for one in entries], after, limit)


@router.put("/glossary/{word}")
def put_word(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], word: str, asked: AskedWord
) -> Version:
    """Add a word for the whole pool, or give it other English."""
    new = Word.checked(word, asked.kind, asked.english)
    return Version(version=glossary.put(pool, Actor.of(caller), None, [new]))


@router.delete("/glossary/{word}")
def remove_word(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    word: str,
    kind: OfKind = Kind.NOUN,
) -> Version:
    """Take a word of the pool's out; a shipped one counts again."""
    return Version(version=glossary.remove(pool, Actor.of(caller), None, word, kind))


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


@router.get("/teams/{team_id}/glossary")
def list_team_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    team_id: UUID,
    after: str | None = None,
    limit: Limit = 200,
) -> Words:
    """List a team's own words."""
    team = teams.visible(pool, caller, team_id, Right.READ)
    version, entries = glossary.listing(pool, team)
    return _page(version, [_shown(one) for one in entries], after, limit)


@router.put("/teams/{team_id}/glossary/{word}")
def put_team_word(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    word: str,
    asked: AskedWord,
) -> Version:
    """Add a word for a team, or give it other English."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    new = Word.checked(word, asked.kind, asked.english)
    return Version(version=glossary.put(pool, Actor.of(caller), team, [new]))


@router.delete("/teams/{team_id}/glossary/{word}")
def remove_team_word(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    word: str,
    kind: OfKind = Kind.NOUN,
) -> Version:
    """Take a word of a team's out; the pool's, or the shipped one, counts again."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    return Version(version=glossary.remove(pool, Actor.of(caller), team, word, kind))


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


def _shown(one: Entry) -> WordShown:
    english = one.english or ""
    by, at = one.user_name, moment(one.at)
    return WordShown(word=one.word, kind=Kind(one.kind), english=english, by=by, at=at)


def _shipped(one: Word) -> WordShown:
    return WordShown(word=one.word, kind=one.kind, english=one.english, by="", at=None)
