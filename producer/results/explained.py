"""Why a prompt found what it found in an image, and why not more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from maskpool.domain import Instance, PromptScores
from maskpool.reasons import Reason
from producer.results.reader import BatchView
from storage.objects.masks import MaskRecord


@dataclass(frozen=True, slots=True)
class Explained:
    """One prompt in one image.

    Attributes:
        category: Name of the prompt.
        counting: Instances that count.
        stored: Instances that are stored, those included.
        threshold: Least score that counts.
        scores: What the model thought of it; None where the result was stored before that was kept.
        nearest: The best instance that is stored and does not count, where none counts.
        ordinal: Its place among all that are stored of the image.
        reason: Why that one does not; ``COUNTS`` where there is none.
        rival: Name of the prompt that ``nearest`` yields to.
    """

    category: str
    counting: int
    stored: int
    threshold: float
    scores: PromptScores | None
    nearest: Instance | None = None
    ordinal: int | None = None
    reason: Reason = Reason.COUNTS
    rival: str | None = None

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.counting:
            return f"{self.counting} found"
        if self.nearest is not None:
            return self._dropped(self.nearest)
        if self.scores is None:
            return "nothing"
        return f"nothing: presence {_short(self.scores.presence)}, best {_short(self.scores.best)}"

    def _dropped(self, one: Instance) -> str:
        best = f"best {_short(one.found.score)}"
        sentences = {
            Reason.SCORE: f"{best} under {_short(self.threshold)}",
            Reason.AREA: f"{best}, but its {one.area:,} pixels are too few or too many",
            Reason.OVERLAP: f"{best} lies on a better one ({_short(one.overlap)})",
            Reason.CLIP: f"{best}, but CLIP says {_short(one.clip_score or 0.0)}",
            Reason.AGAINST: f"dropped: against {one.against_text!r} {_short(one.against or 0.0)}",
            Reason.CONTENDER: f"yielded to {self.rival!r}",
        }
        # Beyond the count of a prompt is an instance only where others count.
        return sentences[self.reason]


class _Judged(NamedTuple):
    """An instance, its place among all of its image, and why it does not count."""

    instance: Instance
    place: int
    why: Reason


def explain(view: BatchView, record: MaskRecord, whys: Sequence[Reason]) -> list[Explained]:
    """Each prompt of a batch in one image, in the order of its spec; objects are not asked why.

    Args:
        view: How the batch is read.
        record: What is stored of the image.
        whys: Why each instance of it does not count, as ``maskpool.reasons.reasons`` says.
    """
    by_prompt: list[list[_Judged]] = [[] for _ in view.categories]
    for place, (one, why) in enumerate(zip(record.instances, whys, strict=True)):
        if one.found.object_index is None:
            by_prompt[one.found.prompt_index].append(_Judged(one, place, why))
    return [
        _explained(view, record, index, by_prompt[index]) for index in range(len(view.spec.prompts))
    ]


def _explained(
    view: BatchView, record: MaskRecord, index: int, mine: Sequence[_Judged]
) -> Explained:
    scores = record.scores[index] if record.scores else None
    counting = sum(one.why is Reason.COUNTS for one in mine)
    category, threshold = view.categories[index], view.rule.threshold_of(index)
    if counting or not mine:
        return Explained(category, counting, len(mine), threshold, scores)
    # What else than its score is in the way of one says more.
    near, place, why = max(
        mine, key=lambda one: (one.why is not Reason.SCORE, one.instance.found.score)
    )
    rival = _rival(view, record, near)
    if near.against_text is not None:
        near = replace(near, against_text=view.spec.prompts[index].as_typed(near.against_text))
    return Explained(category, 0, len(mine), threshold, scores, near, place, why, rival)


def _rival(view: BatchView, record: MaskRecord, one: Instance) -> str | None:
    if one.contender is None:
        return None
    return view.categories[record.instances[one.contender].found.prompt_index]


def _short(value: float) -> str:
    """A share to two places, as people say it: .43."""
    text = f"{value:.2f}"
    return text.removeprefix("0") if value < 1 and not text.startswith("1") else text
