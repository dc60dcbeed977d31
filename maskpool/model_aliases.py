"""Which models an alias stands for, and what of them those must know who have not loaded them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from maskpool.tiling.asked import MAX_SIDE, MIN_SIDE
from maskpool.tiling.plan import TILE_SIDE

#: Where the demo checkpoints live, beside the code that trains them.
DEMO_MODELS = Path(__file__).resolve().parent.parent / "workers" / "models" / "demo"

#: Side of SAM3's maps of masks, as it is published.
MAP_CELLS = 288


class ModelAlias(BaseModel):
    """A SAM3 + CLIP pair under one name.

    Attributes:
        sam3: Folder, or hub name with an optional ``@revision``.
        clip: Folder, or hub name with an optional ``@revision``.
        max_overlap: Default suppression of duplicates on reading; None as SAM3 was published.
        tile: Side of the tiles of large images, pixels: at that scale the model knows things best.
        cells: Side of the square maps on which it draws masks, whatever the image's shape.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sam3: str
    clip: str
    max_overlap: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    tile: Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)] = TILE_SIDE
    cells: Annotated[int, Field(ge=16, le=4096)] = MAP_CELLS


BUILT_IN_MODELS = {
    # The small DETR head gives duplicate queries; the published one was trained not to.
    "demo": ModelAlias(
        sam3=str(DEMO_MODELS / "sam3"),
        clip=str(DEMO_MODELS / "clip"),
        max_overlap=0.5,
        tile=320,
        cells=64,
    ),
    "sam3": ModelAlias(sam3="facebook/sam3", clip="openai/clip-vit-large-patch14"),
}
