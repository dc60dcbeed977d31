"""What is kept of a batch's counts, beside a recount."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from db import histogram, score_blocks
from db.histogram import Counted
from db.models import BatchRow
from maskpool.errors import CorruptObject, SpecError
from maskpool.histogram import ANY, digest_of
from maskpool.reading import reading_of
from maskpool.reading_rule import ReadingRule
from maskpool.score_block import ScoreBlock
from maskpool.spec import BatchSpec
from maskpool.text import counted
from producer import kept_scores
from producer.counting import same_names
from producer.integrity.findings import Finding, Kind


def check_counts(session: Session, batch: BatchRow) -> Iterator[Finding]:
    """Compare the kept histogram of a batch, where it is of how it is read now."""
    known = histogram.counted(session, batch.id)
    if known is None:
        return
    try:
        spec = BatchSpec.read(batch.spec)
        reading = reading_of(batch.spec, batch.reading)
    except SpecError:  # the check of masks says so
        return
    rule = reading.rule_for([prompt.name for prompt in spec.prompts])
    if known.rule != digest_of(rule):
        return  # a clerk is to count it anew
    recount = histogram.bars(session, batch.id, rule, same_names(spec.categories))
    kept = histogram.kept(session, batch.id)
    names = {**dict(enumerate(spec.categories)), ANY: "all prompts together"}
    for index in sorted(recount.keys() | kept.keys()):
        if recount.get(index) != kept.get(index):
            sentence = "its kept histogram is not what a recount gives"
            yield Finding(Kind.COUNTS, batch.id, names.get(index, f"prompt {index}"), sentence)
    images = histogram.count_done(session, batch.id)
    if images != known.images:
        sentence = (
            f"{counted(known.images, 'image was', 'images were')} counted, and {images:,} are done"
        )
        yield Finding(Kind.COUNTS, batch.id, "images", sentence)
    if known.blocks and known.is_of(rule):
        yield from _check_blocks(session, batch, known, rule)


def _check_blocks(
    session: Session, batch: BatchRow, known: Counted, rule: ReadingRule
) -> Iterator[Finding]:
    """Make each kept block of scores again, and compare."""
    places = kept_scores.places_by_name(session, batch.id, batch.total)
    reached = 0
    for first, content in score_blocks.contents(session, batch.id, known.version):
        try:
            block = ScoreBlock.load(content)
        except CorruptObject as error:
            yield Finding(Kind.COUNTS, batch.id, f"images from {first:,} on", str(error))
            return
        seqs = range(first, first + block.states.size)
        made = kept_scores.make(session, batch.id, rule, seqs, places, same={})
        again = ScoreBlock.load(made.content)
        if first != reached or not block.same_as(again):
            sentence = "their kept scores are not what their rows say"
            yield Finding(Kind.COUNTS, batch.id, f"images from {first:,} on", sentence)
        reached = seqs.stop
    if reached != batch.total:
        sentence = (
            f"the scores of {counted(reached, 'image')} are kept, and there are {batch.total:,}"
        )
        yield Finding(Kind.COUNTS, batch.id, "images", sentence)
