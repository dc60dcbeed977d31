"""Images with instances of many scores, for what counts them: drawn by ``seq``, the same again."""

from __future__ import annotations

import numpy as np

from maskpool import rle
from maskpool.domain import Found, Instance, JobResult
from services.plain_pool import SIZE


def scored(seq: int) -> JobResult:
    """Up to three instances of each of two prompts, as workers write them; in some images none."""
    random = np.random.default_rng(seq)
    mask = np.ones(SIZE, np.bool_)
    box = (0.0, 0.0, float(SIZE[1]), float(SIZE[0]))
    found = [
        Found(prompt, float(np.float32(score)), box, rle.encode(mask))
        for prompt in (0, 1)
        for score in sorted(random.integers(5, 100, random.integers(4)) / 100, reverse=True)
    ]
    instances = []
    for place, one in enumerate(found):
        better = [
            other
            for other, rival in enumerate(found)
            if rival.prompt_index != one.prompt_index
            and (-rival.score, other) < (-one.score, place)
        ]
        is_contended = bool(better) and random.random() < 0.5
        against = float(np.float32(random.random())) if one.prompt_index == 1 else None
        instances.append(
            Instance(
                one,
                area=mask.size,
                overlap=float(np.float32(random.random())),
                against=against,
                against_text=None if against is None else "c",
                contended=0.75 if is_contended else None,
                contender=int(random.choice(better)) if is_contended else None,
            )
        )
    return JobResult(seq, SIZE[1], SIZE[0], tuple(instances), f"{seq:064x}")
