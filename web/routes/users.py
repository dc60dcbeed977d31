"""Users of the pool: for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import JSONResponse
from pydantic import Field

from producer.accounts import users
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.authentication import Who
from web.idempotency import Answer, Idempotent, Seal
from web.router import Router
from web.shapes import Asked, Shown

router = Router(prefix="/api/v1/users", tags=["users"])

#: As far as both databases count.
_Id = Annotated[int, Path(ge=1, le=2**63 - 1)]

_Name = Annotated[str, Field(max_length=200, examples=["ann"])]


class AskedUser(Asked):
    """A user who is to be made."""

    name: _Name
    admin: bool = Field(default=False, examples=[False])


class Heir(Asked):
    """Who takes batches over."""

    to: _Name


class User(Shown):
    """One user."""

    id: int = Field(examples=[7])
    name: str = Field(examples=["ann"])
    admin: bool = Field(examples=[False])
    active: bool = Field(examples=[True])
    has_password: bool = Field(examples=[True])


class Password(Shown):
    """A password that was generated; it is shown this once."""

    name: str = Field(examples=["ann"])
    password: str = Field(examples=["K7Yw0JmQx2d1Vb9T"])


class NewPassword(Shown):
    """A user who was made, and their generated password."""

    name: str = Field(examples=["ann"])
    password: str | None = Field(
        description="Shown this once: null where the same request comes again; reset gives a new "
        "one.",
        examples=["K7Yw0JmQx2d1Vb9T"],
    )


class HandedOver(Shown):
    """How much was handed over."""

    batches: int = Field(examples=[12])


@router.get("")
def list_users(pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)]) -> list[User]:
    """List all users, by name."""
    del caller
    return [
        User(
            id=one.id,
            name=one.name,
            admin=one.admin,
            active=one.active,
            has_password=one.password_hash is not None,
        )
        for one in users.listing(pool)
    ]


@router.post("", status_code=201, response_model=NewPassword)
def create_user(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    asked: AskedUser,
    once: Idempotent,
) -> JSONResponse:
    """Make a user with a generated password."""
    kept = NewPassword(name=asked.name, password=None)

    def work(seal: Seal) -> Answer:
        password = users.create(
            *(pool, Actor.of(caller), asked.name),
            admin=asked.admin,
            also=lambda session: seal(session, Answer(201, kept)),
        )
        return Answer(201, NewPassword(name=asked.name, password=password), kept=kept)

    return once.run(pool, caller, work)


@router.post("/{user_id}/reset")
def reset_password(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], user_id: _Id, who: Who
) -> Password:
    """Give a user a generated password; their sessions end."""
    name = users.name_of(pool, user_id)
    password = users.reset(pool, Actor.of(caller), name)
    who.forget()
    return Password(name=name, password=password)


@router.post("/{user_id}/deactivate", status_code=204)
def deactivate_user(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], user_id: _Id, who: Who
) -> None:
    """Keep a user out; their batches stay."""
    users.deactivate(pool, Actor.of(caller), users.name_of(pool, user_id))
    who.forget()


@router.post("/{user_id}/activate", status_code=204)
def activate_user(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], user_id: _Id
) -> None:
    """Let a user in again."""
    users.activate(pool, Actor.of(caller), users.name_of(pool, user_id))


@router.post("/{user_id}/hand-over")
def hand_over(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], user_id: _Id, asked: Heir
) -> HandedOver:
    """Give all batches and uploads of a user to somebody else."""
    name = users.name_of(pool, user_id)
    return HandedOver(batches=users.hand_over(pool, Actor.of(caller), name, asked.to))
