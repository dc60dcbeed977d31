"""What negatives are worth: "circle, not red circle" on scenes that the demo model never saw.

    python bench/negatives.py                # 300 scenes, some minutes
    python bench/negatives.py --scenes 50

Every shape is asked for without each of its colours. *Named* are the objects that the negative
names: the red circles. Precision, what is gone, and recall are of the scenes in which one is named;
recall stands there once more for those in which none is, where a negative can only do harm.
Everything is found, compared and read as the workers and the readers do it.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench import machine
from maskpool import rle
from maskpool.domain import Found, Instance
from maskpool.ports import Request
from maskpool.reading_rule import ReadingRule
from maskpool.rle import Runs
from maskpool.settings import load_settings
from maskpool.spec_prompt import Prompt
from training.scenes import HELD_OUT_SEED, Scene, draw_scene
from training.vocabulary import COLOURS, SHAPES
from workers.engine.work import Scored
from workers.image.asked import Asked
from workers.image.relate import relate
from workers.image.verify import verify
from workers.models.load import LoadedModels, load_for

#: IoU from which on an instance is an object.
_MATCH = 0.5

#: Strengths of "not" that are tried.
_STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

_TEXTS = (*SHAPES, *(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS))

#: Without negatives: what was found at all.
_PLAIN = ReadingRule(max_overlap=0.5, clip_margin=0.0, max_against=1.0)


@dataclass
class Tally:
    """Sums over the scenes of one kind.

    Attributes:
        counted: Instances that count.
        right: Of them, those that are a wanted object.
        wanted: Objects of the shape that the negative does not name.
        named: Named objects that count.
    """

    counted: int = 0
    right: int = 0
    wanted: int = 0
    named: int = 0


@dataclass
class Way:
    """One way to use the negatives.

    Attributes:
        name: For the table.
        reads: Which instances of a case count.
        sums: In scenes with a named object, and in those without.
    """

    name: str
    reads: Callable[[Case], list[Instance]]
    sums: dict[bool, Tally] = field(default_factory=lambda: {True: Tally(), False: Tally()})


@dataclass(frozen=True)
class Case:
    """One pair in one scene.

    Attributes:
        wanted: Masks of the objects that are wanted.
        named: Masks of those that the negative names.
        found: Instances of the prompt; ``against`` as it is stored, ``clip_score`` by CLIP.
        by_share: The same with ``against`` by ``_by_share``.
        beaten: Whether a better instance of the negative lies on each of ``found``.
    """

    wanted: Sequence[Runs]
    named: Sequence[Runs]
    found: tuple[Instance, ...]
    by_share: tuple[Instance, ...]
    beaten: tuple[bool, ...]


def ways() -> list[Way]:
    """What is compared."""
    clip = replace(_PLAIN, clip_margin=0.5)
    return [
        Way("no negative", lambda case: _PLAIN.admitted(case.found)),
        *(
            Way(f"against ≤ {most}", lambda case, rule=rule: rule.admitted(case.found))
            for most, rule in _rules(_PLAIN)
        ),
        *(
            Way(f"by share ≤ {most}", lambda case, rule=rule: rule.admitted(case.by_share))
            for most, rule in _rules(_PLAIN)
        ),
        Way(
            "the negative scores lower",
            lambda case: [
                one
                for one, beaten in zip(case.found, case.beaten, strict=True)
                if _PLAIN.admits(one) and not beaten
            ],
        ),
        Way("CLIP alone", lambda case: clip.admitted(case.found)),
        *(
            Way(f"against ≤ {most} and CLIP", lambda case, rule=rule: rule.admitted(case.found))
            for most, rule in _rules(clip)
        ),
    ]


def _rules(rule: ReadingRule) -> list[tuple[float, ReadingRule]]:
    return [(most, replace(rule, max_against=most)) for most in _STRENGTHS]


def cases(models: LoadedModels, scene: Scene) -> Iterator[Case]:
    """Every pair of a shape that is there and a colour of it."""
    [answer] = models.segmenter.segment([Request(scene.image, _TEXTS)])
    for shape in sorted({one.shape for one in scene.objects}):
        for colour in COLOURS:
            rows = (_TEXTS.index(shape), _TEXTS.index(f"{colour} {shape}"))
            yield _case(models, scene, answer.found, rows, (colour, shape))


def _case(
    models: LoadedModels,
    scene: Scene,
    found: Sequence[Found],
    rows: tuple[int, int],
    kind: tuple[str, str],
) -> Case:
    def score(crops: Sequence[np.ndarray], texts: Sequence[str]) -> Scored:
        return Scored(models.scorer.similarities(crops, texts), 0.0)

    prompt = Prompt.model_validate({"text": _TEXTS[rows[0]], "not": [_TEXTS[rows[1]]]})
    asked = Asked.of([prompt], verify=True)
    mine = [
        replace(one, prompt_index=rows.index(one.prompt_index))
        for one in found
        if one.prompt_index in rows
    ]
    clip_scores, _ = verify(scene.image, mine, asked, score)
    instances = relate(mine, clip_scores, asked)
    negatives = [one for one in mine if one.prompt_index == 1]
    masks = {
        named: [
            rle.to_runs(rle.encode(one.mask))
            for one in scene.objects
            if one.shape == kind[1] and (one.colour == kind[0]) == named
        ]
        for named in (True, False)
    }
    return Case(
        wanted=masks[False],
        named=masks[True],
        found=instances,
        by_share=_by_share(instances, negatives),
        beaten=tuple(_beaten(one.found, negatives) for one in instances),
    )


def _by_share(instances: Sequence[Instance], negatives: Sequence[Found]) -> tuple[Instance, ...]:
    """``against`` by the share of it that a negative covers, where both are about as large."""

    def strength(instance: Instance, negative: Found) -> float:
        one, other = rle.to_runs(instance.found.mask), rle.to_runs(negative.mask)
        alike = one.area < 2 * other.area and other.area < 2 * one.area
        figure = rle.intersection(one, other) / one.area if alike else rle.iou(one, other)
        return figure * negative.score

    return tuple(
        replace(one, against=max((strength(one, other) for other in negatives), default=None))
        for one in instances
    )


def _beaten(one: Found, negatives: Sequence[Found]) -> bool:
    runs = rle.to_runs(one.mask)
    return any(
        other.score > one.score and rle.iou(runs, rle.to_runs(other.mask)) >= _MATCH
        for other in negatives
    )


def add(way: Way, case: Case) -> None:
    """Match what counts with the objects, the best instance first, and sum up."""
    free = [*((mask, True) for mask in case.wanted), *((mask, False) for mask in case.named)]
    sums = way.sums[bool(case.named)]
    sums.wanted += len(case.wanted)
    for instance in sorted(way.reads(case), key=lambda one: -one.found.score):
        sums.counted += 1
        runs = rle.to_runs(instance.found.mask)
        ious = [rle.iou(runs, mask) for mask, _ in free]
        if ious and max(ious) >= _MATCH:
            _, wanted = free.pop(int(np.argmax(ious)))
            sums.right += wanted
            sums.named += not wanted


def main() -> None:
    """Measure and print the table."""
    asked = _asked()
    models = load_for(load_settings())
    compared = ways()
    for number in range(asked.scenes):
        for case in cases(models, draw_scene(HELD_OUT_SEED + number)):
            for way in compared:
                add(way, case)
    plain = compared[0].sums
    print(f"{machine.name()}, {models.description}, {asked.scenes} scenes")
    print(f"named objects found without a negative: {plain[True].named}")
    print("| | precision | named gone | recall | recall where nothing is named |")
    print("|---|--:|--:|--:|--:|")
    for way in compared:
        here, elsewhere = way.sums[True], way.sums[False]
        gone = 1 - here.named / plain[True].named
        print(
            f"| {way.name} | {here.right / here.counted:.3f} | {gone:.1%} "
            f"| {here.right / here.wanted:.3f} | {elsewhere.right / elsewhere.wanted:.3f} |"
        )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=300, help="held-out scenes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
