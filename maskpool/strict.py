"""Data from outside: what it may be, and what is refused as a sentence that names the field."""

from __future__ import annotations

from typing import Self

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
    first = error.errors(include_url=False, include_context=False)[0]
    path = ""
    for part in (*prefix, *first["loc"]):
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    reason = reason_of(first["type"], first["msg"])
    if first["type"] != "value_error":
        reason = f"{reason} (given: {str(first['input'])[:80]!r})"
    return SpecError(path or "spec", reason)


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
