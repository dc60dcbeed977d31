"""Whether somebody may still listen is asked once for all who show the same."""

from __future__ import annotations

import asyncio

import pytest

from maskpool.errors import Unreachable
from producer.accounts.caller import Caller
from web.problems import Problem
from web.still import Still

ONE = Caller(1, "one")


def test_those_who_show_the_same_ask_once_at_a_time() -> None:
    async def run() -> None:
        still, free, asked = Still(), asyncio.Event(), list[str]()

        def asks(who: str) -> asyncio.Task[Caller | None]:
            async def find() -> Caller:
                asked.append(who)
                await free.wait()
                return ONE

            return asyncio.create_task(still.ask(who, find))

        first, *others = [asks(who) for who in ("a", "a", "a", "b")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        free.set()
        assert await asyncio.gather(*others) == [ONE] * 3
        assert asked == ["a", "b"]
        await asks("a")
        assert asked == ["a", "b", "a"]

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize(
    "refusal", [Unreachable("the database", "away"), Problem(401, "auth.missing", "log in")]
)
def test_whoever_is_refused_is_nobody(refusal: Exception) -> None:
    async def find() -> Caller:
        raise refusal

    async def run() -> list[Caller | None]:
        still = Still()
        return list(await asyncio.gather(still.ask("a", find), still.ask("a", find)))

    assert asyncio.run(run()) == [None, None]
