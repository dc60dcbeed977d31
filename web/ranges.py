"""Part of a file that never changes: a download that broke off goes on (RFC 9110, 14)."""

from __future__ import annotations

import re

from web.problems import Problem

_ONE = re.compile(r"bytes=\s*(\d{0,15})-(\d{0,15})\s*")


def wanted(asked: str | None, if_range: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """Which bytes an answer is to have.

    Args:
        asked: The header ``Range``.
        if_range: The header ``If-Range``: a part is wanted of this version only.
        etag: Of the version that is there.
        size: Of the file, bytes.

    Returns:
        The first one, and the one behind the last; None is the whole file, also where several parts
        are asked for at once, or in another unit.

    Raises:
        Problem: 416 where the file has no such bytes.
    """
    found = _ONE.fullmatch(asked.strip()) if asked else None
    if found is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = found.groups()
    if first:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        # A range whose end lies before its start is none (RFC 9110, 14.1.1).
        if last and int(last) < start:
            return None
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return None
    if start >= stop:
        sentence = f"the file has {size:,} bytes, and none from {first or size} on"
        headers = {"Content-Range": f"bytes */{size}"}
        raise Problem(416, "download.range", sentence, headers=headers, size=size)
    return start, stop
