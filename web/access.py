"""What every route says of itself: who may call it, and what it works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from anyio import to_thread
from fastapi import Depends, Request

from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool
from web.problems import Problem


class Authenticate(Protocol):
    """Finds out who asks: the caller, or None where nobody is known. Set by ``web.app``."""

    def __call__(self, request: Request) -> Caller | None:
        """Asks the rows; may wait for them."""
        ...

    def remembered(self, request: Request) -> Caller | None:
        """As far as it is known without them; waits for nothing."""
        ...

    def again(self, requests: Sequence[Request]) -> list[Caller | None]:
        """Asks the rows once for who sent each of these; may wait for them."""
        ...


@dataclass(frozen=True, slots=True)
class Needs:
    """A dependency that finds the caller and refuses who has not the right.

    Attributes:
        right: None where the route is open to everybody.
    """

    right: Right | None

    async def __call__(self, request: Request) -> Caller | None:
        """The caller of a request; a thread is taken only where rows must be asked.

        Raises:
            Problem: 401 where nobody is known, 403 where the right reaches nothing for them.
        """
        if self.right is None:
            return None
        authenticate: Authenticate = request.app.state.authenticate
        caller = authenticate.remembered(request)
        if caller is None:
            caller = await to_thread.run_sync(authenticate, request)
        if caller is None:
            sentence = "log in, or send a token that counts as Authorization: Bearer"
            # RFC 9110, 15.5.2: it says how. No browser asks its user for a Bearer.
            how = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "auth.missing", sentence, headers=how)
        if not caller.has(self.right):
            sentence = f"this needs the right {self.right}, which you have not here"
            raise Problem(403, "auth.right", sentence, right=self.right)
        return caller


def needs(right: Right) -> Any:  # noqa: ANN401 - FastAPI's Depends is no type
    """What the parameter ``caller`` of a route is annotated with."""
    return Depends(Needs(right))


def public() -> Any:  # noqa: ANN401 - likewise
    """What a router or route that is open to everybody depends on."""
    return Depends(Needs(None))


def right_of(route: Any) -> Needs | None:  # noqa: ANN401 - an APIRoute
    """What a route says of itself; None where it forgot to: a test looks at each."""
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        if isinstance(dependant.call, Needs):
            return dependant.call
        waiting += dependant.dependencies
    return None


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


#: The open pool, as a parameter of a route.
Pooled = Annotated[Pool, Depends(_pool)]
