"""What a process does that makes masks of images finer; it knows neither database nor queue."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from maskpool.errors import ConfigError, MaskpoolError
from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from maskpool.ports import Image
from maskpool.settings import Settings
from producer.child_settings import SECRETS
from producer.refining.refine import Refined, refine
from storage.images.fetch import Fetcher
from storage.objects import open_store

#: Why a picture is of no use whose bytes are not those of before.
_CHANGED = "the image is another one than its masks were drawn on"

#: And one that does not fit.
_LARGE = "the image needs more memory than a process may have (MASKPOOL_PICTURE_MEGABYTES)"


@dataclass(frozen=True, slots=True)
class Asked:
    """The masks of one image.

    Attributes:
        masks: As they are stored, all of one image.
        fineness: What is asked.
        cells: As of ``refine``, one for each mask.
        uri: Where the image is.
        batch_id: Whose it is.
        image_sha256: Hex digest of its bytes when the masks were drawn.
    """

    masks: Sequence[Rle]
    fineness: Fineness
    cells: Sequence[tuple[float, float]]
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
        changed: It could not because it is another one now.
    """

    masks: Sequence[Refined]
    unseen: str
    seconds: float
    changed: bool = False


_fetchers: list[Fetcher] = []


def prepare(
    told: dict[str, Any], granted: Mapping[UUID, Collection[str] | None], megabytes: int
) -> None:
    """Called once in a new process.

    Args:
        told: Of the settings.
        granted: Hosts to which an image of each batch may be led; see ``Fetcher``.
        megabytes: MiB it may take, beside what it has taken to stand: that grows with the
            machine's cores.
    """
    for name in SECRETS:
        os.environ.pop(name, None)
    statm = Path("/proc/self/statm")
    if statm.exists():  # where there is none, no such limit holds either
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    settings = Settings(**told)
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    _fetchers[:] = [Fetcher(store, settings, granted.__getitem__)]


def refine_image(asked: Asked) -> Answer:
    """Make the masks of one image finer, in a process that was prepared."""
    return refined(asked, _fetchers[0])


def refined(asked: Asked, fetcher: Fetcher) -> Answer:
    """Make the masks of one image finer.

    For ``high`` the image is fetched and its hash compared; an image that changed, is gone or does
    not fit into memory leaves its masks at ``medium``, and the answer says why.

    Raises:
        ConfigError: The masks alone need more memory than this process may have.
    """
    began = time.process_time()
    picture, unseen = None, ""
    if asked.fineness is Fineness.HIGH and asked.masks:
        picture, unseen = seen(asked, fetcher)
    made = None
    if picture is not None:
        made = _made(asked, picture)
        if made is None:
            picture, unseen = None, _LARGE
    made = _made(asked, None) if made is None else made
    if made is None:
        raise ConfigError(
            f"to make its {len(asked.masks):,} masks finer takes more memory than a process may "
            "have; set MASKPOOL_PICTURE_MEGABYTES higher, or leave them as they are stored",
            code="refine.memory",
        )
    return Answer(made, unseen, time.process_time() - began, unseen == _CHANGED)


def _made(asked: Asked, picture: Image | None) -> list[Refined] | None:
    """The finer masks; None where they need more memory than there is."""
    try:
        return [
            refine(mask, asked.fineness, cell, picture)
            for mask, cell in zip(asked.masks, asked.cells, strict=True)
        ]
    except MemoryError:
        return None


def seen(asked: Asked, fetcher: Fetcher) -> tuple[Image | None, str]:
    """The picture that the masks were drawn on, or None and why it cannot be had."""
    try:
        fetched = fetcher.fetch(asked.uri, asked.batch_id)
    except MaskpoolError as error:
        return None, str(error)
    except MemoryError:
        return None, _LARGE
    if fetched.sha256 != asked.image_sha256:
        return None, _CHANGED
    return fetched.image, ""
