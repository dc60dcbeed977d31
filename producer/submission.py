"""What is asked for when images are submitted, checked before anything is written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from maskpool.domain import DEFAULT_THRESHOLD, Klass, Priority, new_id
from maskpool.errors import SpecError
from maskpool.reading import Reading
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, Prompt
from maskpool.text import is_storable
from producer.sources import Source, open_source
from producer.sources.allowed import LISTS, Allowed
from producer.sources.passed import passed_over

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
        if_changed: What to do where the key's batch was made of other images, for the sentence.
    """

    source: Source
    spec: BatchSpec
    owner: str
    key: str
    name: str = ""
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL
    upload: bool = False
    if_changed: str = "submit under another key"


def prepare(
    settings: Settings,
    source: str,
    prompts: tuple[Prompt, ...],
    *,
    model: str = "",
    threshold: float = DEFAULT_THRESHOLD,
    name: str = "",
    key: str = "",
    klass: Klass = Klass.BULK,
    priority: Priority = Priority.NORMAL,
    same_paths: bool = False,
    strict: bool = False,
) -> Submission:
    """Check what is asked for, and refuse what the workers would refuse; nothing is written yet.

    Args:
        settings: The pool's.
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        prompts: What to look for.
        model: Alias of the models; the settings' own where empty.
        threshold: Lowest score that counts.
        name: For people.
        key: Idempotency key; a new one where empty.
        klass: Of the queue.
        priority: Among the owner's own batches.
        same_paths: Workers see the same paths as we do: upload nothing.
        strict: Refuse a source of which anything is passed over.

    Raises:
        SpecError: A prompt, the model, the threshold, name, key or owner is refused.
        SourceError: The source cannot be opened, or the workers may not read it, or not all of it
            is read.
    """
    alias_name = model or settings.model
    alias = settings.alias(alias_name)
    reading = Reading(threshold=threshold, max_overlap=alias.max_overlap)
    spec = BatchSpec.of(alias_name, prompts, reading)
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
    upload_images = must_upload and opened.kind != "s3"
    if strict:
        passed_over(opened).require_nothing(opened.text)
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
    )


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
