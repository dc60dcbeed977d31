"""Those who listen to events, asked for again: the rows once for all of them, not once for each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Self

from anyio import to_thread
from fastapi import Request

from maskpool.errors import MaskpoolError
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Authenticate

#: Seconds between two askings. What is revoked is to end its streams within 5 s: the second that
#: may pass until a listener is woken comes on top, and the time that the answer takes.
STILL_SECONDS = 3.0

_NEVER = float("-inf")


class Listeners:
    """Who may listen still.

    Args:
        authenticate: Finds out who asks.
    """

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._known: dict[Request, Caller | None] = {}
        #: What is remembered of whoever has just come may be old.
        self._new: set[Request] = set()
        self._asked_at = _NEVER
        self._asking = asyncio.Lock()

    @property
    def until(self) -> float:
        """When the rows are to be asked again, by ``time.monotonic``."""
        return self._asked_at + STILL_SECONDS

    def add(self, request: Request) -> None:
        """Ask for somebody with all others from now on."""
        self._known[request] = None
        self._new.add(request)

    def remove(self, request: Request) -> None:
        """Ask for them no more."""
        self._known.pop(request, None)
        self._new.discard(request)

    async def caller(self, request: Request) -> Caller | None:
        """Who listens by this request, as the rows were at most so long ago; None: nobody may."""
        if self._has_to_ask(request):
            async with self._asking:
                if self._has_to_ask(request):
                    await self._ask()
        return self._known.get(request)

    def _has_to_ask(self, request: Request) -> bool:
        return request in self._new or time.monotonic() >= self.until

    async def _ask(self) -> None:
        began = time.monotonic()
        all_of_them = began >= self.until
        asked = list(self._known if all_of_them else self._new)
        self._new.difference_update(asked)
        try:
            found = await to_thread.run_sync(self._authenticate.again, asked)
        except MaskpoolError:  # nobody can say whether they may, so nobody does
            found = [None] * len(asked)
        if all_of_them:
            self._asked_at = began
        for request, caller in zip(asked, found, strict=True):
            if request in self._known:
                may = caller is not None and caller.has(Right.READ)
                self._known[request] = caller if may else None


@dataclass(frozen=True, slots=True)
class Listening:
    """One of them.

    Attributes:
        among: All of this process.
        request: Theirs.
    """

    among: Listeners
    request: Request

    def __enter__(self) -> Self:
        self.among.add(self.request)
        return self

    def __exit__(self, *_: object) -> None:
        self.among.remove(self.request)

    async def caller(self) -> Caller | None:
        """Who it is; None where nobody may listen any more."""
        return await self.among.caller(self.request)

    @property
    def until(self) -> float:
        """How long that holds, by ``time.monotonic``."""
        return self.among.until
