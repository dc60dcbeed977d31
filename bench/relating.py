"""How long it takes to compare the masks of one image across its prompts, beside a loop over pairs.

    python bench/relating.py

CPU milliseconds of one thread, best of fifteen rounds, 640 × 480. *All* of ``relate`` reads the
masks and compares them within each prompt, too. In ``same`` every prompt sees the same objects, a
little differently, which is the most there is to compare; in ``own`` each sees objects of its own.
The loop compares boxes before runs as well.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from bench import machine
from maskpool import rle
from maskpool.domain import MIN_CONTENDED, Found
from maskpool.rivals import Crowd
from maskpool.rle import Runs
from maskpool.spec_prompt import Prompt
from workers.image import relate
from workers.image.asked import Asked

_WIDTH, _HEIGHT, _ROUNDS = 640, 480, 15

#: Prompts and objects of each → at most so many ms across prompts.
_TARGETS = {(10, 20): 15, (256, 7): 250}


def image(prompts: int, objects: int, *, same: bool) -> list[Found]:
    """Ellipses, by prompt and then by falling score."""
    rng = np.random.default_rng(1)
    seen = [_place(rng) for _ in range(objects)]
    found = []
    for prompt in range(prompts):
        scores = np.sort(rng.uniform(0.05, 1, objects))[::-1]
        for score, place in zip(scores, seen, strict=True):
            at = (place if same else _place(rng)) + rng.normal(0, 2, 4)
            found.append(_ellipse(prompt, float(score), at))
    return found


def _place(rng: np.random.Generator) -> np.ndarray:
    """Centre and radii in pixels: x, y, across, down."""
    return rng.uniform([60, 60, 20, 20], [_WIDTH - 60, _HEIGHT - 60, 60, 60])


def _ellipse(prompt: int, score: float, at: np.ndarray) -> Found:
    rows, columns = np.ogrid[:_HEIGHT, :_WIDTH]
    mask = ((columns - at[0]) / at[2]) ** 2 + ((rows - at[1]) / at[3]) ** 2 <= 1
    encoded = rle.encode(mask)
    return Found(prompt, score, (0.0, 0.0, 0.0, 0.0), encoded)


def across(found: Sequence[Found], masks: Sequence[Runs], prompts: int) -> int:
    """What ``relate`` does across prompts; how many are contended."""
    crowd = Crowd(masks)
    rows = relate._by_row(found)  # noqa: SLF001 - a part of it is measured
    return len(relate._contended(crowd, found, [rows[row] for row in range(prompts)]))  # noqa: SLF001


def pair_by_pair(found: Sequence[Found], masks: Sequence[Runs]) -> int:
    """The same by a loop over all pairs of the 1,000 best."""
    order = sorted(range(len(found)), key=lambda index: -found[index].score)[:1_000]
    best, runs = [found[index] for index in order], [masks[index] for index in order]
    boxes = [rle.box_xyxy(one) for one in runs]
    contended = 0
    for one in range(len(best)):
        ious = [
            rle.iou(runs[one], runs[other])
            for other in range(one)
            if best[other].prompt_index != best[one].prompt_index
            and boxes[one][0] < boxes[other][2]
            and boxes[other][0] < boxes[one][2]
            and boxes[one][1] < boxes[other][3]
            and boxes[other][1] < boxes[one][3]
        ]
        contended += max(ious, default=0.0) >= MIN_CONTENDED
    return contended


def timed(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """The least CPU time of a call, in ms."""
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        spent.append(time.thread_time() - began)
    return 1e3 * min(spent)


def main() -> None:
    """Measure and print the table."""
    print(machine.name())
    print("| prompts | objects | | all | across prompts | target | pair by pair |")
    print("|--:|--:|---|--:|--:|--:|--:|")
    for (prompts, objects), target in _TARGETS.items():
        asked = Asked.of([Prompt(text=f"prompt {number}") for number in range(prompts)])
        for kind in ("same", "own"):
            found = image(prompts, objects, same=kind == "same")
            masks = [rle.to_runs(one.mask) for one in found]
            assert across(found, masks, prompts) == pair_by_pair(found, masks)
            everything = timed(partial(relate.relate, found, {}, asked))
            ours = timed(partial(across, found, masks, prompts))
            loop = timed(partial(pair_by_pair, found, masks), rounds=1)
            print(
                f"| {prompts} | {objects} | {kind} | {everything:.1f} ms | {ours:.1f} ms "
                f"| ≤ {target} | {loop:.0f} ms |",
                flush=True,
            )


if __name__ == "__main__":
    main()
