"""What a process does that makes masks of images finer; it knows neither database nor queue."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from maskpool.errors import MaskpoolError
from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from maskpool.ports import Image
from maskpool.settings import Settings
from producer.child_settings import SECRETS
from producer.refining.refine import Refined, refine
from storage.images.fetch import Fetcher
from storage.objects import open_store


@dataclass(frozen=True, slots=True)
class Asked:
    """The masks of one image.

    Attributes:
        masks: As they are stored, all of one image.
        fineness: What is asked.
        cell: As of ``refine``.
        uri: Where the image is.
        batch_id: Whose it is.
        image_sha256: Hex digest of its bytes when the masks were drawn.
    """

    masks: Sequence[Rle]
    fineness: Fineness
    cell: tuple[float, float]
    uri: str
    batch_id: UUID
    image_sha256: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of them.

    Attributes:
        masks: In the same order.
        unseen: Why the picture could not be used, where it was wanted; empty: it could.
        seconds: CPU seconds that it took.
    """

    masks: Sequence[Refined]
    unseen: str
    seconds: float


_fetchers: list[Fetcher] = []


def prepare(told: dict[str, Any], granted: Mapping[UUID, Collection[str] | None]) -> None:
    """Called once in a new process.

    Args:
        told: Of the settings.
        granted: Hosts to which an image of each batch may be led; see ``Fetcher``.
    """
    for name in SECRETS:
        os.environ.pop(name, None)
    settings = Settings(**told)
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    _fetchers[:] = [Fetcher(store, settings, granted.__getitem__)]


def refine_image(asked: Asked) -> Answer:
    """Make the masks of one image finer, in a process that was prepared."""
    return refined(asked, _fetchers[0])


def refined(asked: Asked, fetcher: Fetcher) -> Answer:
    """Make the masks of one image finer.

    For ``high`` the image is fetched and its hash compared; an image that changed or is gone leaves
    its masks at ``medium``, and the answer says why.
    """
    began = time.process_time()
    picture, unseen = None, ""
    if asked.fineness is Fineness.HIGH and asked.masks:
        picture, unseen = _seen(asked, fetcher)
    made = [refine(mask, asked.fineness, asked.cell, picture) for mask in asked.masks]
    return Answer(made, unseen, time.process_time() - began)


def _seen(asked: Asked, fetcher: Fetcher) -> tuple[Image | None, str]:
    try:
        fetched = fetcher.fetch(asked.uri, asked.batch_id)
    except MaskpoolError as error:
        return None, str(error)
    if fetched.sha256 != asked.image_sha256:
        return None, "the image is another one than its masks were drawn on"
    return fetched.image, ""
