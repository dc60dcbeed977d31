"""Which prompts of a batch often found the same objects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from uuid import UUID

from db import instances, lookup
from producer.pool import Pool
from producer.results import reader
from producer.stretches import sample

#: Share of the rarer prompt's instances from which on two prompts contend often.
_OFTEN = 0.1


@dataclass(frozen=True, slots=True)
class Contending:
    """Two prompts that found the same objects.

    Attributes:
        one: Name of a prompt.
        other: Name of the other one.
        instances: Of either, that have a better one of the other prompt on them.
        images: In so many images; None where all of the batch were looked at.
    """

    one: str
    other: str
    instances: int
    images: int | None = None


def contending(pool: Pool, batch_id: UUID) -> list[Contending]:
    """Pairs of prompts that often found the same object, so far; the most frequent first.

    In a large batch only a sample of the images is looked at, stretches of it evenly spread: a
    join over a million instances would take a second.

    Raises:
        NotFound: There is no such batch.
    """
    view = reader.view(pool.database, batch_id)
    if len(view.spec.prompts) < 2:
        return []
    rule = replace(view.rule, exclusive=False)
    pairs: Counter[tuple[int, int]] = Counter()
    counts: Counter[int] = Counter()
    with pool.database.read() as session:
        total = lookup.progress(session, batch_id).total
        stretches = sample(total)
        # One by one: SQLite would go through all instances for several stretches at once.
        for seqs in stretches:
            pairs += instances.contending_pairs(session, batch_id, rule, seqs)
            counts += instances.count_by_prompt(session, batch_id, rule, seqs)
    looked_at = sum(map(len, stretches))
    return [
        Contending(
            view.categories[one],
            view.categories[other],
            count,
            looked_at if looked_at < total else None,
        )
        for (one, other), count in pairs.most_common()
        if count >= _OFTEN * min(counts[one], counts[other])
    ]
