"""Data from outside: what it may be, and what is refused as a sentence that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from maskpool.errors import SpecError

#: Refusals that pydantic words for programmers.
_WORDS = {
    "extra_forbidden": "is no field that is known here; is it spelled right?",
    "missing": "is missing",
    "model_type": "is no object with fields",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be an object with fields",
    "model_attributes_type": "must be an object with fields",
}


class Unfit(ValueError):
    """What a check of a field, or of a line, refuses, where pages say it in words of their own.

    Args:
        reason: What is wrong and what to do about it.
        code, params: As of ``maskpool.errors.Permanent``.
    """

    def __init__(
        self, reason: str, code: str = "", params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.params: dict[str, Any] = dict(params or {})


class Strict(BaseModel):
    """Refuses fields that it does not know, and stays as it is once it was checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @classmethod
    def read(cls, data: object) -> Self:
        """Check untrusted data.

        Raises:
            SpecError: Names the first field that is refused.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise spec_error(error) from None


def spec_error(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> SpecError:
    """The first refusal of pydantic's as a sentence of ours; ``prefix`` is where it looked."""
    first = error.errors(include_url=False)[0]
    path = ""
    for part in (*prefix, *first["loc"]):
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    reason = reason_of(first["type"], first["msg"])
    if first["type"] != "value_error":
        reason = f"{reason} (given: {str(first['input'])[:80]!r})"
    code, params = code_of(first)
    return SpecError(path or "spec", reason, code=code, params=params)


def code_of(refusal: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Code and parameters of one of pydantic's refusals; empty where it is not an ``Unfit``."""
    found = refusal.get("ctx", {}).get("error")
    return (found.code, found.params) if isinstance(found, Unfit) else ("", {})


def reason_of(kind: str, message: str) -> str:
    """What pydantic refuses, in words of ours where it has none for people.

    Args:
        kind: Its ``type``.
        message: Its ``msg``.
    """
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    reason = _WORDS.get(kind, message)
    return reason[:1].lower() + reason[1:]
