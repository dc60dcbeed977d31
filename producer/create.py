"""A batch for somebody at the door: what they may make it of, and whether it is made at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import upload_files
from maskpool.domain import Klass, Priority
from maskpool.errors import SourceError, SpecError
from maskpool.sample import Sample
from maskpool.spec_file import Question, asked
from maskpool.tasks import TaskKind
from producer import glossary, tasks, uploads
from producer.accounts import grants, teams
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool
from producer.sources import names
from producer.sources.allowed import Allowed
from producer.sources.listed import listed
from producer.sources.sampled import sampled
from storage.images.web.urls import shown_address

if TYPE_CHECKING:  # they take numpy, which a web server that makes no batch does without
    from producer.submission import Draft

#: Images of uploads whose batch is made while its sender waits.
MAX_AT_ONCE = 1_000

#: Addresses of one request; they are read, checked and written while their sender waits.
MAX_LISTED = 100_000

_MANIFEST = "source.manifest.file"


@dataclass(frozen=True, slots=True)
class AskedBatch:
    """What somebody asks for; of the four sources one is given.

    Attributes:
        question: As in a spec file.
        key: The same again of one owner is the same batch.
        uploads: Whose files are its images.
        manifest: An upload, and which file of it names the images.
        places: Prefixes of buckets, or addresses of images.
        images: Addresses of images.
        name: For people.
        team: Whose members see it; None: the owner's only one.
        klass: Of the queue.
        priority: Among the owner's batches.
        sample: Of which images of the source; None: of all.
        glossary: Version that gave English texts which were composed before; empty: of none.
    """

    question: Question
    key: str
    uploads: Sequence[UUID] = ()
    manifest: tuple[UUID, str] | None = None
    places: Sequence[str] = ()
    images: Sequence[str] = ()
    name: str = ""
    team: UUID | None = None
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL
    sample: Sample | None = None
    glossary: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """What came of it: one of both.

    Attributes:
        batch_id: The batch, which is active.
        task_id: The clerk's task that makes it.
        passed_over: What of its source is not in the batch, counted by kind; of a task's, its
            result says so.
    """

    batch_id: UUID | None = None
    task_id: UUID | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)


#: Called with the task's id in the transaction that creates it.
AlsoWrites = Callable[[Session, UUID], None]


def create(
    pool: Pool, caller: Caller, batch: AskedBatch, also: AlsoWrites = lambda *_: None
) -> Created:
    """Make a batch, or have the clerk make it where that outlives a request.

    Raises:
        SpecError: The question, the team or the source is refused.
        SourceError: An address is refused, or nothing is there.
        NotFound, Refused: An upload is none that the caller may submit.
        ConfigError: A living worker of the model could not do what is asked.
        Conflict: The key belongs to another question or source.
    """
    from producer.load import MAX_NOW, LoadArgs, ManifestArgs, SampleArgs, load  # noqa: PLC0415 - see above
    from producer.submission import Draft  # noqa: PLC0415

    team = team_for(pool, caller, batch.team)
    question, version = glossary.composed_question(pool, team, batch.question)
    version = version or batch.glossary
    draft = Draft.of(pool.settings, replace(asked(question), glossary=version))
    sizes = [uploads.find(pool, caller, one, Right.SUBMIT).files for one in batch.uploads]
    if batch.manifest is not None:
        _require_manifest(pool, caller, *batch.manifest)
    _require_granted(batch, grants.readable(pool, caller, team))
    if batch.klass is Klass.NOW and _known_images(batch, sum(sizes)) > MAX_NOW:
        raise SpecError(
            "class",
            f"now is for {MAX_NOW} images at most; say bulk",
            code="batch.now",
            params={"limit": MAX_NOW},
        )
    if batch.images:
        return Created(_submit(pool, caller, batch, team, draft))
    # Clerks of the version before know no such fields: they are there where they say something,
    # and such a clerk then refuses rather than load the whole.
    later: dict[str, Any] = {"glossary": version} if version else {}
    later |= {"manifest": ManifestArgs.of(batch.manifest)} if batch.manifest else {}
    later |= {"sample": SampleArgs.of(batch.sample)} if batch.sample else {}
    args = LoadArgs(
        question=question,
        uploads=tuple(batch.uploads),
        sources=tuple(batch.places),
        owner=caller.name,
        team=team,
        name=batch.name,
        key=batch.key,
        klass="now" if batch.klass is Klass.NOW else "bulk",
        priority=batch.priority,
        **later,
    )
    if not batch.places and batch.manifest is None and sum(sizes) <= MAX_AT_ONCE:
        loaded = load(pool, args, key=batch.key)
        return Created(loaded.batch_id, passed_over=loaded.passed_over.counts)
    with pool.database.write() as session:
        dumped = args.model_dump(mode="json", by_alias=True, exclude_unset=True)
        task_id = tasks.create(session, TaskKind.LOAD, dumped, user_id=caller.user_id, team_id=team)
        also(session, task_id)
    pool.wake()
    return Created(task_id=task_id)


def _known_images(batch: AskedBatch, uploaded: int) -> int:
    """Images of a batch, as far as they are known before its places are listed."""
    count = max(uploaded, len(batch.images))
    return count if batch.sample is None else min(count, batch.sample.images)


def _require_granted(batch: AskedBatch, readable: grants.Readable) -> None:
    for text in batch.places:
        if why := readable.refusal(text):
            raise grants.refused(text, why)
    for at, text in enumerate(batch.images):
        if why := readable.refusal(text):
            shown = shown_address(text)
            reason, params = f"{shown} {why.reason}", {"place": shown}
            raise SourceError(f"images[{at}]", reason, code=why.code, params=params)


def _require_manifest(pool: Pool, caller: Caller, upload_id: UUID, file: str) -> None:
    """Refuse what cannot become a batch whatever stands in it; the clerk reads its lines."""
    upload = uploads.find(pool, caller, upload_id, Right.SUBMIT)
    shown, endings = names.shown(file), ", ".join(names.LIST_SUFFIXES)
    if not names.is_list(file):
        reason = f"{shown} is no manifest by its name ({endings})"
        raise SpecError(_MANIFEST, reason, code="manifest.name", params={"name": file})
    with pool.database.read() as session:
        there = upload_files.file(session, upload.id, file)
    if there is None:
        reason = f"{shown} is not in this upload; bring it first"
        raise SpecError(_MANIFEST, reason, code="manifest.gone", params={"name": file})
    if there.size is None:
        reason = f"parts of {shown} are missing; send them first"
        raise SpecError(_MANIFEST, reason, code="manifest.parts", params={"name": file})


def team_for(pool: Pool, caller: Caller, asked_team: UUID | None) -> UUID | None:
    """Whose members are to see what somebody makes.

    Raises:
        SpecError: They may submit for no such team, or for several and named none.
        NotFound: There is no such team.
    """
    if asked_team is not None:
        if not caller.may(Right.SUBMIT, owner_id=None, team_id=asked_team):
            raise SpecError("team", f"you may submit for no team {asked_team}", code="batch.team")
        # An admin may for all teams, but not for one that is not there.
        return teams.find(pool, str(asked_team)).id
    mine = [one for one in caller.teams if caller.may(Right.SUBMIT, owner_id=None, team_id=one)]
    if len(mine) > 1:
        ids = " or ".join(sorted(map(str, mine)))
        reason = f"you may submit for several teams; name one: {ids}"
        raise SpecError("team", reason, code="batch.teams")
    return mine[0] if mine else None


def _submit(pool: Pool, caller: Caller, batch: AskedBatch, team: UUID | None, draft: Draft) -> UUID:
    from producer.submission import Submission  # noqa: PLC0415 - see above
    from producer.submit import submit  # noqa: PLC0415

    addresses = listed(batch.images, Allowed.by(pool.settings, any_file=False))
    source = sampled(addresses, batch.sample)
    submission = Submission(
        source=source,
        spec=draft.spec(source),
        owner=caller.name,
        key=batch.key,
        name=batch.name or source.text,
        klass=batch.klass,
        priority=batch.priority,
        reading=draft.reading,
        team_id=team,
    )
    return submit(pool, submission).batch_id
