"""The main use case: a source and a spec become a batch. CLI, API and page are thin doors to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from db import batches, jobs, lookup, removal
from db.batches import Loading, NewBatch
from db.session import Database
from maskpool import failpoints
from maskpool.domain import BatchState, ImageRef
from maskpool.errors import Conflict, SourceError
from maskpool.ports import ObjectStore
from maskpool.text import counted, storable
from producer.abilities import require_abilities
from producer.changes import changes
from producer.deletion import delete_rows
from producer.objects import Digest
from producer.pool import Pool
from producer.sources import Source
from producer.sources.guard import Guard
from producer.sources.passed import PassedOver
from producer.sources.sampled import sample_of
from producer.submission import Submission
from producer.upload import upload

#: Images in one block while uploading: what an interruption can cost.
_UPLOAD_BLOCK = 500

#: A block ends early at so many characters of what its images are asked: they are held in memory.
_BLOCK_BYTES = 8 * 1024 * 1024

#: What to do about names that appear twice, by the kind of source.
_NAME_EACH = "give each row a name of its own"
_OWN_NAMES = {"txt": "a .csv or .jsonl can give each line a name of its own"}

#: Called with the number of images loaded so far.
OnLoaded = Callable[[int], None]

#: Refuses what must not be written any more, given the transaction and the batch.
Fence = Callable[[Session, UUID], None]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The batch that a submission became.

    Attributes:
        batch_id: Its id.
        total: Images in it.
        created: False where the key's batch was complete already.
        passed_over: What of the source is not in it.
        read_anew: Whether it was there and is read in another way from now on.
    """

    batch_id: UUID
    total: int
    created: bool
    passed_over: PassedOver
    read_anew: bool = False


def submit(pool: Pool, submission: Submission, on_loaded: OnLoaded = lambda _: None) -> Submitted:
    """Submit to a pool; see ``Submitter.submit``.

    Raises:
        ConfigError: A living worker of the model could not do what is asked.
    """
    with pool.database.read() as session:
        require_abilities(session, submission.spec)
    upload_to = pool.store() if submission.upload else None
    guard = Guard(pool.settings.store_url)
    return Submitter(pool.database, pool.wake, upload_to, guard=guard).submit(submission, on_loaded)


