"""Images of a batch: pages of them, one with its masks, a mask as a picture."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from anyio import to_thread
from fastapi import Path, Query, Request, Response

from db.images import Order
from maskpool.errors import NotFound
from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from producer import images, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.images import OneImage, Wanted
from web import cursors, pictures
from web.access import Pooled, needs
from web.drawing import Drawing, Drawn, Finely
from web.outlines import finer
from web.problems import Problem
from web.router import Router
from web.routes.image_shapes import Images, OneImageShown, State, row, shown

router = Router(prefix="/api/v1/batches/{batch_id}/images", tags=["images"])

#: What a row's integer can hold.
_MAX_SEQ = 2**31 - 1

Seq = Annotated[int, Path(ge=0, le=_MAX_SEQ, description="Place of the image in its batch.")]
Share = Annotated[float, Query(ge=0.0, le=1.0)]


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
        field, reason = "min_score", "is above max_score; swap them"
        sentence = f"{field} {reason}"
        raise Problem(422, "request.invalid", sentence, field=field, reason=reason)
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
        images=[row(one) for one in listed[:limit]],
        total=None if total is None else total.images,
        total_is_about=total is not None and total.is_about,
        next=None if last is None else cursors.written(order, last.key, last.seq),
    )


@router.get("/{seq}")
async def get_image(
    request: Request,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    seq: Seq,
    drawn: Drawn,
) -> OneImageShown:
    """Show one image with everything that counts in it."""

    def find() -> OneImage:
        visible.find_batch(pool, caller, batch_id)
        return drawn.chosen(images.one(pool, batch_id, seq, everything=drawn.everything))

    found = await finer(request, pool, await to_thread.run_sync(find), drawn.refine)
    return await to_thread.run_sync(shown, found, drawn)


@router.get(
    "/{seq}/masks/{ordinal}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The mask: white on black."}},
)
async def get_mask(
    request: Request,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    seq: Seq,
    ordinal: Annotated[int, Path(ge=0, le=_MAX_SEQ)],
    refine: Finely = Fineness.NONE,
) -> Response:
    """Draw one stored mask in the size of its image, one bit a pixel.

    With `refine`, the header `Refined` says how fine it is; `high` is refused without its picture.
    """
    # A stored mask never changes.
    headers = {"cache-control": "private, max-age=3600"}
    if refine is Fineness.NONE:

        def find() -> Rle:
            visible.find_batch(pool, caller, batch_id)
            return images.mask(pool, batch_id, seq, ordinal)

        mask = await to_thread.run_sync(find)
    else:
        only = Drawing(which="stored", only=frozenset({ordinal}))

        def find_image() -> OneImage:
            visible.find_batch(pool, caller, batch_id)
            return only.chosen(images.one(pool, batch_id, seq, everything=True))

        found = await finer(request, pool, await to_thread.run_sync(find_image), refine)
        if not found.instances or found.finer is None:
            raise NotFound(f"image {seq} has no mask {ordinal}")
        if found.finer.unseen is not None:
            said = f"{found.job.name}: {found.finer.unseen.sentence}; ask for medium"
            raise Problem(409, "refine.unseen", said)
        headers["refined"] = found.finer.taken(ordinal)
        mask = found.instances[0].labelled.instance.found.mask
    png = await to_thread.run_sync(pictures.mask_png, mask)
    return Response(png, media_type="image/png", headers=headers)


def _place(order: Order, after: str) -> tuple[Any, int]:
    kinds = {Order.NAME: cursors.row_text, Order.UNCERTAIN: cursors.number}
    kind = kinds.get(order, cursors.row_number)
    said, key, seq = cursors.read(after, str, kind, cursors.row_number)
    if said != order:
        raise Problem(422, "cursor", "after: it is of a list in another order; begin anew")
    return key, seq
