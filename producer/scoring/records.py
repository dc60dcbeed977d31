"""The figures of one comparison of two datasets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


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
        mean_boundary_iou: Mean IoU of what lies within 2 % of the image's diagonal of their
            outlines.
    """

    category: str
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None
    mean_iou: float | None
    mean_boundary_iou: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one comparison; those that the files cannot give are None.

    Attributes:
        threshold: Lowest score of the predictions that count.
        iou: Lowest IoU of a match.
        objects: Predictions that came from boxes or points; they count at any score.
        overall: Over every image and category that both files have.
        by_category: The same, one row a category, in the order of the ground truth.
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
    objects: int
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

    @property
    def mean_boundary_iou(self) -> float | None:
        """Mean boundary IoU of all matches."""
        return self.overall.mean_boundary_iou

    def to_json(self) -> dict[str, object]:
        """As plain data for JSON; None becomes null."""
        return dataclasses.asdict(self)
