"""Whether those who listen still may: asked once for all who show the same cookie or token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from maskpool.errors import MaskpoolError
from producer.accounts.caller import Caller
from web.problems import Problem


class Still:
    """Questions on their way; whoever has the same one meanwhile waits for its answer.

    Many tabs of one person else ask the rows at the same moment, each by a thread of its own.
    """

    def __init__(self) -> None:
        self._asking: dict[Hashable, asyncio.Task[Caller | None]] = {}

    async def ask(
        self, who: Hashable, find: Callable[[], Awaitable[Caller | None]]
    ) -> Caller | None:
        """The caller; None where nobody is known, or they are refused.

        Args:
            who: What they show; the same for those who are the same.
            find: Asks for one of them.
        """
        task = self._asking.get(who)
        if task is None:
            task = self._asking[who] = asyncio.create_task(_found(find))
            task.add_done_callback(lambda _: self._asking.pop(who))
        # Whoever leaves takes the answer from nobody else.
        return await asyncio.shield(task)


async def _found(find: Callable[[], Awaitable[Caller | None]]) -> Caller | None:
    try:
        return await find()
    except (MaskpoolError, Problem):
        return None
