"""A list of words as a CSV file: out, and in; all of a file or nothing of it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from maskpool.glossary import Word, table
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
from web.routes.glossary import STALE, fits
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


async def _body(request: Request) -> bytes:
    return await request.body()


def _words(body: Annotated[bytes, Depends(_body)]) -> list[Word]:
    return table.read(table.decoded(body, _SOURCE), _SOURCE)


#: The words of the body, whatever its Content-Type is.
Words = Annotated[list[Word], Depends(_words)]


@router.get("/glossary/csv", response_class=Response, responses=_CSV)
def export_words(pool: Pooled, caller: Annotated[Caller, needs(Right.READ)]) -> Response:
    """Download the pool's own words as CSV, as spreadsheets read it."""
    del caller
    return _file(pool, None)


@router.post("/glossary/csv", response_model=Imported, responses=STALE, openapi_extra=_FILE)
def import_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    words: Words,
    once: Idempotent,
    if_match: Annotated[str | None, Header()] = None,
) -> JSONResponse:
    """Take words of a CSV file into the pool's: all, or none and the refused lines are named."""
    return _import(pool, caller, None, words, once, if_match)


@router.get("/teams/{team_id}/glossary/csv", response_class=Response, responses=_CSV)
def export_team_words(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], team_id: UUID
) -> Response:
    """Download a team's own words as CSV, as spreadsheets read it."""
    return _file(pool, teams.visible(pool, caller, team_id, Right.READ))


@router.post(
    "/teams/{team_id}/glossary/csv",
    response_model=Imported,
    responses=STALE,
    openapi_extra=_FILE,
)
def import_team_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    words: Words,
    once: Idempotent,
    if_match: Annotated[str | None, Header()] = None,
) -> JSONResponse:
    """Take words of a CSV file into a team's: all, or none and the refused lines are named."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    return _import(pool, caller, team, words, once, if_match)


def _import(
    pool: Pool,
    caller: Caller,
    team: Team | None,
    words: list[Word],
    once: Once,
    if_match: str | None,
) -> JSONResponse:
    def work(_: object) -> Answer:
        try:
            done = glossary.put(pool, Actor.of(caller), team, words, fits(if_match, team))
        except glossary.Stale as error:
            raise etags.stale(str(error)) from None
        counts = {"words": len(words), "added": done.added, "changed": done.changed}
        return Answer(200, Imported(version=done.version, **counts))

    return once.run(pool, caller, work)


def _file(pool: Pool, team: Team | None) -> Response:
    _, entries = glossary.listing(pool, team)
    # Excel takes a file for UTF-8 only where it begins so.
    content = "\ufeff" + table.write(glossary.words_of(entries))
    name = quote(f"glossary-{team.name if team else 'pool'}.csv", safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content.encode(), media_type="text/csv; charset=utf-8", headers=headers)
