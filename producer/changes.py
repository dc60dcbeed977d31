"""What changed in a source since its images were written down: new, gone, or at another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.orm import Session

from db import jobs
from db.session import Database
from maskpool.domain import ImageRef
from producer.results.pages import pages
from storage.uris import path_of

#: Jobs read in one short transaction.
_PAGE = 5_000

#: Names that are given as examples of each kind of change.
_MAX_NAMED = 3

#: Part of a reference that must be as it was.
_Part: TypeAlias = Callable[[ImageRef], object]


def changes(
    database: Database,
    batch_id: UUID,
    now: Iterator[ImageRef],
    *,
    count: int | None = None,
    names_only: bool = False,
) -> str:
    """What changed in a source since a batch of it was loaded; empty where nothing did.

    Both are read side by side, in memory that does not grow, up to the first difference.

    Args:
        database: The pool's database.
        batch_id: Loaded from the source, whole or in part.
        now: The source's images.
        count: Compare the first so many only, as the others are not loaded yet.
        names_only: Compare no places: those of images that were uploaded are the copies'.

    Returns:
        For a sentence, e.g. ``2 images are new ('b.jpg', 'c.jpg'), 1 is gone ('a.jpg')``.
    """
    part: _Part = _name if names_only else _whole
    then, now = islice(_loaded(database, batch_id), count), islice(now, count)
    for before, after in zip_longest(then, now):
        if before is None or after is None or part(before) != part(after):
            return _described(_rest(before, then), _rest(after, now), names_only=names_only)
    return ""


def written_since(images: Iterator[ImageRef], since: float) -> list[str]:
    """Names of local images whose files were written, replaced or renamed after a moment.

    Args:
        images: Those that are no local files pass.
        since: Seconds since the epoch.
    """
    return [image.name for image in images if _changed_at(image.uri) > since]


def _changed_at(uri: str) -> float:
    path = path_of(uri)
    try:
        # Not the time of its content: a copy of another picture may bring an old one with it.
        return Path(path).stat().st_ctime if path else 0.0
    except OSError:
        return 0.0  # its job says what is wrong with it


def _name(image: ImageRef) -> object:
    return image.name


def _whole(image: ImageRef) -> object:
    # What each is asked is part of the spec: its digest.
    return image.name, image.uri


def _rest(first: ImageRef | None, others: Iterator[ImageRef]) -> dict[str, str]:
    images = others if first is None else chain([first], others)
    return {image.name: image.uri for image in images}


def _described(then: dict[str, str], now: dict[str, str], *, names_only: bool) -> str:
    kinds = {
        "new": [name for name in now if name not in then],
        "gone": [name for name in then if name not in now],
        "elsewhere": []
        if names_only
        else [name for name, uri in then.items() if now.get(name, uri) != uri],
    }
    found = [counted(kind, names) for kind, names in kinds.items() if names]
    return ", ".join(found) or "its images stand in another order"


def counted(kind: str, names: Sequence[str]) -> str:
    """How many images changed in one way, e.g. ``2 images are new ('b.jpg', 'c.jpg')``."""
    shown = ", ".join(repr(name) for name in names[:_MAX_NAMED])
    more = ", …" if len(names) > _MAX_NAMED else ""
    verb = "image is" if len(names) == 1 else "images are"
    return f"{len(names):,} {verb} {kind} ({shown}{more})"


def _loaded(database: Database, batch_id: UUID) -> Iterator[ImageRef]:
    def page(session: Session, after: int) -> Sequence[jobs.LoadedJob]:
        return jobs.loaded_page(session, batch_id, after=after, limit=_PAGE)

    for job in chain.from_iterable(pages(database, page)):
        yield ImageRef(job.name, job.image_uri)
