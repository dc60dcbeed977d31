"""What a run is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskpool.spec_file import Asked
from producer.results.empty import NO_EMPTY_MASKS, EmptyMasks
from producer.results.records import Failure
from producer.scoring.records import Evaluation
from producer.sources.passed import PassedOver


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    Attributes:
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        asked: What is asked of its images, and how the answers are read.
        out: Folder of the results.
        boxes: File or folder with boxes that are to become masks, or None.
        truth: COCO file to score against, or None.
        overlays: Most images to draw; None draws all.
        resume: Go on with an interrupted run into the same ``out`` instead of starting afresh.
        workers: Worker processes.
        strict: Refuse a source of which anything is passed over.
    """

    source: str
    asked: Asked
    out: Path
    boxes: Path | None = None
    truth: Path | None = None
    overlays: int | None = 200
    resume: bool = False
    workers: int = 1
    strict: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run wrote.

    Attributes:
        out: The folder.
        summary: The content of ``summary.json``.
        failures: Images without a result, and why.
        evaluation: Scores against the truth, where there is one.
        passed_over: What of the source was not read.
        boxes: What of the file of boxes was not used, each as a sentence.
        empty: Masks without a pixel, which are not in the dataset.
    """

    out: Path
    summary: Mapping[str, object]
    failures: Sequence[Failure]
    evaluation: Evaluation | None
    passed_over: PassedOver
    boxes: Sequence[str] = ()
    empty: EmptyMasks = NO_EMPTY_MASKS
