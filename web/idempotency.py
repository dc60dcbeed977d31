"""``Idempotency-Key``: a request that is sent again does nothing again, and is answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from db import idempotency
from db.idempotency import Known
from maskpool.errors import MaskpoolError
from maskpool.failpoints import reach
from producer.accounts.caller import Caller
from producer.pool import Pool
from web.problems import Problem

#: Characters of a key.
_MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with.

    Attributes:
        status: HTTP status.
        content: A model of ``web.shapes``.
        kept: What the same request is answered with later, where that is not the content: a secret
            is shown once, and never kept.
    """

    status: int
    content: BaseModel
    kept: BaseModel | None = None

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The content as JSON values."""
        return jsonable_encoder(self.content)

    def kept_json(self) -> Any:  # noqa: ANN401 - JSON
        """What is kept, as JSON values."""
        return jsonable_encoder(self.content if self.kept is None else self.kept)


#: Keeps an answer in the transaction of its effect.
Seal = Callable[[Session, Answer], None]


@dataclass(frozen=True, slots=True)
class Once:
    """One request that creates something.

    Attributes:
        key: As its sender chose it; None where they chose none.
        route: Method and path.
        request_hash: SHA-256 of the body, as hex digits.
    """

    key: str | None
    route: str
    request_hash: str

    def run(self, pool: Pool, caller: Caller, work: Callable[[Seal], Answer]) -> JSONResponse:
        """Do something at most once for one key.

        Args:
            pool: Keeps the answers.
            caller: Whose key it is.
            work: Does it. It may keep the answer in its own transaction; else it must do no harm to
                do it twice, as its process may end before the answer is kept.

        Raises:
            Problem: 409 while the same request is in flight, 422 where it was another one.
        """
        if self.key is None:
            answer = work(lambda *_: None)
            return JSONResponse(answer.json(), answer.status)
        known = self._begin(pool, caller, self.key)
        if known is not None:
            return self._again(known)
        reach("request.noted")
        try:
            answer = work(self._sealer(caller, self.key))
            reach("request.worked")
            with pool.database.write() as session:
                self._sealer(caller, self.key)(session, answer)
        except Exception:
            # Where even this fails, the key is free again after a minute.
            with suppress(MaskpoolError), pool.database.write() as session:
                idempotency.forget(session, caller.user_id, self.key)
            raise
        reach("request.kept")
        return JSONResponse(answer.json(), answer.status)

    def _begin(self, pool: Pool, caller: Caller, key: str) -> Known | None:
        with pool.database.write() as session:
            return idempotency.begin(session, caller.user_id, key, self.route, self.request_hash)

    def _again(self, known: Known) -> JSONResponse:
        if (known.route, known.request_hash) != (self.route, self.request_hash):
            raise Problem(
                422,
                "idempotency.body",
                "this Idempotency-Key belongs to another request; choose a new one",
            )
        if known.status is None:
            raise Problem(
                409,
                "idempotency.in_flight",
                "the same request is being worked on; ask again in a moment",
                headers={"Retry-After": "1"},
            )
        return JSONResponse(known.answer, known.status, headers={"idempotency-replayed": "true"})

    @staticmethod
    def _sealer(caller: Caller, key: str) -> Seal:
        def seal(session: Session, answer: Answer) -> None:
            idempotency.finish(session, caller.user_id, key, answer.status, answer.kept_json())
            reach("request.sealed")

        return seal


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=_MAX_KEY,
            description="The same again, with the same body, does nothing again and is answered "
            "alike for a day.",
        ),
    ] = None,
) -> Once:
    body = await request.body()
    route = f"{request.method} {request.url.path}"
    return Once(idempotency_key, route, hashlib.sha256(body).hexdigest())


#: As a parameter of a route.
Idempotent = Annotated[Once, Depends(_once)]
