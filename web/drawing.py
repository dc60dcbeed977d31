"""How masks are written in an answer: which, as what, and for which picture of their image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import Depends, Query

from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from maskpool.picture_sizes import THUMBNAIL_SIDE, VIEW_SIDE, fitted
from producer.images import OneImage

#: Pixels of the small pictures by their names.
_SIDES = {"view": VIEW_SIDE, "thumbnail": THUMBNAIL_SIDE}


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the query of a request says of masks.

    Attributes:
        masks: ``none``, ``rle`` or ``polygon``.
        scale: ``original``: of the image's own size; ``view``, ``thumbnail``: of these pictures'.
        which: ``counting``: what counts; ``stored``: all that is stored.
        refine: How fine masks are made.
        only: Ordinals of those that are wanted; None: all.
    """

    masks: str = "rle"
    scale: str = "original"
    which: str = "counting"
    refine: Fineness = Fineness.NONE
    only: frozenset[int] | None = None

    @property
    def everything(self) -> bool:
        """Whether what is stored is shown, whether it counts or not."""
        return self.which == "stored"

    def chosen(self, image: OneImage) -> OneImage:
        """An image with the instances that are wanted."""
        if self.only is None:
            return image
        mine = [one for one in image.instances if one.ordinal in self.only]
        return replace(image, instances=mine)

    def size(self, width: int | None, height: int | None) -> tuple[int | None, int | None]:
        """Width and height of the masks of an image of this size; None where it is not known."""
        if width is None or height is None or self.scale == "original":
            return width, height
        return fitted(width, height, _SIDES[self.scale])

    def mask(self, mask: Rle) -> Rle:
        """A mask of an image, as it is written."""
        if self.scale == "original":
            return mask
        from maskpool.rle_scaling import scaled  # noqa: PLC0415 - numpy, at first use only

        height, width = mask.size
        return scaled(mask, fitted(width, height, _SIDES[self.scale])[::-1])


#: How fine masks are made, as a parameter of a route.
Finely = Annotated[
    Fineness,
    Query(
        description="How fine masks are made on the way: `low` drops specks and pits, `medium` "
        "smooths outlines, too, `high` draws them to the picture's edges. What is stored stays as "
        "it is, and what counts is decided by it."
    ),
]


def _drawing(
    masks: Annotated[
        Literal["none", "rle", "polygon"], Query(description="How masks are written.")
    ] = "rle",
    scale: Annotated[
        Literal["original", "view", "thumbnail"],
        Query(
            description="Of which size the masks are: the image's own, its view's of at most 2,048 "
            "pixels a side, or its thumbnail's of 320. Boxes and areas are in the image's own "
            "pixels either way."
        ),
    ] = "original",
    which: Annotated[
        Literal["counting", "stored"],
        Query(
            description="`stored`: what does not count under the present reading settings as well, "
            "so that others can be tried without asking again."
        ),
    ] = "counting",
    refine: Finely = Fineness.NONE,
    only: Annotated[
        str | None,
        Query(
            max_length=20_000,
            pattern=r"^\d{1,9}(,\d{1,9})*$",
            description="Of these instances only those with such ordinals, with commas between.",
            examples=["0,3"],
        ),
    ] = None,
) -> Drawing:
    chosen = None if only is None else frozenset(int(one) for one in only.split(","))
    return Drawing(masks, scale, which, refine, chosen)


#: As a parameter of a route.
Drawn = Annotated[Drawing, Depends(_drawing)]
