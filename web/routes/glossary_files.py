"""A list of words as a CSV file: out, looked at, and in; all of a file or nothing of it."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from maskpool.glossary import Kind, Word, table
from producer import glossary
from producer.accounts import teams
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.glossary import Team
from producer.pool import Pool
from web import etags
from web.access import Pooled, needs
from web.idempotency import Answer, Idempotent, Once
from web.router import Router
from web.routes.glossary import STALE, IfMatch, etag_of, fits
from web.shapes import Shown

router = Router(prefix="/api/v1", tags=["glossary"])

#: How the body of an import is named in refusals: who sends it knows which file it is.
_SOURCE = "the file"

_FILE = {
    "requestBody": {
        "required": True,
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}, "description": "Columns word, kind, english."}
}


class Imported(Shown):
    """What an import did."""

    version: int = Field(description="Of the list.", examples=[5])
    words: int = Field(description="In the file.", examples=[120])
    added: int = Field(description="That were not in the list.", examples=[100])
    changed: int = Field(description="That have other English now.", examples=[3])


class PreviewedWord(Shown):
    """A word of the file that would change the list."""

    word: str = Field(examples=["国槐"])
    kind: Kind = Field(examples=[Kind.NOUN])
    before: str | None = Field(
        description="What is sent for it now; null: it is new.", examples=["tree"]
    )
    english: str = Field(description="What would be sent.", examples=["pagoda tree"])


class RefusedLine(Shown):
    """A line of the file that is refused."""

    line: int = Field(examples=[2])
    field: str = Field(description="Of the word; empty where it is about the line.")
    why: str = Field(description="For programs.", examples=["chinese"])
    reason: str = Field(description="For people.")


class Previewed(Shown):
    """What an import would do. Where a line is refused, it would do nothing."""

    version: int = Field(description="Of the list, which stays as it is.", examples=[4])
    words: int = Field(description="In lines that are not refused.", examples=[120])
    added: int = Field(description="That are not in the list.", examples=[100])
    changed: int = Field(description="That would have other English.", examples=[3])
    same: int = Field(description="That are in the list already.", examples=[17])
    refused: int = Field(description="Lines.", examples=[0])
    first: list[PreviewedWord] = Field(
        description="The first hundred that would change the list; those with other English first."
    )
    lines: list[RefusedLine] = Field(description="The first hundred that are refused.")


async def _body(request: Request) -> bytes:
    return await request.body()


#: The file, whatever its Content-Type is.
File = Annotated[bytes, Depends(_body)]

DryRun = Annotated[
    bool, Query(description="Say what would become of the list, and of which lines; write nothing.")
]


@router.get("/glossary/csv", response_class=Response, responses=_CSV)
def export_words(pool: Pooled, caller: Annotated[Caller, needs(Right.READ)]) -> Response:
    """Download the pool's own words as CSV, as spreadsheets read it."""
    del caller
    return _file(pool, None)


@router.post(
    "/glossary/csv", response_model=Imported | Previewed, responses=STALE, openapi_extra=_FILE
)
def import_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    file: File,
    once: Idempotent,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> JSONResponse:
    """Take words of a CSV file into the pool's: all, or none and the refused lines are named."""
    if dry_run:
        return _preview(pool, None, file, if_match)
    return _import(pool, caller, None, file, once, if_match)


@router.get("/teams/{team_id}/glossary/csv", response_class=Response, responses=_CSV)
def export_team_words(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], team_id: UUID
) -> Response:
    """Download a team's own words as CSV, as spreadsheets read it."""
    return _file(pool, teams.visible(pool, caller, team_id, Right.READ))


@router.post(
    "/teams/{team_id}/glossary/csv",
    response_model=Imported | Previewed,
    responses=STALE,
    openapi_extra=_FILE,
)
def import_team_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    file: File,
    once: Idempotent,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> JSONResponse:
    """Take words of a CSV file into a team's: all, or none and the refused lines are named."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    if dry_run:
        return _preview(pool, team, file, if_match)
    return _import(pool, caller, team, file, once, if_match)


def _import(
    pool: Pool,
    caller: Caller,
    team: Team | None,
    file: bytes,
    once: Once,
    if_match: str | None,
) -> JSONResponse:
    words = table.read(table.decoded(file, _SOURCE), _SOURCE)

    def work(_: object) -> Answer:
        try:
            done = glossary.put(pool, Actor.of(caller), team, words, fits(if_match, team))
        except glossary.Stale as error:
            raise etags.stale(str(error)) from None
        counts = {"words": len(words), "added": done.added, "changed": done.changed}
        return Answer(200, Imported(version=done.version, **counts))

    answer = once.run(pool, caller, work)
    # By which the import is undone only while nobody changed the list after it.
    answer.headers["etag"] = etag_of(team, json.loads(bytes(answer.body))["version"])
    return answer


def _preview(pool: Pool, team: Team | None, file: bytes, if_match: str | None) -> JSONResponse:
    found = table.looked(table.decoded(file, _SOURCE), _SOURCE)
    would = glossary.preview(pool, team, found.words)
    if not fits(if_match, team)(would.version):
        raise etags.stale("the list is not what If-Match names; read it again")
    changed = [_word(one, before.english) for before, one in would.changed]
    added = [_word(one, None) for one in would.added]
    shown = Previewed(
        version=would.version,
        words=len(found.words),
        added=len(would.added),
        changed=len(would.changed),
        same=would.same,
        refused=len(found.refused),
        first=[*changed, *added][: table.MAX_KEPT],
        lines=[_line(one) for one in found.refused[: table.MAX_KEPT]],
    )
    headers = {"etag": etag_of(team, would.version)}
    return JSONResponse(shown.model_dump(mode="json"), headers=headers)


def _word(one: Word, before: str | None) -> PreviewedWord:
    return PreviewedWord(word=one.word, kind=one.kind, before=before, english=one.english)


def _line(one: table.RefusedLine) -> RefusedLine:
    return RefusedLine(line=one.line, field=one.field, why=one.why, reason=one.reason)


def _file(pool: Pool, team: Team | None) -> Response:
    _, entries = glossary.listing(pool, team)
    # Excel takes a file for UTF-8 only where it begins so.
    content = "\ufeff" + table.write(glossary.words_of(entries))
    name = quote(f"glossary-{team.name if team else 'pool'}.csv", safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content.encode(), media_type="text/csv; charset=utf-8", headers=headers)
