"""Lists of a large batch's images out of its kept blocks of scores; ``db.images`` says the same.

A clerk makes the blocks when it counts a batch. Going through them is a matter of arrays, ten times
cheaper than through the rows; what is listed, and its order, are the same to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from db import score_blocks
from db.image_rows import Choice, Place
from db.images import Order, mixing
from db.session import is_postgres
from db.uncertain import CERTAIN
from maskpool.histogram import Bars
from maskpool.reading_rule import ReadingRule
from maskpool.score_block import NO_STATE, ScoreBlock
from producer import score_bars
from producer.listing_asked import Asked


class Picked(NamedTuple):
    """Images of a page.

    Attributes:
        places: Of each, in the list's order: its key and ``seq``.
        total: How many are chosen on all pages; None where it was not asked for.
    """

    places: list[Place]
    total: int | None


@dataclass
class _Found:
    """Images behind the cursor, block by block."""

    keys: list[npt.NDArray[Any]] = field(default_factory=list)
    seqs: list[npt.NDArray[np.int64]] = field(default_factory=list)
    count: int = 0

    def add(self, keys: npt.NDArray[Any], seqs: npt.NDArray[np.int64]) -> None:
        self.keys.append(keys)
        self.seqs.append(seqs)
        self.count += seqs.size

    def part(self, skip: int, limit: int) -> list[Place]:
        """The page: behind the first ``skip``, at most ``limit``."""
        if skip >= self.count:
            return []
        keys, seqs = np.concatenate(self.keys), np.concatenate(self.seqs)
        if skip + limit < self.count:
            # Equal keys at the edge stay: ``seq`` decides between them.
            edge = np.partition(keys, skip + limit - 1)[skip + limit - 1]
            near = keys <= edge
            keys, seqs = keys[near], seqs[near]
        order = np.lexsort((seqs, keys))[skip : skip + limit]
        return list(zip(keys[order].tolist(), seqs[order].tolist(), strict=True))


def pick(session: Session, version: int, asked: Asked, *, with_total: bool) -> Picked:
    """The places of a page's images.

    Args:
        session: Reads one moment.
        version: Of the batch's blocks, which are whole and of the rule by which it is read.
        asked: Which page; by name its cursor's key is the image's place among all names.
        with_total: Count all that are chosen; only at the beginning of a list.

    Raises:
        CorruptObject: A block is damaged, or of another version of this program.
    """
    found, total = _Found(), 0
    is_submitted = asked.order is Order.SEQ
    first = asked.after[1] + 1 if asked.after is not None and is_submitted else 0
    for first_seq, block in _blocks(session, asked.view.batch_id, version, first):
        chosen = np.flatnonzero(_chosen(block, asked))
        total += chosen.size
        keys = _keys(block, first_seq, asked)[chosen]
        seqs = chosen + first_seq
        if asked.after is not None:
            behind = _behind(keys, seqs, asked.after)
            keys, seqs = keys[behind], seqs[behind]
        found.add(keys, seqs)
        if is_submitted and not with_total and found.count >= asked.skip + asked.limit:
            break
    return Picked(found.part(asked.skip, asked.limit), total if with_total else None)


def _blocks(
    session: Session, batch_id: UUID, version: int, first: int
) -> Iterator[tuple[int, ScoreBlock]]:
    for first_seq, content in score_blocks.contents(session, batch_id, version, first):
        yield first_seq, ScoreBlock.load(content)


def place_by_name(
    session: Session, batch_id: UUID, version: int, after: tuple[Any, int]
) -> Place | None:
    """A cursor of the list by name, as a place among all names; None: it is of no image here."""
    name, seq = after
    if score_blocks.name_of(session, batch_id, seq) != name:
        return None
    first_seq, content = next(score_blocks.contents(session, batch_id, version, seq))
    return int(ScoreBlock.load(content).places[seq - first_seq]), seq


def _chosen(block: ScoreBlock, asked: Asked) -> npt.NDArray[np.bool_]:
    """Which images of a block are chosen."""
    choice = asked.choice
    if choice.states:
        images = np.isin(block.states, [int(state) for state in choice.states])
    else:
        images = block.states != NO_STATE
    if choice.found is None:
        return images
    low, high = choice.scores
    score = block.score.astype(np.float64)
    counts = block.counts & (score >= low) & (score <= high) & _of_prompts(block, choice)
    there = np.zeros(block.states.size, np.bool_)
    there[block.image[counts]] = True
    return images & (there if choice.found else ~there)


def _of_prompts(block: ScoreBlock, choice: Choice) -> npt.NDArray[np.bool_]:
    if choice.prompts is None:
        return np.ones(block.prompt.size, np.bool_)
    return np.isin(block.prompt, list(choice.prompts))


def _keys(block: ScoreBlock, first_seq: int, asked: Asked) -> npt.NDArray[Any]:
    """What the images of a block are ordered by, before ``seq``."""
    count = block.states.size
    if asked.order is Order.NAME:
        return block.places.astype(np.int64)
    if asked.order is Order.RANDOM:
        mixed: npt.NDArray[np.int64] = mixing(
            np.arange(first_seq, first_seq + count, dtype=np.int64), asked.seed
        )
        return mixed
    if asked.order is Order.UNCERTAIN:
        return _uncertainties(block, asked)
    return np.zeros(count, np.int64)


def _uncertainties(block: ScoreBlock, asked: Asked) -> npt.NDArray[np.float64]:
    which = ~block.is_object & _of_prompts(block, asked.choice)
    prompt, rule = block.prompt[which], asked.view.rule
    least = np.full(prompt.size, rule.threshold, np.float64)
    for index, own in rule.prompts.items():
        if own.threshold is not None:
            least[prompt == index] = own.threshold
    nearest = np.full(block.states.size, CERTAIN, np.float64)
    distances = np.abs(block.score[which].astype(np.float64) - least)
    np.minimum.at(nearest, block.image[which], distances)
    return nearest


def _behind(
    keys: npt.NDArray[Any], seqs: npt.NDArray[np.int64], after: Place
) -> npt.NDArray[np.bool_]:
    key, seq = after
    behind: npt.NDArray[np.bool_] = (keys > key) | ((keys == key) & (seqs > seq))
    return behind


def places_by_name(session: Session, batch_id: UUID, total: int) -> npt.NDArray[np.uint32]:
    """Where each image of a batch stands by name: (total,), by ``seq``."""
    order = np.fromiter(score_blocks.by_name(session, batch_id), np.int64)
    places = np.zeros(total, np.uint32)
    inside = order < total
    places[order[inside]] = np.flatnonzero(inside)
    return places


class Made(NamedTuple):
    """A block of some images.

    Attributes:
        content: ``ScoreBlock.dump()``.
        bars: Their part of the batch's histogram, by prompt.
    """

    content: bytes
    bars: dict[int, Bars]


def make(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    seqs: range,
    places: npt.NDArray[np.uint32],
    *,
    same: Mapping[int, int],
) -> Made:
    """The block of some images, and what stands in it as bars.

    Args:
        session: Read from.
        batch_id: Whose.
        rule: Which instances count.
        seqs: Which images; no more than 65,536.
        places: Of all images of the batch, by name.
        same: Categories that bear the name of an earlier one, and which that is.
    """
    states = np.full(len(seqs), NO_STATE, np.uint8)
    for seq, state in score_blocks.states(session, batch_id, seqs):
        states[seq - seqs.start] = state
    rows = score_blocks.scores(session, batch_id, rule, seqs)
    columns = list(zip(*rows, strict=True)) or [()] * 6
    block = ScoreBlock(
        states,
        places[seqs.start : seqs.stop],
        (np.array(columns[0], np.int64) - seqs.start).astype(np.uint16),
        np.array(columns[1], np.int16),
        # Postgres holds four bytes and says the shortest figure that means them.
        np.array(columns[2], np.float32 if is_postgres(session) else np.float64),
        np.array(columns[3], np.bool_),
        np.array(columns[4], np.bool_),
    )
    return Made(block.dump(), score_bars.bars(block, np.array(columns[5], np.bool_), same))
