"""Batches, made of uploads, manifests, granted places or lists of addresses."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints, field_validator, model_validator
from sqlalchemy.orm import Session

from maskpool.domain import Klass, Priority, new_id
from maskpool.sample import MAX_IMAGES, MAX_SEED, Sample
from maskpool.spec import GLOSSARY_PATTERN
from maskpool.spec_file import Question
from producer import visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.create import MAX_LISTED, AskedBatch, create
from web.access import Pooled, needs
from web.idempotency import Answer, Idempotent, Seal
from web.router import Router
from web.routes.batches import AskedTask, Batch, shown
from web.shapes import Asked

router = Router(prefix="/api/v1/batches", tags=["batches"])

_ID = "01a1fcdc-b907-771a-84fd-d7ac484311e2"

Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]
#: JSON has no UUIDs: they come as texts.
Id = Annotated[UUID, Field(strict=False)]


class Manifest(Asked):
    """A file of an upload that names images, one a line."""

    upload: Id = Field(description="Which upload it is in.", examples=[_ID])
    file: Annotated[str, StringConstraints(min_length=1, max_length=800, pattern=r"^[^\x00]*$")] = (
        Field(
            description="Its name there, ending in .csv, .tsv, .jsonl, .ndjson, .manifest or .txt.",
            examples=["list.jsonl"],
        )
    )


class Source(Asked):
    """Where the images are; one of the four."""

    uploads: list[Id] = Field(default=[], max_length=100, examples=[[_ID]])
    manifest: Manifest | None = Field(
        default=None,
        description="A list of any length. Its lines name files of its upload, and addresses that "
        "your team may read; the clerk reads it, and one line that is refused refuses the batch.",
        examples=[{"upload": _ID, "file": "list.jsonl"}],
    )
    places: list[Address] = Field(
        default=[],
        max_length=100,
        description="Prefixes of buckets that your team may read.",
        examples=[["s3://street-photos/2026/"]],
    )
    images: list[Address] = Field(
        default=[],
        description="Addresses of images that your team may read.",
        examples=[["https://images.example.org/1.jpg"]],
        json_schema_extra={"maxItems": MAX_LISTED},
    )

    @field_validator("images")
    @classmethod
    def _not_too_many(cls, value: list[str]) -> list[str]:
        if len(value) > MAX_LISTED:
            msg = (
                f"{len(value):,} addresses, and one request takes {MAX_LISTED:,}; make several "
                "batches, or name the prefix of their bucket under places, or bring the files, or "
                "a manifest, as an upload: for these there is no such limit"
            )
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> Source:
        if sum(map(bool, (self.uploads, self.manifest, self.places, self.images))) != 1:
            msg = "name uploads, a manifest, places or images: one of them, and at least one of it"
            raise ValueError(msg)
        return self


class AskedSample(Asked):
    """How many images of the source are drawn, by lot; the same seed draws the same."""

    images: int = Field(ge=1, le=MAX_IMAGES, examples=[200])
    seed: int = Field(default=0, ge=0, le=MAX_SEED, examples=[7])


class NewBatch(Asked):
    """What is asked of which images."""

    spec: dict[str, Any] = Field(
        description="As in a file for `maskpool submit --spec` (`maskpool schema`).",
        examples=[{"prompts": ["bus", {"text": "car", "not": ["van"], "threshold": 0.6}]}],
    )
    source: Source = Field(examples=[{"uploads": [_ID]}])
    sample: AskedSample | None = Field(
        default=None, description="Of so many images of the source alone; null: of all."
    )
    name: Text = Field(default="", description="The source's, if empty.", examples=["street"])
    team: Id | None = Field(
        default=None, description="Whose members see it; your only one, if null."
    )
    klass: Literal["now", "bulk"] = Field(default="bulk", alias="class")
    priority: Annotated[Priority, Field(strict=False)] = Field(default=Priority.NORMAL)
    glossary: Annotated[str, StringConstraints(pattern=GLOSSARY_PATTERN)] = Field(
        default="",
        description="Version of the glossary that gave the spec's English, where texts were "
        "composed before; kept in the batch's spec. Where the spec has Chinese texts, today's is.",
        examples=["1.3.0"],
    )
    key: Text = Field(default="", description="The same again is the same batch.")


class MadeBatch(Batch):
    """A batch that was made at once."""

    passed_over: dict[str, int] = Field(
        description="What of the uploads is not in it, counted by kind.",
        examples=[{"file whose parts are not all there": 1}],
    )


@router.post(
    "",
    status_code=201,
    response_model=MadeBatch,
    responses={202: {"model": AskedTask, "description": "The clerk makes it."}},
)
def create_batch(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    asked: NewBatch,
    once: Idempotent,
) -> JSONResponse:
    """Make a batch: at once of listed images or small uploads, else by the clerk."""
    manifest = asked.source.manifest
    batch = AskedBatch(
        question=Question.read(asked.spec),
        key=asked.key or (f"request {once.key}" if once.key else str(new_id())),
        uploads=asked.source.uploads,
        manifest=None if manifest is None else (manifest.upload, manifest.file),
        places=asked.source.places,
        images=asked.source.images,
        name=asked.name,
        team=asked.team,
        klass=Klass[asked.klass.upper()],
        priority=asked.priority,
        sample=None if asked.sample is None else Sample(**asked.sample.model_dump()),
        glossary=asked.glossary,
    )

    def work(seal: Seal) -> Answer:
        def also(session: Session, task_id: UUID) -> None:
            seal(session, Answer(202, AskedTask(task=task_id)))

        made = create(pool, caller, batch, also)
        if made.task_id is not None:
            return Answer(202, AskedTask(task=made.task_id))
        assert made.batch_id is not None  # noqa: S101 - one of both
        found = visible.find_batch(pool, caller, made.batch_id, Right.SUBMIT)
        told = {**shown(found), "passed_over": made.passed_over}
        return Answer(201, MadeBatch.model_validate(told))

    return once.run(pool, caller, work)
