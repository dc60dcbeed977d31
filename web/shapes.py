"""What all requests and answers share."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """A request's body: a field that is not known, or of another type, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def moment(milliseconds: int) -> datetime:
    """A moment of a row, which counts milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def moment_or_none(milliseconds: int | None) -> datetime | None:
    """As ``moment``; None stays None."""
    return None if milliseconds is None else moment(milliseconds)
