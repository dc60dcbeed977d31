"""Scoring a COCO file against ground truth: who found what, how well, and what was made up.

Matching is optimal per (image, category) and works on runs; no mask is ever decoded.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from maskpool import rle
from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.errors import SourceError
from producer.formats.coco.read import CocoFile, CocoMask, read_coco
from producer.scoring.mask_ap import mask_ap

#: IoUs over which pmF1 is averaged, as COCO does for AP.
_IOU_STEPS = np.arange(0.5, 1.0, 0.05)

Ious = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """How well one category, or all of them, was found. A ratio without a denominator is None.

    Attributes:
        category: Its name; ``all`` for the sum.
        tp: Predictions matched to ground truth at the asked IoU.
        fp: Predictions matched to none.
        fn: Ground truth matched to none.
        precision: tp / (tp + fp).
        recall: tp / (tp + fn).
        f1: 2 tp / (2 tp + fp + fn).
        mean_iou: Mean IoU of the matches.
    """

    category: str
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None
    mean_iou: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one comparison; those that the files cannot give are None.

    Attributes:
        threshold: Least score of the predictions that count.
        iou: Least IoU of a match.
        overall: Over every image and category that both files have.
        by_category: The same, one row a category, in the order of the truth.
        absent_pairs: (image, category) pairs without ground truth.
        absent_rejected: Share of them without a prediction.
        pmf1: Micro F1 over the pairs with ground truth, mean over IoU 0.50:0.05:0.95.
        il_mcc: Matthews correlation of "anything predicted" with "anything there", over the pairs;
            None without both present and absent pairs.
        cgf1: pmf1 × il_mcc, SAM3's own figure (in [-1, 1], not × 100).
        mask_ap: COCO mask AP over the scores in the file; None where pycocotools is not installed.
        mask_ap50: The same at IoU 0.5.
        images: Images that were compared.
        images_only_in_truth: Left out of every figure.
        images_only_in_prediction: Left out of every figure.
        categories_only_in_truth: Left out of every figure.
        categories_only_in_prediction: Left out of every figure.
    """

    threshold: float
    iou: float
    overall: Score
    by_category: tuple[Score, ...]
    absent_pairs: int
    absent_rejected: float | None
    pmf1: float | None
    il_mcc: float | None
    cgf1: float | None
    mask_ap: float | None
    mask_ap50: float | None
    images: int
    images_only_in_truth: tuple[str, ...]
    images_only_in_prediction: tuple[str, ...]
    categories_only_in_truth: tuple[str, ...]
    categories_only_in_prediction: tuple[str, ...]

    @property
    def f1(self) -> float | None:
        """F1 over everything compared."""
        return self.overall.f1

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of all matches."""
        return self.overall.mean_iou

    def to_json(self) -> dict[str, object]:
        """As plain data for JSON; None becomes null."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class _Pair:
    """What became of one category in one image.

    Attributes:
        predicted: Predictions that count.
        present: Ground truth that counts.
        matched: IoUs of the matches at the asked IoU.
        free_matched: IoUs of the matching without a least IoU, as pmF1 wants them.
        hidden: There is crowd here: absence of ground truth says nothing.
    """

    predicted: int
    present: int
    matched: Ious
    free_matched: Ious
    hidden: bool


