"""One image's masks made finer for whoever looks at them: in a child process, kept in the store.

What is stored of the image never changes, and what counts is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from maskpool.errors import NotFound
from maskpool.fineness import Fineness
from producer.images import OneImage, StoredInstance
from producer.pictures import Pictures, granted_hosts
from producer.pool import Pool
from producer.results.records import Drawn
from storage.objects import keys

if TYPE_CHECKING:  # numpy, at first use only
    from producer.refining import Refined


@dataclass(frozen=True, slots=True)
class Unseen:
    """Why a picture's own edges could not be used.

    Attributes:
        changed: It is another one than the masks were drawn on; else it is not to be had.
        sentence: The same in words.
    """

    changed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Finer:
    """What became of an image's masks.

    Attributes:
        asked: How fine they were to be.
        masks: By their ordinals.
        unseen: Why the picture was of no use, where ``high`` was asked; None: it was.
    """

    asked: Fineness
    masks: Mapping[int, Refined]
    unseen: Unseen | None = None

    @property
    def changed_too_much(self) -> int:
        """Masks of which a step was not taken, though it could be made."""
        most = Fineness.MEDIUM if self.unseen else self.asked
        return sum(one.taken.rank < most.rank for one in self.masks.values() if one.area)

    def lacks(self, image: OneImage) -> list[StoredInstance]:
        """Those of an image's instances that are not among them."""
        return [one for one in image.instances if one.ordinal not in self.masks]

    def taken(self, ordinal: int) -> Fineness:
        """How fine a mask is."""
        made = self.masks.get(ordinal)
        return Fineness.NONE if made is None else made.taken


def kept(pool: Pool, image: OneImage, asked: Fineness) -> Finer:
    """The masks that were made as fine before, of the same result."""
    if image.origin is None:
        return Finer(asked, {})
    try:
        said = orjson.loads(pool.store().get(_key(image, asked)))
    except (NotFound, orjson.JSONDecodeError):
        return Finer(asked, {})
    if said["version"] != _version(pool, image):
        return Finer(asked, {})
    from producer.refining.spoken import read_refined  # noqa: PLC0415 - numpy, at first use only

    return Finer(asked, {int(place): read_refined(one) for place, one in said["masks"].items()})


def make(pool: Pool, pictures: Pictures, image: OneImage, before: Finer) -> Finer:
    """Make finer what is not yet, and keep it.

    Args:
        pool: Where the image is.
        pictures: In whose children it is done.
        image: With the instances that are wanted.
        before: What was kept.

    Raises:
        ImageError: It cannot be done, or not in time; says why.
        Unreachable: Too much is wanted just now.
    """
    lacking = before.lacks(image)
    if not lacking or image.origin is None:
        return before
    from producer.refining.cells import cell_of  # noqa: PLC0415 - numpy, at first use only
    from producer.refining.spoken import refined_json  # noqa: PLC0415 - as above
    from producer.refining.work import Asked  # noqa: PLC0415 - as above

    masks = [one.labelled.instance.found.mask for one in lacking]
    drawn = Drawn(image.origin.model, image.tiled)
    cell = cell_of(drawn, masks[0].size, pool.settings)
    answer = pictures.refine(
        Asked(
            masks,
            before.asked,
            [cell] * len(masks),
            image.job.image_uri,
            image.job.batch_id,
            image.origin.image_sha256,
        ),
        granted_hosts(pool, image.job.batch_id, image.job.image_uri),
    )
    made = {one.ordinal: mask for one, mask in zip(lacking, answer.masks, strict=True)}
    if answer.unseen:
        # A picture may come back; so what was made without it is not kept.
        unseen = Unseen(answer.changed, answer.unseen)
        return Finer(before.asked, {**before.masks, **made}, unseen)
    every = {**before.masks, **made}
    said = {str(place): refined_json(one) for place, one in every.items()}
    content = orjson.dumps({"version": _version(pool, image), "masks": said})
    pool.store().put(_key(image, before.asked), content, "application/json")
    return Finer(before.asked, every)


def applied(image: OneImage, finer: Finer) -> OneImage:
    """An image with its finer masks, and with their areas and boxes."""
    mine = {one.ordinal: finer.masks[one.ordinal] for one in image.instances}
    instances = [_finer(one, mine[one.ordinal]) for one in image.instances]
    return replace(image, instances=instances, finer=replace(finer, masks=mine))


def _finer(stored: StoredInstance, made: Refined) -> StoredInstance:
    if made.taken is Fineness.NONE:
        return stored
    return replace(stored, labelled=stored.labelled.with_mask(made.mask, made.area, made.box))


def _key(image: OneImage, asked: Fineness) -> str:
    return keys.finer_object(image.job.batch_id, image.job.seq, asked.value)


def _version(pool: Pool, image: OneImage) -> Sequence[Any]:
    """What the answer hangs on: the result, and the maps that it was drawn on."""
    from producer.refining.cells import cell_of  # noqa: PLC0415 - numpy, at first use only

    assert image.origin is not None  # noqa: S101 - asked by who knows it
    size = image.job.height or 1, image.job.width or 1
    cell = cell_of(Drawn(image.origin.model, image.tiled), size, pool.settings)
    return [image.job.masks_key, image.job.masks_offset, *cell]
