"""How masks are written in an answer: which, as what, and for which picture of their image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from maskpool.packed_mask import Rle
from maskpool.picture_sizes import THUMBNAIL_SIDE, VIEW_SIDE, fitted

#: Pixels of the small pictures by their names.
_SIDES = {"view": VIEW_SIDE, "thumbnail": THUMBNAIL_SIDE}


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the query of a request says of masks.

    Attributes:
        masks: ``none``, ``rle`` or ``polygon``.
        scale: ``original``: of the image's own size; ``view``, ``thumbnail``: of these pictures'.
        which: ``counting``: what counts; ``stored``: all that is stored.
    """

    masks: str = "rle"
    scale: str = "original"
    which: str = "counting"

    @property
    def everything(self) -> bool:
        """Whether what is stored is shown, whether it counts or not."""
        return self.which == "stored"

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
) -> Drawing:
    return Drawing(masks, scale, which)


#: As a parameter of a route.
Drawn = Annotated[Drawing, Depends(_drawing)]
