"""What is asked for when images are submitted, checked before anything is written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from maskpool.domain import Klass, Priority, new_id
from maskpool.errors import Option, SourceError, SpecError
from maskpool.reading import Reading
from maskpool.sample import Sample
from maskpool.settings import Settings
from maskpool.spec import BatchSpec
from maskpool.spec_file import Asked
from maskpool.text import is_storable
from producer.objects import survey
from producer.sources import Source, open_source
from producer.sources.allowed import LISTS, Allowed
from producer.sources.boxed import BoxedSource
from producer.sources.passed import passed_over
from producer.sources.sampled import SampledSource, sampled, whole

#: Characters of a name, a key or an owner; Postgres indexes no value above some 2,700 bytes.
_MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked for.

    Attributes:
        source: Where the images are.
        spec: Prompts, settings, model.
        owner: Who submits.
        name: For people; the source's own name where empty.
        key: Idempotency key: the same key twice is one batch, and resumes an interrupted submit.
        klass: Of the queue; NOW goes before all bulk.
        priority: Among the owner's own batches.
        upload: Whether local images are copied into the store first.
        reading: How the results are read; as the spec says where None.
        team_id: Whose members see the batch; None: its owner alone.
        uploads: Those that the images lie in.
        if_changed: What to do where the key's batch was made of other images, for the sentence.
        option: See ``maskpool.errors.Permanent``; of this sentence.
    """

    source: Source
    spec: BatchSpec
    owner: str
    key: str
    name: str = ""
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL
    upload: bool = False
    reading: Reading | None = None
    team_id: UUID | None = None
    uploads: tuple[UUID, ...] = ()
    if_changed: str = "submit under another key"
    option: Option | None = None


def prepare(
    settings: Settings,
    source: str,
    asked: Asked,
    *,
    boxes: Path | None = None,
    name: str = "",
    key: str = "",
    klass: Klass = Klass.BULK,
    priority: Priority = Priority.NORMAL,
    same_paths: bool = False,
    sample: Sample | None = None,
    strict: bool = False,
    team_id: UUID | None = None,
) -> Submission:
    """Check what is asked for, and refuse what the workers would refuse; nothing is written yet.

    Args:
        settings: The pool's.
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        asked: What is asked of its images, and how the answers are read.
        boxes: File or folder with boxes that are to become masks.
        name: For people.
        key: Idempotency key; a new one where empty.
        klass: Of the queue.
        priority: Among the owner's own batches.
        same_paths: Workers see the same paths as we do: upload nothing.
        sample: Of which images of the source; None: of all.
        strict: Refuse a source of which anything is passed over.
        team_id: Whose members see the batch; None: its owner alone.

    Raises:
        SpecError: A prompt, the model, the reading, name, key or owner is refused.
        SourceError: The source or the boxes cannot be opened, or the workers may not read it, or
            not all of it is read.
    """
    draft = Draft.of(settings, asked)
    _require_text(name=name, key=key, MASKPOOL_OWNER=settings.owner_name)
    # Workers of a store in a bucket run on other machines, which see a bucket but not our disk.
    must_upload = settings.store_url.startswith("s3://") and not same_paths
    allowed = Allowed.by(settings, any_file=must_upload)
    allowed.require_bucket(source)
    opened = open_source(
        source,
        endpoint_url=settings.s3_endpoint_url,
        allowed=allowed,
        own_store=settings.store_url,
    )
    allowed.require_root(opened)
    opened = opened if boxes is None else BoxedSource(opened, boxes)
    opened = sampled(opened, sample)
    spec = draft.spec(opened)
    upload_images = must_upload and opened.kind != "s3"
    if strict:
        passed_over(opened).require_nothing(opened.text)
        require_all_boxes(opened)
    elif upload_images and opened.kind in LISTS:
        # What a line is refused for later would be copied for nothing.
        deque(opened.refs(), maxlen=0)
    return Submission(
        source=opened,
        spec=spec,
        owner=settings.owner_name,
        key=key or str(new_id()),
        name=name,
        klass=klass,
        priority=priority,
        upload=upload_images,
        reading=draft.reading,
        team_id=team_id,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its images are known: what is refused here costs no reading of a source."""

    asked: Asked
    model: str
    reading: Reading

    @classmethod
    def of(cls, settings: Settings, asked: Asked) -> Draft:
        """Check all that can be checked without the images.

        Raises:
            SpecError: The model, a prompt or the reading is refused.
        """
        model = asked.model or settings.model
        reading = asked.reading_with(max_overlap=settings.alias(model).max_overlap)
        if asked.prompts:
            BatchSpec.of(
                model,
                asked.prompts,
                reading,
                verify=asked.verify,
                glossary=asked.glossary,
                tiles=asked.tiles,
            )
        return cls(asked, model, reading)

    def spec(self, source: Source) -> BatchSpec:
        """The spec of a batch over a source, which is read where its images may be asked more.

        Raises:
            SpecError: Nothing is asked at all.
            SourceError: A line of the source is refused, or all boxes are of other images.
        """
        objects = survey(source)
        if not self.asked.prompts and not objects.classes:
            raise _nothing_asked(source)
        return BatchSpec.of(
            self.model,
            self.asked.prompts,
            self.reading,
            classes=objects.classes,
            digest=objects.digest,
            verify=self.asked.verify,
            glossary=self.asked.glossary,
            tiles=self.asked.tiles,
        )


def _nothing_asked(source: Source) -> SourceError | SpecError:
    """The refusal of a source that was read to its end, and asks for nothing by itself."""
    if isinstance(source, SampledSource) and isinstance(source.source, BoxedSource):
        return SourceError(
            str(source.source.path),
            "gives no box to any image of the sample; draw a larger one, or with another seed",
        )
    if isinstance(source, BoxedSource):
        why = next(iter(left_out_boxes(source)), "it has no box for any image of the source")
        return SourceError(str(source.path), f"gives no box to work on: {why}")
    return SpecError(
        "prompts",
        "nothing is asked; name at least one prompt, e.g. yellow school bus, or give boxes",
        option=Option.PROMPTS,
        code="spec.nothing",
    )


def require_all_boxes(source: Source) -> None:
    """Refuse a file of boxes of which anything is left out.

    Raises:
        SourceError: Quotes the first sentence about it.
    """
    for sentence in left_out_boxes(source):
        raise SourceError(source.text, f"not all boxes are used: {sentence}")


def left_out_boxes(source: Source) -> list[str]:
    """What of a file of boxes is not used, each as a sentence; the source was read to its end."""
    source = whole(source)
    if not isinstance(source, BoxedSource):
        return []
    return [*source.problems, *filter(None, [str(source.unmatched)])]


def _require_text(**texts: str) -> None:
    """Refuse what no row can keep.

    Raises:
        SpecError: A text is not UTF-8, holds a NUL, or is too long; names it.
    """
    for field, text in texts.items():
        if not is_storable(text) or "\0" in text:
            raise SpecError(field, f"{text[:80]!r} is not UTF-8 or holds a NUL; write another")
        if len(text) > _MAX_TEXT:
            raise SpecError(field, f"it has {len(text):,} characters; {_MAX_TEXT} are allowed")
