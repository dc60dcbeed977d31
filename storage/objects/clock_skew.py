"""A signature that a store refuses because two clocks differ."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from maskpool.errors import WrongClock

#: S3's error codes for a wrong clock.
_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})

#: Statuses and codes of an answer without a body, such as one to HEAD: it gives no reason.
_NO_REASON = frozenset(
    {(403, ""), (403, "403"), (403, "Forbidden"), (400, ""), (400, "400"), (400, "Bad Request")}
    # What rclone says to a slow clock; S3 itself denies access with 403.
    | {(400, "AccessDenied")}
)

#: Servers allow 15 minutes; a refusal without a reason is blamed on the clock from 10 minutes on.
_SUSPICIOUS_SECONDS = 600.0


def wrong_clock(
    bucket: str, code: str, status: int, headers: Mapping[str, str]
) -> WrongClock | None:
    """The error to raise where a refusal is about clocks, else None.

    Args:
        bucket: The bucket that refused.
        code: S3's error code.
        status: The HTTP status.
        headers: The answer's headers by lower-case name; ``date`` is the store's time.
    """
    ahead = _seconds_ahead(headers.get("date", ""))
    guessed = (status, code) in _NO_REASON and abs(ahead or 0.0) > _SUSPICIOUS_SECONDS
    if code not in _CODES and not guessed:
        return None
    return WrongClock(
        f"the object store s3://{bucket}",
        f"the clock of this machine is {_how_wrong(ahead)}, so it refuses what is signed here "
        f"({code or status}); set the clock, best by NTP",
    )


def _seconds_ahead(date: str) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _how_wrong(ahead: float | None) -> str:
    if ahead is None or abs(ahead) < 60:  # a proxy may have written the date
        return "not the store's"
    return f"{abs(ahead) / 60:,.0f} minutes {'ahead of' if ahead > 0 else 'behind'} the store's"
