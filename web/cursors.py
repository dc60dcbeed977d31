"""Where the next page begins, as a text that a client hands back and does not read."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any

from maskpool.text import is_storable
from web.problems import Problem


def written(*place: object) -> str:
    """A cursor for a place, which is plain JSON values."""
    text = json.dumps(place, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(cursor: str, *kinds: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The place that a cursor stands for.

    Args:
        cursor: What ``written`` gave.
        kinds: Of its values; each is called with the value as text or number.

    Raises:
        Problem: It is no cursor of this list.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return tuple(kind(value) for kind, value in zip(kinds, json.loads(text), strict=True))
    except (ValueError, TypeError, OverflowError, AttributeError, binascii.Error):
        raise Problem(
            422, "cursor", "after: this is no cursor of this list; hand back `next` as it came"
        ) from None


def row_number(value: Any) -> int:  # noqa: ANN401 - whatever a cursor holds
    """A value as ``seq`` of a row.

    Raises:
        ValueError: No row has it.
    """
    number = int(value)
    if not 0 <= number < 2**31:
        raise ValueError(value)
    return number


def row_time(value: Any) -> int:  # noqa: ANN401 - likewise
    """A value as milliseconds of a row.

    Raises:
        ValueError: No row has it.
    """
    number = int(value)
    if not 0 <= number < 2**62:
        raise ValueError(value)
    return number


def row_text(value: Any) -> str:  # noqa: ANN401 - likewise
    """A value as a text of a row.

    Raises:
        ValueError: No row can hold it.
    """
    if not isinstance(value, str) or "\0" in value or not is_storable(value):
        raise ValueError(value)
    return value


def number(value: Any) -> float:  # noqa: ANN401 - likewise
    """A value as a finite number.

    Raises:
        ValueError: It is none.
    """
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(value)
    return found