class Submitter:
    """Submits to one stack.

    Args:
        database: The pool's database.
        wake: Tells the dispatcher, after COMMIT.
        upload_to: Where local images are copied, so that workers elsewhere see them; None where
            every worker sees the submitter's paths.
        guard: Refuses references into the pool's own store.
        fence: Called in every transaction that writes; what it raises ends the submission there.
    """

    def __init__(
        self,
        database: Database,
        wake: Callable[[], None],
        upload_to: ObjectStore | None = None,
        *,
        guard: Guard | None = None,
        fence: Fence = lambda _session, _batch_id: None,
    ) -> None:
        self._database = database
        self._wake = wake
        self._upload_to = upload_to
        self._guard = guard or Guard(upload_to.url if upload_to else "")
        self._fence = fence

    def submit(self, submission: Submission, on_loaded: OnLoaded = lambda _: None) -> Submitted:
        """Write a batch and its jobs, then make it ACTIVE. Memory does not grow with the source.

        An interrupted submit leaves a LOADING batch that nothing dispatches; the same key resumes
        it. Two submitters of one key follow each other block by block.

        Raises:
            SourceError: The source is empty or unreadable, names an image twice, or its images are
                not those that an earlier submit with this key loaded.
            Conflict: The key belongs to another spec or source, or its batch was cancelled.
            Unreachable: Database or store is away.
        """
        passed = PassedOver()
        digest = Digest()
        refs = self._guard.over(submission.source, _not_empty(submission.source, passed))
        if submission.spec.digest:
            refs = digest.over(refs)
        with self._database.write() as session:
            at = batches.create_or_find(session, _new_batch(submission))
            self._fence(session, at.batch_id)
        failpoints.reach("submit.created")
        self._check_same_source(submission, at)
        if at.state != BatchState.LOADING:
            return self._existing(at, refs, passed)
        try:
            self._load(at, refs, on_loaded)
            _read_to_the_end(refs)
            _require_same(submission, digest)
        except SourceError:
            self._remove_if_new(at)
            raise
        self._refuse_duplicates(submission.source, at.batch_id)
        failpoints.reach("submit.loaded")
        with self._database.write() as session:
            self._fence(session, at.batch_id)
            created = batches.activate(session, at.batch_id)
            total = lookup.progress(session, at.batch_id).total
            failpoints.reach("submit.activated")
        failpoints.reach("submit.committed")
        self._wake()
        return Submitted(at.batch_id, total, created, passed)

    def _remove_if_new(self, at: Loading) -> None:
        """A source that is refused half-way leaves no batch, unless an earlier submit began it."""
        if at.loaded == 0:
            with self._database.write() as session:
                batches.remove(session, at.batch_id)

    def _existing(self, at: Loading, refs: Iterator[ImageRef], passed: PassedOver) -> Submitted:
        _read_to_the_end(refs)
        with self._database.read() as session:
            total = lookup.progress(session, at.batch_id).total
        return Submitted(at.batch_id, total, False, passed, at.read_anew)

    def _check_same_source(self, submission: Submission, at: Loading) -> None:
        """A key stands for one question: its images must be those that were loaded before."""
        if at.state == BatchState.CANCELLED:
            raise Conflict(
                f"batch {at.batch_id} of this key was cancelled, nothing of it runs any more; "
                "submit under another key, or remove it first (maskpool rm)",
                code="batch.key_cancelled",
                params={"batch": str(at.batch_id)},
            )
        if at.loaded == 0:
            return
        changed = changes(
            self._database,
            at.batch_id,
            submission.source.refs(),
            count=at.loaded if at.state == BatchState.LOADING else None,
            names_only=submission.upload,
        )
        if changed:
            raise SourceError(
                submission.source.text,
                f"it changed since batch {at.batch_id} was made of it: {changed}; "
                f"{submission.if_changed}",
                option=submission.option,
                code="source.changed",
                params={"batch": str(at.batch_id)},
            )

    def _load(self, at: Loading, refs: Iterator[ImageRef], on_loaded: OnLoaded) -> None:
        size = jobs.block_size(self._database) if self._upload_to is None else _UPLOAD_BLOCK
        position = 0
        for block in _blocks(refs, size):
            at = self._load_block(at, position, block)
            position += len(block)
            on_loaded(position)
            if at.state != BatchState.LOADING:  # another submitter of this key loaded the rest
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
                sentence = f"batch {at.batch_id} was cancelled while it was loading"
                raise Conflict(sentence, code="batch.load_cancelled")
            rest = block[max(0, at.loaded - position) :]
            if not rest or at.state != BatchState.LOADING:
                return at
            if self._upload_to is not None:
                rest = upload(self._upload_to, at.batch_id, rest)
            with self._database.write() as session:
                self._fence(session, at.batch_id)
                jobs.load_block(session, at.batch_id, at.loaded, rest)
                at = batches.loading(session, at.batch_id)
                failpoints.reach("submit.block_written")
            failpoints.reach("submit.block_committed")

    def _refuse_duplicates(self, source: Source, batch_id: UUID) -> None:
        with self._database.read() as session:
            names = jobs.duplicate_names(session, batch_id)
        if not names:
            return
        places = ", ".join(source.places(names[0])[:5])
        with self._database.write() as session:
            self._fence(session, batch_id)
            removal.mark_deleted(session, batch_id)
        delete_rows(self._database, batch_id)
        others = f" (and {counted(len(names) - 1, 'more name')})" if len(names) > 1 else ""
        raise SourceError(
            source.text,
            f"{names[0]!r} appears more than once: {places}{others}; names must be unique, "
            f"as they become file_name in exports; {_OWN_NAMES.get(source.kind, _NAME_EACH)}",
            code="source.twice",
            params={"name": names[0]},
        )


def _not_empty(source: Source, passed: PassedOver) -> Iterator[ImageRef]:
    refs = source.refs(passed)
    first = next(refs, None)
    if first is None:
        raise passed.no_image(source.text)
    return chain([first], refs)


def _require_same(submission: Submission, read: Digest) -> None:
    """What the spec says of the objects was read a moment earlier."""
    if submission.spec.digest not in ("", read.value):
        raise SourceError(
            submission.source.text,
            "its images or their boxes changed while it was read; submit it again",
            code="source.unsteady",
        )


def _blocks(refs: Iterator[ImageRef], size: int) -> Iterator[list[ImageRef]]:
    """Images for one transaction each: so many, or fewer where much is asked of each."""
    block, held = [], 0
    for ref in refs:
        block.append(ref)
        held += len(ref.prompts or "")
        if len(block) == size or held > _BLOCK_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block


def _read_to_the_end(refs: Iterator[ImageRef]) -> None:
    """What a source passes over is known at its end; another submitter may have loaded the rest."""
    deque(refs, maxlen=0)


def _new_batch(submission: Submission) -> NewBatch:
    return NewBatch(
        owner=submission.owner,
        idempotency_key=submission.key,
        name=submission.name or storable(Path(submission.source.text.rstrip("/")).name) or "batch",
        model=submission.spec.model,
        spec=submission.spec.dump(),
        source=storable(submission.source.text),
        klass=submission.klass,
        priority=submission.priority,
        reading=submission.reading,
        team_id=submission.team_id,
        uploads=submission.uploads,
        sample=sample_of(submission.source),
    )
