"""THE use case: a source and a spec become a batch. CLI, API and page are thin doors to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from db import batches, jobs, lookup
from db.batches import Loading, NewBatch
from db.session import Database
from maskpool import failpoints
from maskpool.domain import BatchState, ImageRef, Klass, Priority
from maskpool.errors import Conflict, SourceError, Unreachable
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.sources import Source
from storage.objects import keys
from storage.uris import path_of

log = logging.getLogger(__name__)

#: Images uploaded side by side.
_UPLOADS = 8

#: Images in one block while uploading: what an interruption can cost.
_UPLOAD_BLOCK = 500

#: A store that fails now and then must not end a submit of many images; one that is away may.
_UPLOAD_SECONDS = 15.0

#: What to do about names that appear twice, by the kind of source.
_NAME_EACH = "give each row a name of its own"
_OWN_NAMES = {"txt": "a .csv or .jsonl can give each line a name of its own"}

#: Called with the number of images loaded so far.
OnLoaded = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked for.

    Attributes:
        source: Where the images are.
        spec: Prompts, settings, model.
        owner: Who submits.
        name: For people; the source's own name where empty.
        key: Idempotency key: the same key twice is one batch, and resumes an interrupted submit.
    """

    source: Source
    spec: BatchSpec
    owner: str
    key: str
    name: str = ""
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class Submitted:
    """What came of it.

    Attributes:
        created: False where the key's batch was complete already.
    """

    batch_id: UUID
    total: int
    created: bool


class Submitter:
    """Submits to one stack.

    Args:
        database: The truth.
        wake: Tells the dispatcher, after COMMIT.
        upload_to: Where local images are copied, so that workers elsewhere see them; None where
            every worker sees the submitter's paths.
    """

    def __init__(
        self, database: Database, wake: Callable[[], None], upload_to: ObjectStore | None = None
    ) -> None:
        self._database = database
        self._wake = wake
        self._upload_to = upload_to

    def submit(self, submission: Submission, on_loaded: OnLoaded = lambda _: None) -> Submitted:
        """Write a batch and its jobs, then make it ACTIVE. Memory does not grow with the source.

        An interrupted submit leaves a LOADING batch that nothing dispatches; the same key resumes
        it. Two submitters of one key follow each other block by block.

        Raises:
            SourceError: The source is empty or unreadable, names an image twice, or is not the one
                that an earlier submit with this key began to load.
            Conflict: The key belongs to another spec or source, or the batch was cancelled.
            Unreachable: Database or store is away.
        """
        refs = _not_empty(submission.source)
        with self._database.write() as session:
            at = batches.create_or_find(session, _new_batch(submission))
        failpoints.reach("submit.created")
        if at.state != BatchState.LOADING:
            return self._already(at)
        self._check_same_source(submission, at)
        try:
            self._load(at, refs, on_loaded)
        except SourceError:
            self._forget(at)
            raise
        self._refuse_duplicates(submission.source, at.batch_id)
        failpoints.reach("submit.loaded")
        with self._database.write() as session:
            created = batches.activate(session, at.batch_id)
            total = lookup.progress(session, at.batch_id).total
            failpoints.reach("submit.activated")
        failpoints.reach("submit.committed")
        self._wake()
        return Submitted(at.batch_id, total, created)

    def _forget(self, at: Loading) -> None:
        """A source that is refused half-way leaves no batch, unless an earlier submit began it."""
        if at.loaded == 0:
            with self._database.write() as session:
                batches.remove(session, at.batch_id)

    def _already(self, at: Loading) -> Submitted:
        with self._database.read() as session:
            return Submitted(at.batch_id, lookup.progress(session, at.batch_id).total, False)

    def _check_same_source(self, submission: Submission, at: Loading) -> None:
        """The last image that was loaded must stand where it stood."""
        if at.loaded == 0:
            return
        with self._database.read() as session:
            loaded = jobs.name_at(session, at.batch_id, at.loaded - 1)
        now = next(islice(submission.source.refs(), at.loaded - 1, None), None)
        if now is None or now.name != loaded:
            raise SourceError(
                submission.source.text,
                f"it changed since an earlier submit with this key was interrupted behind "
                f"{loaded!r}; submit under another key, and remove batch {at.batch_id}",
            )

    def _load(self, at: Loading, refs: Iterator[ImageRef], on_loaded: OnLoaded) -> None:
        size = jobs.block_size(self._database) if self._upload_to is None else _UPLOAD_BLOCK
        position = 0
        while block := list(islice(refs, size)):
            at = self._load_block(at, position, block)
            position += len(block)
            on_loaded(position)
            if at.state != BatchState.LOADING:  # another submitter of this key was quicker
                return

    def _load_block(self, at: Loading, position: int, block: list[ImageRef]) -> Loading:
        """Have jobs ``position …`` of the block written, by us or by another submitter.

        Args:
            at: How far the batch was a moment ago.
            position: Of the block's first image in the source.
            block: Images.
        """
        while True:
            if at.state == BatchState.CANCELLED:
                raise Conflict(f"batch {at.batch_id} was cancelled while it was loading")
            rest = block[max(0, at.loaded - position) :]
            if not rest or at.state != BatchState.LOADING:
                return at
            images = self._uploaded(at.batch_id, rest)
            with self._database.write() as session:
                jobs.load_block(session, at.batch_id, at.loaded, images)
                at = batches.loading(session, at.batch_id)
                failpoints.reach("submit.block_written")
            failpoints.reach("submit.block_committed")

    def _uploaded(self, batch_id: UUID, block: list[ImageRef]) -> list[ImageRef]:
        if self._upload_to is None:
            return block
        store = self._upload_to
        with ThreadPoolExecutor(_UPLOADS, "upload") as pool:
            return list(pool.map(lambda image: _upload(store, batch_id, image), block))

    def _refuse_duplicates(self, source: Source, batch_id: UUID) -> None:
        with self._database.read() as session:
            names = jobs.duplicate_names(session, batch_id)
        if not names:
            return
        places = ", ".join(source.places(names[0])[:5])
        with self._database.write() as session:
            batches.remove(session, batch_id)
        others = f" (and {len(names) - 1} more names)" if len(names) > 1 else ""
        raise SourceError(
            source.text,
            f"{names[0]!r} appears more than once: {places}{others}; names must be unique, "
            f"as they become file_name in exports; {_OWN_NAMES.get(source.kind, _NAME_EACH)}",
        )


