"""Loading a batch for somebody at the door: uploads and granted places, never their files.

A route checks who may read what and creates a task with ``LoadArgs``; the clerk calls ``load``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from db import upload_files
from maskpool.domain import Klass, Priority
from maskpool.errors import SourceError, SpecError
from maskpool.sample import MAX_IMAGES, MAX_SEED, Sample
from maskpool.spec import GLOSSARY_PATTERN
from maskpool.spec_file import Question, asked
from maskpool.strict import Strict
from producer import uploads
from producer.abilities import require_abilities
from producer.accounts import grants, users
from producer.accounts.rights import Right
from producer.pool import Pool
from producer.sources import Source, open_source
from producer.sources.allowed import Allowed
from producer.sources.guard import Guard
from producer.sources.joined import BoundedSource, JoinedSource
from producer.sources.manifests import ManifestSource
from producer.sources.sampled import sampled
from producer.sources.uploads import UploadSource
from producer.submission import Draft, Submission
from producer.submit import Fence, OnLoaded, Submitted, Submitter
from storage.images.web.urls import is_web

#: Images of a batch that somebody waits for.
MAX_NOW = 100

#: Called with the number of lines looked at so far.
OnRead = Callable[[int], object]

_Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]


class SampleArgs(Strict):
    """A ``maskpool.sample.Sample`` that nobody drew yet."""

    images: Annotated[int, Field(ge=1, le=MAX_IMAGES)]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0

    @classmethod
    def of(cls, sample: Sample) -> SampleArgs:
        """As many, with the same seed."""
        return cls(images=sample.images, seed=sample.seed)


class ManifestArgs(Strict):
    """A manifest that is a file of an upload.

    Attributes:
        upload: Which upload.
        file: Its name there.
    """

    upload: UUID
    file: Annotated[str, Field(max_length=800, pattern=r"^[^\x00]*$")]

    @classmethod
    def of(cls, named: tuple[UUID, str]) -> ManifestArgs:
        """The file of this name in an upload."""
        return cls(upload=named[0], file=named[1])


class LoadArgs(Strict):
    """What a batch is made of; ``model_dump(mode="json")`` is the task's arguments.

    Attributes:
        question: What is asked, as in a spec file.
        uploads: Whose files are its images.
        manifest: That names its images.
        sources: Granted places, as ``s3://bucket/prefix`` or ``https://host/image``.
        owner: Name of the user whose batch it becomes.
        team: Whose members see it.
        name: For people.
        key: The same key of one owner twice is one batch; the task's own id where empty.
        klass: ``now`` for at most ``MAX_NOW`` images.
        priority: Among the owner's batches.
        glossary: Version of the glossary that the question was composed with; empty: none was.
        sample: Of which images of the source; None: of all.
    """

    question: Question
    uploads: tuple[UUID, ...] = ()
    manifest: ManifestArgs | None = None
    sources: tuple[_Text, ...] = ()
    owner: _Text
    team: UUID | None = None
    name: _Text = ""
    key: _Text = ""
    klass: Literal["now", "bulk"] = "bulk"
    priority: Priority = Priority.NORMAL
    glossary: Annotated[str, Field(pattern=GLOSSARY_PATTERN)] = ""
    sample: SampleArgs | None = None


def load(
    pool: Pool,
    args: LoadArgs,
    *,
    key: str,
    fence: Fence = lambda _session, _batch_id: None,
    on_read: OnRead = lambda _: None,
    on_loaded: OnLoaded = lambda _: None,
) -> Submitted:
    """List the sources and load their images into a batch, which becomes active at the end.

    Args:
        pool: Where to.
        args: What of.
        key: The batch's key where the arguments name none.
        fence: Called in every transaction that writes.
        on_read: Called with the lines of a manifest that were looked at so far.
        on_loaded: Called with the number of images loaded so far.

    Raises:
        SpecError: What is asked is refused.
        SourceError: A place, or a line of a manifest, is refused, empty or unreadable; no batch is
            left.
        ConfigError: A living worker of the model could not do what is asked.
        NotFound: An upload, or the owner, is gone.
        Refused: The owner may no more submit for the team.
        Unreachable: Database or store is away.
    """
    submission = _submission(pool, args, key, on_read)
    with pool.database.read() as session:
        require_abilities(session, submission.spec)
    guard = Guard(pool.settings.store_url)
    submitter = Submitter(pool.database, pool.wake, guard=guard, fence=fence)
    return submitter.submit(submission, on_loaded)


def _submission(pool: Pool, args: LoadArgs, key: str, on_read: OnRead) -> Submission:
    draft = Draft.of(pool.settings, replace(asked(args.question), glossary=args.glossary))
    drawn = None if args.sample is None else Sample(args.sample.images, args.sample.seed)
    source = sampled(_opened(pool, args, on_read), drawn)
    klass = Klass[args.klass.upper()]
    if klass == Klass.NOW:
        reason = f"has more than {MAX_NOW} images, the most for class now; submit it as bulk"
        refusal = SourceError(source.text, reason, code="batch.now", params={"limit": MAX_NOW})
        source = BoundedSource(source, MAX_NOW, refusal)
    return Submission(
        source=source,
        spec=draft.spec(source),
        owner=args.owner,
        key=args.key or key,
        name=args.name or _upload_name(pool, args),
        klass=klass,
        priority=args.priority,
        reading=draft.reading,
        team_id=args.team,
        uploads=_uploads(args),
    )


def _opened(pool: Pool, args: LoadArgs, on_read: OnRead) -> Source:
    store = pool.store()
    opened: list[Source] = [
        UploadSource(upload_id, pool.database, store) for upload_id in args.uploads
    ]
    opened += [_open_granted(pool, text) for text in args.sources]
    if args.sources or args.manifest:
        opened += _readable_still(pool, args, on_read)
    if not opened:
        raise SpecError("source", "nothing is named; name an upload or a granted place")
    return opened[0] if len(opened) == 1 else JoinedSource(tuple(opened))


def _readable_still(pool: Pool, args: LoadArgs, on_read: OnRead) -> list[Source]:
    """Refuse what the owner's team could read when they asked, and cannot any more.

    Returns:
        The manifest, if one is named: its lines are looked at here.
    """
    owner = users.as_caller(pool, args.owner)
    readable = grants.readable(pool, owner, args.team)
    for text in args.sources:
        if why := readable.refusal(text):
            raise grants.refused(text, why)
    if args.manifest is None:
        return []
    uploads.find(pool, owner, args.manifest.upload, Right.SUBMIT)
    manifest = ManifestSource(
        args.manifest.upload,
        args.manifest.file,
        pool.database,
        pool.store(),
        readable.refusal,
        Allowed.by(pool.settings, any_file=False),
    )
    manifest.require_good(on_read)
    return [manifest]


def _open_granted(pool: Pool, text: str) -> Source:
    """A place outside the store. Files of the clerk's own machine are nobody's."""
    if not text.startswith("s3://") and not is_web(text):
        reason = "is no place that is read; write s3://bucket/prefix or a URL"
        raise SourceError(text, reason, code="place.kind", params={"place": text})
    allowed = Allowed.by(pool.settings, any_file=False)
    allowed.require_bucket(text)
    return open_source(
        text,
        endpoint_url=pool.settings.s3_endpoint_url,
        allowed=allowed,
        own_store=pool.settings.store_url,
    )


def _uploads(args: LoadArgs) -> tuple[UUID, ...]:
    """Those that stay as long as the batch does; a manifest's as well, where images of it lie."""
    of_manifest = [] if args.manifest is None else [args.manifest.upload]
    return tuple(dict.fromkeys((*args.uploads, *of_manifest)))


def _upload_name(pool: Pool, args: LoadArgs) -> str:
    if not (named := _uploads(args)):
        return ""
    with pool.database.read() as session:
        return upload_files.name_of(session, named[0])
