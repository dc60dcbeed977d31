"""The images of a batch: listed by what was found in them, and one with its masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import histogram, images, jobs
from db.image_rows import Choice, Image
from db.images import Order
from db.models import JobRow
from maskpool.domain import JobState
from maskpool.errors import NotFound, SpecError
from maskpool.packed_mask import Rle
from maskpool.reasons import Reason, reasons
from maskpool.tiling.record import Tiled
from producer import listing
from producer.listing_asked import Asked
from producer.pool import Pool
from producer.results import reader
from producer.results.explained import Explained, explain
from producer.results.reader import BatchView
from producer.results.records import LabelledInstance, Origin
from producer.results.single import record_of
from producer.totals import Total
from storage.objects.masks import MaskRecord

if TYPE_CHECKING:  # which makes masks finer of what is here
    from producer.outlines import Finer

#: States as people ask for them; an image that comes back waits as well.
_STATES = {
    "waiting": (JobState.WAITING, JobState.RETRY),
    "done": (JobState.DONE,),
    "failed": (JobState.FAILED,),
    "cancelled": (JobState.CANCELLED,),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images are listed, and how.

    Attributes:
        state: ``waiting``, ``done``, ``failed`` or ``cancelled``; empty: any.
        prompt: Name of a category; empty: any.
        scores: Least and largest score of an instance that counts.
        found: Whether such an instance counts; None: either.
        order: Of the list.
        seed: Of the random order.
    """

    state: str = ""
    prompt: str = ""
    scores: tuple[float, float] = (0.0, 1.0)
    found: bool | None = None
    order: Order = Order.SEQ
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image, and how many instances of each category count in it."""

    image: Image
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ListedImages:
    """One page of images.

    Attributes:
        images: As wanted.
        total: On the first page, how many there are on all pages; None on later ones.
    """

    images: Sequence[ListedImage]
    total: Total | None


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance, and its place among all that are stored of its image.

    Attributes:
        ordinal: Its place.
        labelled: What it is, under its category.
        counts: Whether it counts as its batch is read now.
    """

    ordinal: int
    labelled: LabelledInstance
    counts: bool = True


@dataclass(frozen=True, slots=True)
class FoundImage:
    """The rows of one image.

    Attributes:
        job: Its own.
        view: How its batch is read; None while there is nothing to read.
    """

    job: JobRow
    view: BatchView | None


@dataclass(frozen=True, slots=True)
class OneImage:
    """One image.

    Attributes:
        job: Its row.
        instances: What counts, or all that is stored; empty while it is not done.
        explained: Each prompt of its batch; empty while it is not done.
        tiled: How it was looked at; None while it is not done, and where no tiles were asked for.
        origin: Where its masks are from; None while it is not done.
        finer: What became of its masks where they were made finer.
    """

    job: JobRow
    instances: Sequence[StoredInstance]
    explained: Sequence[Explained] = ()
    tiled: Tiled | None = None
    origin: Origin | None = None
    finer: Finer | None = None

    @property
    def state(self) -> str:
        """Its state as people ask for it."""
        return state_word(JobState(self.job.state))


def state_word(state: JobState) -> str:
    """A state as people ask for it."""
    return next(word for word, states in _STATES.items() if state in states)


def page(
    pool: Pool,
    batch_id: UUID,
    wanted: Wanted,
    *,
    after: tuple[Any, int] | None = None,
    skip: int = 0,
    limit: int = 100,
) -> ListedImages:
    """One page of a batch's images.

    Args:
        pool: Where they are.
        batch_id: Whose.
        wanted: Which, in which order.
        after: Order's key and ``seq`` of the image before the page; None at the beginning.
        skip: Pass over so many behind it.
        limit: At most so many.

    Raises:
        NotFound: There is no such batch.
        SpecError: The batch has no such prompt.
    """
    view = reader.view(pool.database, batch_id)
    choice = Choice(
        states=_STATES[wanted.state] if wanted.state else (),
        prompts=_indices(view, wanted.prompt),
        scores=wanted.scores,
        found=wanted.found,
    )
    # One moment: what is kept for a page may be in the way of something newer a moment later.
    with pool.database.snapshot() as session:
        known = histogram.counted(session, batch_id)
        asked = Asked(view, choice, wanted.order, wanted.seed, after, skip, limit)
        found, of_all = listing.listed(session, asked, known)
        counts = images.counts(session, batch_id, view.rule, [image.seq for image in found])
    listed = [ListedImage(image, _named(view, counts.get(image.seq, {}))) for image in found]
    return ListedImages(listed, of_all)


