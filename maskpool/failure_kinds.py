"""Kinds of reasons for which images fail, so that many failures become few lines with a remedy.

A failure is stored as its sentence, which may hold sizes and addresses; the kind is read from it.
"""

from __future__ import annotations

import re
from enum import StrEnum


class FailureKind(StrEnum):
    """Why an image has no result."""

    EMPTY = "empty"
    CUT_OFF = "cut_off"
    TOO_LARGE = "too_large"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    WORKER_DIED = "worker_died"
    AWAY = "away"
    LAYOUT = "layout"
    DAMAGED = "damaged"
    NO_IMAGE = "no_image"
    OTHER = "other"


#: The first that is found in a sentence counts: what is large may be damaged as well.
_SIGNS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(sign))
    for kind, sign in (
        (FailureKind.WORKER_DIED, r"^the worker died"),
        (FailureKind.AWAY, r"^gave up after"),
        (FailureKind.EMPTY, r"the file is empty|has no pixels"),
        (FailureKind.CUT_OFF, r"cut off: its end is missing"),
        (
            FailureKind.TOO_LARGE,
            r"MASKPOOL_MAX_|too little memory|takes too long to decode|MASKPOOL_WEB_SECONDS",
        ),
        (FailureKind.GONE, r"there is no (object|image|host|file)|is no file|No such file"),
        (
            FailureKind.FORBIDDEN,
            (
                r"access denied|workers may not read|lies in the pool's own store|NETWORKS"
                r"|is not to be trusted|images are read from"
            ),
        ),
        (FailureKind.NO_IMAGE, r"is no image|is not an image"),
        (
            FailureKind.DAMAGED,
            r"is damaged|header names a TIFF tag twice|more pieces than an image",
        ),
        (FailureKind.LAYOUT, r"not read|save it|camera's raw file|does not tell|does not say"),
    )
)


def kind_of(sentence: str) -> FailureKind:
    """The kind of a failure.

    Args:
        sentence: As it is stored on the job.
    """
    for kind, sign in _SIGNS:
        if sign.search(sentence):
            return kind
    return FailureKind.OTHER
