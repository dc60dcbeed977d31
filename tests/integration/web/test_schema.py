"""Every route against made-up requests: no bug, and no answer that is not described."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks
from services.door import Door, open_door
from services.redis_server import RedisServer

from producer.accounts.rights import Right

#: Made-up requests of each route.
_EXAMPLES = 10

HOST, SPECIFICATION = "127.0.0.1:8080", "/api/v1/openapi.json"

#: Whose answer has no end, or whose body schemathesis cannot make up.
BEYOND = {"/login/local", "/api/v1/events", "/api/v1/uploads/{upload_id}/tar"}

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@pytest.fixture(scope="module")
def door(
    new_sqlite: Callable[[Path], str],
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    with open_door(new_sqlite(folder), folder, redis_url=SecretStr(redis_server.url)) as door:
        yield door


def test_every_answer_is_described(door: Door) -> None:
    headers = {"host": HOST, **door.token("admin", *Right)}
    app = door.client.app
    api = schemathesis.openapi.from_asgi(SPECIFICATION, app, headers={"host": HOST})
    wrong = []
    for found in api.get_all_operations():
        operation = found.ok()
        if operation.path in BEYOND:
            continue

        @given(case=operation.as_strategy())
        @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            ask()
        except (FailureGroup, Exception) as error:  # noqa: BLE001 - all of them are told together
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)
