"""Why a task failed, or waits: a sentence, with the code and parameters of its translations."""

from __future__ import annotations

from typing import Any, NamedTuple

from db.models import TaskRow
from maskpool.text import storable


class Why(NamedTuple):
    """Why a task failed, or waits.

    Attributes:
        code: For programs; ``""`` where none was written.
        detail: A sentence for people.
        params: What a translation of it needs; JSON.
    """

    code: str
    detail: str
    params: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """The columns that say so."""
        said = storable(self.detail).replace("\0", "\\x00")
        return {
            "error": said,
            "problem": {"code": self.code, "detail": said, "params": self.params},
        }

    @classmethod
    def of(cls, row: TaskRow) -> Why | None:
        """As a row has it; None where nothing is wrong."""
        if row.error is None:
            return None
        problem = row.problem
        if problem is None or problem["detail"] != row.error:
            return cls("", row.error, {})
        return cls(problem["code"], row.error, problem["params"])


#: What is written where nothing is wrong.
NOTHING: dict[str, Any] = {"error": None, "problem": None}
