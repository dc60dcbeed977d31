"""An error of ours as a code and parameters, by which a page says it in its reader's language.

Answers of the web server and rows of failed tasks carry the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maskpool.errors import (
    Conflict,
    CorruptObject,
    ImageError,
    MaskpoolError,
    NotFound,
    Option,
    Permanent,
    SourceError,
    SpecError,
    TooMany,
    Unreachable,
)
from maskpool.failure_kinds import kind_of
from maskpool.glossary import GlossaryError
from maskpool.glossary.table import FileError
from maskpool.glossary.words import WordError
from maskpool.text import readable
from producer.accounts.refusals import Refused

#: Errors that say no more than their sentence; the first that fits counts.
_PLAIN: tuple[tuple[type[MaskpoolError], str], ...] = (
    (NotFound, "not_found"),
    (Conflict, "conflict"),
    (Refused, "auth.refused"),
    (TooMany, "too_many"),
    (CorruptObject, "masks.damaged"),
    (Permanent, "refused"),
)

#: Characters of a text among the parameters.
_MAX_TEXT = 500

#: What is an option elsewhere, by the field of a request that says the same.
_FIELDS = {Option.PROMPTS: "spec.prompts", Option.PARTIAL: "partial"}


@dataclass(frozen=True, slots=True)
class Told:
    """What went wrong.

    Attributes:
        code: For programs; never changes: ``service.away``.
        detail: A sentence for people, in English.
        params: What a translation of ``detail`` needs; JSON.
    """

    code: str
    detail: str
    params: dict[str, Any]

    def storable(self) -> Told:
        """The same, fit for a row: whatever a name held, it is text."""
        return Told(self.code, readable(self.detail), _with_texts(self.params, readable))


def told(error: MaskpoolError) -> Told:
    """An error of ours, as programs and pages read it."""
    code, params = _told(error)
    detail = str(error)
    if isinstance(error, Permanent) and error.option in _FIELDS:
        params = {**params, "option": _FIELDS[error.option]}
        detail = f"{detail} ({_FIELDS[error.option]})"
    return Told(code, detail, params)


def _told(error: MaskpoolError) -> tuple[str, dict[str, Any]]:
    if isinstance(error, Permanent) and error.code:
        return error.code, {**_where(error), **bounded(error.params)}
    told_of = _of_words(error) or _of_input(error)
    if told_of is not None:
        return told_of
    for kind, code in _PLAIN:
        if isinstance(error, kind):
            return code, {}
    return "service.away", {"service": error.service if isinstance(error, Unreachable) else ""}


def _where(error: Permanent) -> dict[str, Any]:
    return {"field": error.field, "reason": error.reason} if isinstance(error, SpecError) else {}


def _of_words(error: MaskpoolError) -> tuple[str, dict[str, Any]] | None:
    """Code and parameters of what a glossary refuses."""
    if isinstance(error, GlossaryError):
        return f"glossary.{error.why}", error.params
    if isinstance(error, FileError):
        lines = [asdict(one) for one in error.lines]
        about = {"line": error.line, "lines": lines, "count": error.count}
        return f"glossary_file.{error.why}", about
    if isinstance(error, WordError):
        word = {"field": error.field, "reason": error.reason, "why": error.why}
        return "spec.refused", word
    return None


def _of_input(error: MaskpoolError) -> tuple[str, dict[str, Any]] | None:
    """Code and parameters of a refused spec, source or image."""
    if isinstance(error, SpecError):
        return "spec.refused", {**_where(error), **bounded(error.params)}
    if isinstance(error, SourceError):
        about = {"source": error.source, "line": error.line, "count": error.count}
        return "source.refused", about
    if isinstance(error, ImageError):
        return "picture.failed", {"kind": str(kind_of(str(error)))}
    return None


def bounded(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of which no text is longer than a page shows: a line of a file may be any size."""
    return _with_texts(
        params, lambda text: text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
    )


def _with_texts(params: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """JSON with each text in it changed, but for names."""

    def changed(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, str):
            return change(value)
        if isinstance(value, Mapping):
            return {name: changed(one) for name, one in value.items()}
        return [*map(changed, value)] if isinstance(value, list | tuple) else value

    return {name: changed(value) for name, value in params.items()}
