"""Scoring a COCO file against ground truth: what was found, how well, and what was made up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.errors import SourceError
from producer.formats.coco.read import CocoFile, read_coco
from producer.scoring.mask_ap import mask_ap
from producer.scoring.matching import Pair, match_pair
from producer.scoring.records import Evaluation, Score

#: IoUs over which pmF1 is averaged, as COCO does for AP.
_IOU_STEPS = np.arange(0.5, 1.0, 0.05)


def evaluate(
    pred: Path, truth: Path, *, threshold: float = DEFAULT_THRESHOLD, iou: float = 0.5
) -> Evaluation:
    """Score ``pred`` against ``truth``, two COCO instances files.

    Images are matched by ``file_name`` and categories by name; what only one file has is left out,
    and named. The ground truth is taken to be complete for its categories: whatever it lacks counts
    as made up.
    Ground truth with ``iscrowd`` 1 is neither missed nor found, and predictions mostly inside it do
    not count.

    Args:
        pred: Annotations without a ``score`` count as certain.
        truth: The ground truth.
        threshold: Lowest score of predictions that count, in [0, 1]. Masks that came from boxes or
            points count at any score, as ``ReadingRule`` has it.
        iou: Lowest IoU of a match, in (0, 1].

    Raises:
        SourceError: A file cannot be read or is no COCO instances file, the two have no image or
            no category in common, or an image has another size in each.
    """
    return compare(read_coco(pred), read_coco(truth), threshold=threshold, iou=iou)


def compare(
    predicted: CocoFile, right: CocoFile, *, threshold: float = DEFAULT_THRESHOLD, iou: float = 0.5
) -> Evaluation:
    """As ``evaluate``, of two files that were read already."""
    names = _common(predicted, right, "image", list(right.sizes), set(predicted.sizes))
    categories = _common(predicted, right, "category", right.categories, set(predicted.categories))
    _refuse_other_sizes(predicted, right, names)
    pairs = {
        category: [
            match_pair(
                predicted.masks.get((name, category), []),
                right.masks.get((name, category), []),
                threshold,
                iou,
            )
            for name in names
        ]
        for category in categories
    }
    return _evaluation(predicted, right, names, pairs, threshold=threshold, iou=iou)


def _evaluation(
    predicted: CocoFile,
    right: CocoFile,
    names: Sequence[str],
    by_category: Mapping[str, Sequence[Pair]],
    *,
    threshold: float,
    iou: float,
) -> Evaluation:
    categories = tuple(by_category)
    pairs = [pair for group in by_category.values() for pair in group]
    absent = [pair for pair in pairs if not pair.present and not pair.hidden]
    pmf1, il_mcc = _pmf1(pairs), _il_mcc(pairs)
    average, average50 = mask_ap(predicted, right, names, categories)
    return Evaluation(
        threshold=threshold,
        iou=iou,
        objects=_of_objects(predicted, names, categories),
        overall=_score("all", pairs),
        by_category=tuple(_score(category, group) for category, group in by_category.items()),
        absent_pairs=len(absent),
        absent_rejected=_ratio(sum(not pair.predicted for pair in absent), len(absent)),
        pmf1=pmf1,
        il_mcc=il_mcc,
        cgf1=None if pmf1 is None or il_mcc is None else pmf1 * il_mcc,
        mask_ap=average,
        mask_ap50=average50,
        images=len(names),
        images_only_in_truth=_without(right.sizes, names),
        images_only_in_prediction=_without(predicted.sizes, names),
        categories_only_in_truth=_without(right.categories, categories),
        categories_only_in_prediction=_without(predicted.categories, categories),
    )


def _of_objects(predicted: CocoFile, names: Sequence[str], categories: Sequence[str]) -> int:
    """How many of the predictions that are compared came from boxes or points."""
    pairs = itertools.product(names, categories)
    return sum(one.of_object for pair in pairs for one in predicted.masks.get(pair, []))


def _common(
    predicted: CocoFile, right: CocoFile, what: str, ours: Sequence[str], theirs: set[str]
) -> list[str]:
    common = [name for name in ours if name in theirs]
    if not common:
        field = "file_name" if what == "image" else "name"
        reason = (
            f"no {what} of it is in {right.path}, which are matched by {field}; "
            f"here e.g. {min(theirs, default='none')!r}, there {min(ours, default='none')!r}"
        )
        raise SourceError(str(predicted.path), reason)
    return common


def _without(names: Iterable[str], common: Sequence[str]) -> tuple[str, ...]:
    known = set(common)
    return tuple(name for name in names if name not in known)


def _refuse_other_sizes(predicted: CocoFile, right: CocoFile, names: Sequence[str]) -> None:
    for name in names:
        here, there = predicted.sizes[name], right.sizes[name]
        if here != there:
            reason = (
                f"{name!r} is {here[1]}×{here[0]} here and {there[1]}×{there[0]} in {right.path}; "
                "perhaps one of them ignores the image's EXIF orientation"
            )
            raise SourceError(str(predicted.path), reason)


def _score(category: str, pairs: Sequence[Pair]) -> Score:
    tp = sum(pair.matched.size for pair in pairs)
    fp = sum(pair.predicted for pair in pairs) - tp
    fn = sum(pair.present for pair in pairs) - tp
    return Score(
        category=category,
        tp=tp,
        fp=fp,
        fn=fn,
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        mean_iou=_ratio(float(sum(pair.matched.sum() for pair in pairs)), tp),
        mean_boundary_iou=_ratio(float(sum(pair.boundaries.sum() for pair in pairs)), tp),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _pmf1(pairs: Sequence[Pair]) -> float | None:
    """Positive micro F1 of SAM3's ``cgf1_eval.py``: pairs without ground truth do not enter."""
    present = [pair for pair in pairs if pair.present]
    if not present:
        return None
    everything = sum(pair.predicted + pair.present for pair in present)
    ious = np.concatenate([pair.free_matched for pair in present])
    # A little below each step: 0.5 + 3 × 0.05 in floats must not miss an IoU of exactly 0.65.
    found = [int((ious >= step - 1e-9).sum()) for step in _IOU_STEPS]
    return float(np.mean([2 * tp / everything for tp in found]))


def _il_mcc(pairs: Sequence[Pair]) -> float | None:
    known = [(bool(p.predicted), bool(p.present)) for p in pairs if p.present or not p.hidden]
    tp, tn = known.count((True, True)), known.count((False, False))
    fp, fn = known.count((True, False)), known.count((False, True))
    if not tp + fn or not tn + fp:
        return None
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(product) if product else 0.0
