"""Masks of an answer made finer, where nothing else waits for it."""

from __future__ import annotations

from anyio import to_thread
from fastapi import Request

from maskpool.fineness import Fineness
from producer import outlines
from producer.images import OneImage
from producer.pictures import Pictures
from producer.pool import Pool
from web.picture_answers import limiter


async def finer(request: Request, pool: Pool, image: OneImage, asked: Fineness) -> OneImage:
    """An image with its masks as fine as was asked, as they were kept, or made now.

    Raises:
        ImageError: They cannot be made so, or not in time; says why.
        Unreachable: The store is away, or too much is wanted just now.
    """
    if asked is Fineness.NONE or image.origin is None:
        return image
    found = await to_thread.run_sync(outlines.kept, pool, image, asked)
    if found.lacks(image):
        pictures: Pictures = request.app.state.pictures
        found = await to_thread.run_sync(
            outlines.make, pool, pictures, image, found, limiter=limiter(request, pool)
        )
    return outlines.applied(image, found)