def _not_empty(source: Source) -> Iterator[ImageRef]:
    refs = source.refs()
    first = next(refs, None)
    if first is None:
        raise SourceError(source.text, "there is no image in it")
    return chain([first], refs)


def _new_batch(submission: Submission) -> NewBatch:
    return NewBatch(
        owner=submission.owner,
        idempotency_key=submission.key,
        name=submission.name or Path(submission.source.text.rstrip("/")).name or "batch",
        model=submission.spec.model,
        spec=submission.spec.dump(),
        source=submission.source.text,
        klass=submission.klass,
        priority=submission.priority,
    )


def _upload(store: ObjectStore, batch_id: UUID, image: ImageRef) -> ImageRef:
    """Copy a local image into the store, unless an interrupted submit did it before.

    A file that cannot be read keeps its place: its job fails with the fetcher's sentence, and the
    rest of the batch loses nothing.
    """
    local = path_of(image.uri)
    if local is None:
        return image
    path = Path(local)
    key = keys.source_object(batch_id, image.name)
    again = Retrying(
        retry=retry_if_exception_type(Unreachable),
        wait=wait_random_exponential(multiplier=0.4, max=5.0),
        stop=stop_after_delay(_UPLOAD_SECONDS),
        reraise=True,
    )
    try:
        again(_copy, store, key, path)
    except (OSError, SourceError) as error:
        log.warning("%s cannot be uploaded (%s); its job will fail", image.name, error)
    return replace(image, uri=store.uri(key))


def _copy(store: ObjectStore, key: str, path: Path) -> None:
    if store.size(key) != path.stat().st_size:
        store.put_file(key, path)
