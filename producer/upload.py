"""Copying local images into the store, so that workers on other machines see them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from maskpool.domain import ImageRef
from maskpool.errors import SourceError, Unreachable
from maskpool.ports import ObjectStore
from storage.objects import keys
from storage.uris import path_of

log = logging.getLogger(__name__)

#: Images uploaded side by side.
_UPLOADS = 8

#: A store that fails now and then must not end a submit of many images; one that is away may.
_UPLOAD_SECONDS = 15.0


def upload(store: ObjectStore, batch_id: UUID, images: Sequence[ImageRef]) -> list[ImageRef]:
    """Copy images into the store; returns them in their order, with the URIs of their copies.

    Images that are no local files are returned as they are. So are files that cannot be read,
    under the URI that their copy would have: their jobs fail with the fetcher's sentence, and the
    rest of the batch loses nothing.

    Raises:
        Unreachable: The store is away.
    """
    with ThreadPoolExecutor(_UPLOADS, "upload") as threads:
        return list(threads.map(lambda image: _upload(store, batch_id, image), images))


def _upload(store: ObjectStore, batch_id: UUID, image: ImageRef) -> ImageRef:
    local = path_of(image.uri)
    if local is None:
        return image
    # Also where an interrupted submit copied one before: its file may be another picture by now.
    key = keys.source_object(batch_id, image.name)
    again = Retrying(
        retry=retry_if_exception_type(Unreachable),
        wait=wait_random_exponential(multiplier=0.4, max=5.0),
        stop=stop_after_delay(_UPLOAD_SECONDS),
        reraise=True,
    )
    try:
        again(store.put_file, key, Path(local))
    except (OSError, SourceError) as error:
        log.warning("%s cannot be uploaded (%s); its job will fail", image.name, error)
    return replace(image, uri=store.uri(key))
