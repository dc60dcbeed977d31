"""What a run is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskpool.spec import Prompt
from producer.results.records import Failure
from producer.scoring.records import Evaluation
from producer.sources.passed import PassedOver


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    Attributes:
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        prompts: What to look for.
        out: Folder of the results.
        threshold: Lowest score that counts.
        truth: COCO file to score against, or None.
        overlays: Most images to draw; None draws all.
        resume: Go on with an interrupted run into the same ``out`` instead of starting afresh.
        workers: Worker processes.
        strict: Refuse a source of which anything is passed over.
    """

    source: str
    prompts: tuple[Prompt, ...]
    out: Path
    threshold: float
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
    """

    out: Path
    summary: Mapping[str, object]
    failures: Sequence[Failure]
    evaluation: Evaluation | None
    passed_over: PassedOver
