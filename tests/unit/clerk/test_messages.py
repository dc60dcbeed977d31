"""The one message of the clerk's list, trusted in nothing."""

from __future__ import annotations

from typing import Any

import pytest

from maskpool import tasks
from maskpool.domain import new_id
from maskpool.errors import Permanent
from maskpool.tasks import TaskKind, TaskMessage


def test_it_comes_back_and_reads_well() -> None:
    message = TaskMessage(new_id(), TaskKind.EXPORT)
    assert tasks.from_kwargs(tasks.to_kwargs(message)) == message.task_id
    assert tasks.describe(message) == f"export task={message.task_id}"


@pytest.mark.parametrize(
    "kwargs", [{}, {"task": "x"}, {"task": None}, {"job": 1}, {"a": 1, "b": 2}]
)
def test_anything_else_is_refused(kwargs: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="dropped"):
        tasks.from_kwargs(kwargs)
