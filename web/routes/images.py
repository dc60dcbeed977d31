"""Images of a batch: pages of them, one with its masks, a mask as a picture."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from db.images import Order
from maskpool import packed_mask
from producer import images, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.images import ListedImage, OneImage, StoredInstance, Wanted, state_word
from web import cursors, pictures
from web.access import Pooled, needs
from web.drawing import Drawing, Drawn
from web.problems import Problem
from web.shapes import Shown

router = APIRouter(prefix="/api/v1/batches/{batch_id}/images", tags=["images"])

#: What a row's integer can hold.
_MAX_SEQ = 2**31 - 1

State = Literal["waiting", "done", "failed", "cancelled"]
Seq = Annotated[int, Path(ge=0, le=_MAX_SEQ, description="Place of the image in its batch.")]
Share = Annotated[float, Query(ge=0.0, le=1.0)]


class ImageRow(Shown):
    """One image, without its masks."""

    seq: int = Field(examples=[0])
    name: str = Field(examples=["street/1.jpg"])
    state: State = Field(examples=["done"])
    width: int | None = Field(description="Pixels; null until it is done.", examples=[640])
    height: int | None = Field(description="Pixels; null until it is done.", examples=[480])
    found: dict[str, int] = Field(
        description="Instances that count, by prompt.", examples=[{"bus": 2}]
    )
    error: str | None = Field(description="Why it failed.", examples=[None])


class Images(Shown):
    """One page of images."""

    images: list[ImageRow]
    total: int | None = Field(
        description="How many there are on all pages; said on the first page, else null.",
        examples=[1],
    )
    total_is_about: bool = Field(
        description="The total is estimated from a sample of a large batch's images.",
        examples=[False],
    )
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


class Rle(Shown):
    """A mask as COCO compressed RLE, of the whole image or its view."""

    size: tuple[int, int] = Field(description="Height, width.", examples=[(480, 640)])
    counts: str = Field(examples=["oV52]<4M1O"])


class Instance(Shown):
    """One mask."""

    ordinal: int = Field(description="Its place among all stored of its image.", examples=[0])
    category: str = Field(examples=["bus"])
    prompt: int = Field(
        description="Place of its category among the batch's prompts and classes.", examples=[0]
    )
    counts: bool = Field(description="As its batch is read now.", examples=[True])
    score: float = Field(examples=[0.93])
    box_xyxy: tuple[float, float, float, float] = Field(
        description="Absolute pixels; right and bottom edges are exclusive.",
        examples=[(10.0, 20.0, 110.0, 70.0)],
    )
    area: int = Field(description="Pixels.", examples=[4_200])
    overlap: float = Field(examples=[0.0])
    clip_score: float | None = Field(examples=[None])
    against: float | None = Field(examples=[None])
    against_text: str | None = Field(
        description="The negative text that `against` is of.", examples=[None]
    )
    contended: float | None = Field(examples=[None])
    contender: int | None = Field(
        description="Ordinal of the better instance of another prompt that lies on it.",
        examples=[None],
    )
    object_index: int | None = Field(examples=[None])
    segmentation: Rle | None = Field(description="With masks=rle.")
    polygons: list[list[tuple[int, int]]] | None = Field(
        description="With masks=polygon: closed rings along the pixels' edges, x and y each; "
        "what an odd number of them encloses is the mask.",
        examples=[[[(10, 20), (110, 20), (110, 70), (10, 70)]]],
    )


class OneImageShown(Shown):
    """One image with all that counts in it, or all that is stored of it."""

    seq: int = Field(examples=[0])
    name: str = Field(examples=["street/1.jpg"])
    state: State = Field(examples=["done"])
    width: int | None = Field(examples=[640])
    height: int | None = Field(examples=[480])
    mask_width: int | None = Field(
        description="Pixels of the masks: the image's, or its view's with scale=view.",
        examples=[640],
    )
    mask_height: int | None = Field(description="Likewise.", examples=[480])
    error: str | None = Field(examples=[None])
    instances: list[Instance]


@router.get("")
def list_images(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    state: Annotated[State | None, Query(description="In this state.")] = None,
    prompt: Annotated[str, Query(max_length=500, description="Name of a prompt.")] = "",
    found: Annotated[
        bool | None, Query(description="Whether an instance of that prompt and score counts.")
    ] = None,
    min_score: Annotated[Share, Query(description="Least score; implies found=true.")] = 0.0,
    max_score: Annotated[Share, Query(description="Largest score; implies found=true.")] = 1.0,
    order: Annotated[Order, Query(description="Of the list.")] = Order.SEQ,
    seed: Annotated[int, Query(ge=0, le=_MAX_SEQ, description="Of order=random.")] = 0,
    after: Annotated[str | None, Query(max_length=5_000, description="`next` of a page.")] = None,
    skip: Annotated[
        int, Query(ge=0, le=_MAX_SEQ, description="Pass over so many, to jump in a long list.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Images:
    """List the images of a batch, with how many instances count in each."""
    if min_score > max_score:
        raise Problem(
            422, "request.invalid", "min_score is above max_score; swap them", field="min_score"
        )
    visible.find_batch(pool, caller, batch_id)
    bounded = (min_score, max_score) != (0.0, 1.0)
    wanted = Wanted(
        state=state or "",
        prompt=prompt,
        scores=(min_score, max_score),
        found=True if found is None and (bounded or prompt) else found,
        order=order,
        seed=seed,
    )
    place = None if after is None else _place(order, after)
    page = images.page(pool, batch_id, wanted, after=place, skip=skip, limit=limit + 1)
    listed, total = page.images, page.total
    last = listed[limit - 1].image if len(listed) > limit else None
    return Images(
        images=[_row(one) for one in listed[:limit]],
        total=None if total is None else total.images,
        total_is_about=total is not None and total.is_about,
        next=None if last is None else cursors.written(order, last.key, last.seq),
    )


@router.get("/{seq}")
def get_image(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    seq: Seq,
    drawn: Drawn,
) -> OneImageShown:
    """Show one image with everything that counts in it."""
    visible.find_batch(pool, caller, batch_id)
    return shown(images.one(pool, batch_id, seq, everything=drawn.everything), drawn)


@router.get(
    "/{seq}/masks/{ordinal}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The mask: white on black."}},
)
def get_mask(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    seq: Seq,
    ordinal: Annotated[int, Path(ge=0, le=_MAX_SEQ)],
) -> Response:
    """Draw one stored mask in the size of its image, one bit a pixel."""
    visible.find_batch(pool, caller, batch_id)
    png = pictures.mask_png(images.mask(pool, batch_id, seq, ordinal))
    # A stored mask never changes.
    return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


def _place(order: Order, after: str) -> tuple[Any, int]:
    kinds = {Order.NAME: cursors.row_text, Order.UNCERTAIN: cursors.number}
    kind = kinds.get(order, cursors.row_number)
    said, key, seq = cursors.read(after, str, kind, cursors.row_number)
    if said != order:
        raise Problem(422, "cursor", "after: it is of a list in another order; begin anew")
    return key, seq


def _row(listed: ListedImage) -> ImageRow:
    image = listed.image
    return ImageRow(
        seq=image.seq,
        name=image.name,
        state=state_word(image.state),
        width=image.width,
        height=image.height,
        found=dict(listed.found),
        error=image.error,
    )


def shown(one: OneImage, drawn: Drawing) -> OneImageShown:
    """One image as an answer, with its masks as was asked."""
    width, height = drawn.size(one.job.width, one.job.height)
    return OneImageShown(
        seq=one.job.seq,
        name=one.job.name,
        state=one.state,
        width=one.job.width,
        height=one.job.height,
        mask_width=width,
        mask_height=height,
        error=one.job.error,
        instances=[_instance(stored, drawn) for stored in one.instances],
    )


def _instance(stored: StoredInstance, drawn: Drawing) -> Instance:
    instance = stored.labelled.instance
    found = instance.found
    return Instance(
        ordinal=stored.ordinal,
        category=stored.labelled.category,
        prompt=found.prompt_index,
        counts=stored.counts,
        score=found.score,
        box_xyxy=found.box_xyxy,
        area=instance.area,
        overlap=instance.overlap,
        clip_score=instance.clip_score,
        against=instance.against,
        against_text=instance.against_text,
        contended=instance.contended,
        contender=instance.contender,
        object_index=found.object_index,
        **_mask(found.mask, drawn),
    )


def _mask(mask: packed_mask.Rle, drawn: Drawing) -> dict[str, Any]:
    if drawn.masks == "none":
        return {"segmentation": None, "polygons": None}
    mask = drawn.mask(mask)
    if drawn.masks == "polygon":
        return {"segmentation": None, "polygons": pictures.polygons(mask)}
    return {"segmentation": Rle(size=mask.size, counts=mask.counts), "polygons": None}
