"""One's own tokens, by which scripts come in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.orm import Session

from producer.accounts import tokens
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.authentication import Who
from web.idempotency import Answer, Idempotent, Seal
from web.router import Router
from web.shapes import Asked, Shown, moment, moment_or_none

router = Router(prefix="/api/v1/tokens", tags=["session"])

_MOMENT = datetime.fromisoformat("2026-11-28T14:00:00Z")


class AskedToken(Asked):
    """A token that is to be made."""

    name: str = Field(max_length=100, examples=["nightly upload"])
    rights: list[Annotated[Right, Field(strict=False)]] = Field(
        min_length=1,
        description="What it may do, as far as you may.",
        examples=[["read", "submit"]],
    )
    days: int | None = Field(
        default=90, ge=1, le=3_650, description="After which it ends; null: never.", examples=[90]
    )


class Token(Shown):
    """One token, without its text."""

    id: UUID = Field(examples=["01a1fcdc-b907-771a-84fd-d7ac484311e2"])
    name: str = Field(examples=["nightly upload"])
    prefix: str = Field(description="Its first characters.", examples=["mp_1f0c9a77"])
    rights: list[str] = Field(examples=[["read", "submit"]])
    created_at: datetime = Field(examples=[_MOMENT])
    expires_at: datetime | None = Field(examples=[_MOMENT])
    used_at: datetime | None = Field(description="To a minute.", examples=[_MOMENT])
    revoked_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, row: tokens.Token, **more: str | None) -> Self:
        """As the row has it."""
        return cls(
            id=row.id,
            name=row.name,
            prefix=row.prefix,
            rights=row.scopes.split(),
            created_at=moment(row.created_at),
            expires_at=moment_or_none(row.expires_at),
            used_at=moment_or_none(row.used_at),
            revoked_at=moment_or_none(row.revoked_at),
            **more,
        )


class MadeToken(Token):
    """A token that was just made."""

    token: str | None = Field(
        description="Its text, which is shown this once: null where the same request comes again.",
        examples=["mp_1f0c9a77_kYo0nqK2c1hTn1mI8mUu5m8yq7m5Xr3mE0Q2b5tH4jA"],
    )


@router.get("")
def list_tokens(pool: Pooled, caller: Annotated[Caller, needs(Right.ACCOUNT)]) -> list[Token]:
    """List one's tokens, the latest first; also those that are over."""
    return [Token.of(one) for one in tokens.listing(pool, caller.user_id)]


@router.post("", status_code=201, response_model=MadeToken)
def make_token(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.ACCOUNT)],
    asked: AskedToken,
    once: Idempotent,
) -> JSONResponse:
    """Make a token; only a browser that is logged in may."""

    def work(seal: Seal) -> Answer:
        def also(session: Session, token: tokens.Token) -> None:
            seal(session, Answer(201, MadeToken.of(token, token=None)))

        made = tokens.create(
            pool, caller, asked.name, rights=asked.rights, days=asked.days, also=also
        )
        shown = MadeToken.of(made.token, token=made.text)
        return Answer(201, shown, kept=MadeToken.of(made.token, token=None))

    return once.run(pool, caller, work)


@router.delete("/{token_id}", status_code=204)
def revoke_token(
    pool: Pooled, caller: Annotated[Caller, needs(Right.ACCOUNT)], token_id: UUID, who: Who
) -> None:
    """Revoke one of one's tokens: it counts no more, for ever."""
    tokens.revoke(pool, Actor.of(caller), caller.user_id, token_id)
    who.forget()