def one(pool: Pool, batch_id: UUID, seq: int, *, everything: bool = False) -> OneImage:
    """One image with everything that counts in it.

    Args:
        pool: Where it is.
        batch_id: Whose.
        seq: Which.
        everything: What does not count as well, so that other settings can be tried at once.

    Raises:
        NotFound: The batch has no such image.
        CorruptObject: Its masks are damaged or gone.
        Unreachable: Database or store is away.
    """
    with pool.database.read() as session:
        found = find(session, batch_id, seq)
    return judged(pool, found, everything=everything)


def find(session: Session, batch_id: UUID, seq: int) -> FoundImage:
    """The rows of one image.

    Raises:
        NotFound: The batch has no such image.
    """
    job, question = jobs.with_question(session, batch_id, seq)
    is_done = job.state == JobState.DONE
    return FoundImage(job, reader.view_of(batch_id, question) if is_done else None)


def judged(pool: Pool, found: FoundImage, *, everything: bool) -> OneImage:
    """One image as its batch is read; raises as ``one``."""
    job, view = found.job, found.view
    if view is None:
        return OneImage(job, ())
    record = record_of(pool, job.batch_id, job)
    whys = reasons(view.rule, record.instances)
    named = reader.labelled(view, record, record.instances)
    every = [
        StoredInstance(place, each, counts=why is Reason.COUNTS)
        for place, (each, why) in enumerate(zip(named, whys, strict=True))
    ]
    chosen = every if everything else [each for each in every if each.counts]
    origin = Origin(job.batch_id, record.model, record.image_sha256)
    return OneImage(job, chosen, explain(view, record, whys), record.tiled, origin)


def mask(pool: Pool, batch_id: UUID, seq: int, ordinal: int) -> Rle:
    """One stored mask, whether it counts or not.

    Raises:
        NotFound: There is no such image, or no such mask of it.
        CorruptObject: Its masks are damaged or gone.
        Unreachable: Database or store is away.
    """
    _, record = stored(pool, batch_id, seq)
    instances = () if record is None else record.instances
    if ordinal >= len(instances):
        raise NotFound(f"image {seq} has no mask {ordinal}")
    return instances[ordinal].found.mask


def stored(pool: Pool, batch_id: UUID, seq: int) -> tuple[JobRow, MaskRecord | None]:
    """An image's row and all that is stored of it; None where it is not done.

    Raises:
        NotFound: There is no such image.
        CorruptObject: Its masks are damaged or gone.
        Unreachable: Database or store is away.
    """
    with pool.database.read() as session:
        job = _job(session, batch_id, seq)
    return job, record_of(pool, batch_id, job) if job.state == JobState.DONE else None


def _job(session: Session, batch_id: UUID, seq: int) -> JobRow:
    found = jobs.page(session, batch_id, after=seq - 1, limit=1)
    if not found or found[0].seq != seq:
        raise jobs.no_image(batch_id, seq)
    return found[0]


def _indices(view: BatchView, prompt: str) -> list[int] | None:
    if not prompt:
        return None
    found = [index for index, name in enumerate(view.categories) if name == prompt]
    if not found:
        reason = f"the batch has no prompt {prompt!r}; name one of its own"
        raise SpecError("prompt", reason, code="batch.no_prompt", params={"name": prompt})
    return found


def _named(view: BatchView, counts: Mapping[int, int]) -> dict[str, int]:
    named: Counter[str] = Counter()
    for index, count in sorted(counts.items()):
        named[view.categories[index]] += count
    return dict(named)