def evaluate(
    pred: Path, truth: Path, *, threshold: float = DEFAULT_THRESHOLD, iou: float = 0.5
) -> Evaluation:
    """Score ``pred`` against ``truth``, two COCO instances files.

    Images meet by ``file_name`` and categories by name; what only one file has is left out, and
    named.
    The truth is taken to be exhaustive for its categories: whatever it lacks counts as made up.
    Ground truth with ``iscrowd`` 1 is neither missed nor found, and predictions mostly inside it do
    not count.

    Args:
        pred: Annotations without a ``score`` count as certain.
        truth: What is right.
        threshold: Least score of predictions that count, in [0, 1].
        iou: Least IoU of a match, in (0, 1].

    Raises:
        SourceError: A file cannot be read or is no COCO instances file, the two have no image or
            no category in common, or an image has another size in each.
    """
    predicted, right = read_coco(pred), read_coco(truth)
    names = _common(predicted, right, "image", list(right.sizes), set(predicted.sizes))
    categories = _common(predicted, right, "category", right.categories, set(predicted.categories))
    _refuse_other_sizes(predicted, right, names)
    pairs = {
        category: [
            _pair(
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
    by_category: Mapping[str, Sequence[_Pair]],
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
                f"{name} is {here[1]}×{here[0]} here and {there[1]}×{there[0]} in {right.path}; "
                "perhaps one of them ignores the image's EXIF orientation"
            )
            raise SourceError(str(predicted.path), reason)


def _pair(
    predictions: Sequence[CocoMask],
    truths: Sequence[CocoMask],
    threshold: float,
    least_iou: float,
) -> _Pair:
    counting = [mask for mask in predictions if mask.score >= threshold]
    solid = [mask for mask in truths if not mask.crowd]
    crowds = [mask for mask in truths if mask.crowd]
    ious = _ious(counting, solid)
    matched = _matches(np.where(ious >= least_iou, ious, 0.0))
    used = {row for row, _ in matched}
    excused = [
        row
        for row, mask in enumerate(counting)
        if row not in used and any(_inside(mask, crowd) >= least_iou for crowd in crowds)
    ]
    kept = np.delete(ious, excused, axis=0)
    return _Pair(
        predicted=len(counting) - len(excused),
        present=len(solid),
        matched=np.array([ious[place] for place in matched]),
        free_matched=np.array([kept[place] for place in _matches(kept)]),
        hidden=bool(crowds),
    )


def _ious(rows: Sequence[CocoMask], columns: Sequence[CocoMask]) -> Ious:
    ious = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if _meet(row.box_xyxy, column.box_xyxy):
                ious[i, j] = rle.iou(row.runs, column.runs)
    return ious


def _meet(a_xyxy: tuple[int, int, int, int], b_xyxy: tuple[int, int, int, int]) -> bool:
    return (
        a_xyxy[0] < b_xyxy[2]
        and b_xyxy[0] < a_xyxy[2]
        and a_xyxy[1] < b_xyxy[3]
        and b_xyxy[1] < a_xyxy[3]
    )


def _inside(mask: CocoMask, crowd: CocoMask) -> float:
    return rle.intersection(mask.runs, crowd.runs) / mask.runs.area if mask.runs.area else 0.0


def _matches(ious: Ious) -> list[tuple[int, int]]:
    """The one-to-one matching with the largest sum; places without any IoU match nothing."""
    rows, columns = linear_sum_assignment(ious, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if ious[i, j] > 0]


def _score(category: str, pairs: Sequence[_Pair]) -> Score:
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
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _pmf1(pairs: Sequence[_Pair]) -> float | None:
    """Positive micro F1 of SAM3's ``cgf1_eval.py``: pairs without ground truth do not enter."""
    present = [pair for pair in pairs if pair.present]
    if not present:
        return None
    everything = sum(pair.predicted + pair.present for pair in present)
    ious = np.concatenate([pair.free_matched for pair in present])
    # A hair below each step: 0.5 + 3 × 0.05 must not miss an IoU of exactly 0.65.
    found = [int((ious >= step - 1e-9).sum()) for step in _IOU_STEPS]
    return float(np.mean([2 * tp / everything for tp in found]))


def _il_mcc(pairs: Sequence[_Pair]) -> float | None:
    known = [(bool(p.predicted), bool(p.present)) for p in pairs if p.present or not p.hidden]
    tp, tn = known.count((True, True)), known.count((False, False))
    fp, fn = known.count((True, False)), known.count((False, True))
    if not tp + fn or not tn + fp:
        return None
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(product) if product else 0.0
