"""Each way in which a prompt finds nothing has its sentence."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from maskpool import rle
from maskpool.domain import Found, Instance, PromptScores
from maskpool.reading import Reading
from maskpool.reasons import Reason, reasons
from maskpool.spec import BatchSpec
from producer.results.explained import Explained, explain
from producer.results.reader import BatchView
from storage.objects.masks import MaskRecord

PROMPTS = [{"text": "car"}, {"text": "truck"}]

MASK = rle.encode(np.ones((4, 4), dtype=np.bool_))


def instance(score: float, prompt: int = 0, **figures: Any) -> Instance:
    found = Found(prompt, score, (0.0, 0.0, 4.0, 4.0), MASK)
    return Instance(found, 16, **({"overlap": 0.0} | figures))


def why(*instances: Instance, **reading: Any) -> Explained:
    """Of the first prompt."""
    spec = BatchSpec.read({"model": "demo", "prompts": PROMPTS})
    rule = Reading.model_validate(reading).rule_for(["car", "truck"])
    scores = (PromptScores(0.02, 0.011), PromptScores(0.9, 0.8))
    record = MaskRecord(0, "a.jpg", 4, 4, "0" * 64, "demo", spec.prompts, instances, scores)
    return explain(BatchView(UUID(int=1), spec, rule), record, reasons(rule, instances))[0]


@pytest.mark.parametrize(
    ("instances", "reading", "reason", "sentence"),
    [
        ([], {}, Reason.COUNTS, "nothing: presence .02, best .01"),
        ([instance(0.9), instance(0.6)], {}, Reason.COUNTS, "2 found"),
        ([instance(0.43), instance(0.2)], {}, Reason.SCORE, "best .43 under .50"),
        ([instance(0.43)], {"threshold": 1}, Reason.SCORE, "best .43 under 1.00"),
        (
            [instance(0.8, against=0.91, against_text="red circle")],
            {},
            Reason.AGAINST,
            "dropped: against 'red circle' .91",
        ),
        (
            [instance(0.8, contended=0.9, contender=1), instance(0.9, 1)],
            {"exclusive": True},
            Reason.CONTENDER,
            "yielded to 'truck'",
        ),
        (
            [instance(0.8, clip_score=0.31)],
            {},
            Reason.CLIP,
            "best .80, but CLIP says .31",
        ),
        (
            [instance(0.8, overlap=0.7)],
            {"max_overlap": 0.5},
            Reason.OVERLAP,
            "best .80 lies on a better one (.70)",
        ),
        (
            [instance(0.8)],
            {"prompts": {"car": {"min_area": 17}}},
            Reason.AREA,
            "best .80, but its 16 pixels are too few or too many",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_prompt_says_why(
    instances: list[Instance], reading: dict[str, Any], reason: Reason, sentence: str
) -> None:
    said = why(*instances, **reading)
    assert (said.reason, said.sentence) == (reason, sentence)


def test_what_else_than_the_score_is_in_the_way_says_more() -> None:
    said = why(instance(0.45), instance(0.9, against=0.5, against_text="van"))
    assert (said.reason, said.ordinal, said.stored) == (Reason.AGAINST, 1, 2)


def test_a_result_of_before_says_nothing_of_scores() -> None:
    spec = BatchSpec.read({"model": "demo", "prompts": PROMPTS})
    record = MaskRecord(0, "a.jpg", 4, 4, "0" * 64, "demo", spec.prompts, ())
    view = BatchView(UUID(int=1), spec, Reading().rule_for(["car", "truck"]))
    assert [one.sentence for one in explain(view, record, [])] == ["nothing", "nothing"]


def test_a_negative_is_said_as_it_was_typed() -> None:
    prompt = {"text": "car", "not": ["van", "truck"], "typed": ["面包车", "卡车"]}
    spec = BatchSpec.read({"version": 2, "model": "demo", "prompts": [prompt]})
    rule = Reading().rule_for(["car"])
    found = (instance(0.8, against=0.91, against_text="truck"),)
    record = MaskRecord(0, "a.jpg", 4, 4, "0" * 64, "demo", spec.prompts, found)
    [said] = explain(BatchView(UUID(int=1), spec, rule), record, reasons(rule, found))
    assert said.sentence == "dropped: against '卡车' .91"
