"""Data from outside: what it may be, and what is refused as a sentence that names the field."""

from __future__ import annotations

import re
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


#: What is wrong with a field, by pydantic's name of it: ours, and what of its context is a bound.
#: https://docs.pydantic.dev/latest/errors/validation_errors/
KINDS: dict[str, tuple[str, str]] = {
    "missing": ("missing", ""),
    "extra_forbidden": ("unknown", ""),
    "model_type": ("object", ""),
    "model_attributes_type": ("object", ""),
    "dict_type": ("object", ""),
    "list_type": ("list", ""),
    "tuple_type": ("list", ""),
    "string_type": ("text", ""),
    "string_too_short": ("short", "min_length"),
    "string_too_long": ("long", "max_length"),
    "string_pattern_mismatch": ("pattern", ""),
    "too_short": ("few", "min_length"),
    "too_long": ("many", "max_length"),
    "int_type": ("whole", ""),
    "int_parsing": ("whole", ""),
    "int_from_float": ("whole", ""),
    "float_type": ("number", ""),
    "float_parsing": ("number", ""),
    "finite_number": ("number", ""),
    "bool_type": ("switch", ""),
    "bool_parsing": ("switch", ""),
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("most", "le"),
    "literal_error": ("choice", ""),
    "enum": ("choice", ""),
    "uuid_type": ("id", ""),
    "uuid_parsing": ("id", ""),
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
    code, params = code_of(first)
    if first["type"] != "value_error":
        given = repr(str(first["input"])[:80])
        reason, params = f"{reason} (given: {given})", {**params, "given": given}
    return SpecError(path or "spec", reason, code=code, params=params)


def code_of(refusal: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Code and parameters of one of pydantic's refusals.

    An ``Unfit`` has its own. For what pydantic itself checks, the code is empty, and the parameters
    are ``unfit``, a name of ``KINDS``, with the bound as ``count``, the ``pattern``, or the texts
    that are ``expected``.
    """
    context = refusal.get("ctx", {})
    found = context.get("error")
    if isinstance(found, Unfit):
        return found.code, found.params
    name, bound = KINDS.get(refusal["type"], ("", ""))
    if not name:
        return "", {}
    params: dict[str, Any] = {"unfit": name}
    if bound:
        params["count"] = context[bound]
    if name == "pattern":
        params["pattern"] = context["pattern"]
    if name == "choice":
        params["expected"] = re.findall(r"'([^']*)'", context["expected"])
    return "", params


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
