"""Which masks of an image repeat a better one, are a negative's, or are another prompt's, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool import rle
from maskpool.domain import MIN_CONTENDED, Found, Instance
from maskpool.reading_rule import ReadingRule
from maskpool.spec_prompt import Prompt
from workers.image import relate as module
from workers.image.asked import Asked
from workers.image.relate import float32, relate


def found(row: int, score: float, left: int, right: int) -> Found:
    mask = np.zeros((4, 20), np.bool_)
    mask[:, left:right] = True
    return Found(row, score, (left, 0.0, right, 4.0), rle.encode(mask))


def an_object(index: int, left: int, right: int) -> Found:
    return replace(found(5, 1.0, left, right), object_index=index, predicted_iou=0.5)


def asked(*prompts: str) -> Asked:
    """Prompts as ``text`` or ``text/negative/negative``."""
    each = [one.split("/") for one in prompts]
    return Asked.of([Prompt.model_validate({"text": p, "not": n}) for p, *n in each])


def test_overlap_is_the_iou_with_a_better_mask_of_the_same_prompt() -> None:
    best, half, other_prompt = found(0, 0.9, 0, 10), found(0, 0.5, 0, 5), found(1, 0.4, 0, 10)

    related = relate([best, half, other_prompt], {}, asked("a", "b"))

    assert [one.overlap for one in related] == [0.0, 0.5, 0.0]
    assert [one.area for one in related] == [40, 20, 40]
    assert [one.found for one in related] == [best, half, other_prompt]


def test_clip_scores_go_to_the_masks_they_belong_to() -> None:
    related = relate([found(0, 0.9, 0, 5), found(1, 0.8, 5, 9)], {1: 0.25}, asked("a", "b"))

    assert [one.clip_score for one in related] == [None, 0.25]


def test_figures_are_rounded_as_the_row_keeps_them() -> None:
    third = relate([found(0, 0.9, 0, 12), found(0, 0.5, 0, 4)], {}, asked("a"))[1].overlap

    assert third == float(np.float32(1 / 3))
    assert float32(0.1) != pytest.approx(0.1, abs=1e-12)


def test_a_negative_counts_against_what_it_covers_and_its_own_masks_go() -> None:
    seen = [found(0, 0.9, 0, 10), found(0, 0.8, 12, 20), found(1, 0.7, 12, 20)]
    seen += [found(2, 0.6, 0, 9), found(3, 0.5, 0, 10)]

    related = relate(seen, {}, asked("a/x/y", "b"))

    assert [one.found for one in related] == seen[:3]
    # x covers 9 of the 10 columns, y all of them.
    assert related[0].against == float32(0.9 * 0.6)
    assert related[0].against_text == "x"
    assert (related[1].against, related[1].against_text) == (None, None)
    assert related[2].against is None, "the other prompt has no negatives"


def test_a_negative_that_is_a_prompt_keeps_its_masks() -> None:
    seen = [found(0, 0.9, 0, 10), found(1, 0.5, 0, 10)]

    related = relate(seen, {}, asked("a/b", "b"))

    assert [one.found for one in related] == seen
    assert (related[0].against, related[0].against_text) == (0.5, "b")
    assert related[1].against is None


def test_a_part_of_what_a_negative_means_stays() -> None:
    """A face lies wholly within its person."""
    face, person = found(0, 0.9, 0, 2), found(1, 1.0, 0, 20)
    [related] = relate([face, person], {}, asked("face/person"))
    assert related.against == float32(0.1)
    assert ReadingRule().admits(related)


def test_an_instance_is_contended_by_a_better_one_of_another_prompt() -> None:
    weak, twin = found(0, 0.5, 0, 10), found(0, 0.4, 0, 10)
    better, far, worse = found(1, 0.9, 0, 8), found(1, 0.8, 0, 4), found(2, 0.3, 0, 9)

    related = relate([weak, twin, better, far, worse], {}, asked("a", "b", "c"))

    figures = [(one.contended, one.contender) for one in related]
    assert figures[:2] == [(float32(0.8), 2)] * 2
    assert figures[2] == (None, None), "nothing better is there"
    assert figures[3] == (None, None), "the better one is of its own prompt"
    assert figures[4] == (float32(0.9), 0), "the largest IoU, and of two the better one"


def test_of_equal_scores_exactly_one_is_contended() -> None:
    related = relate([found(0, 0.9, 0, 10), found(1, 0.9, 0, 10)], {}, asked("a", "b"))
    assert [one.contender for one in related] == [None, 0]


def test_below_a_half_nothing_is_contended() -> None:
    related = relate(
        [found(0, 0.9, 0, 10), found(1, 0.8, 0, 4), found(1, 0.7, 0, 5)], {}, asked("a", "b")
    )
    assert [one.contended for one in related] == [None, None, 0.5]


def test_objects_are_exempt_and_keep_their_order() -> None:
    text, first, second = found(0, 0.3, 0, 10), an_object(0, 0, 10), an_object(1, 0, 10)
    empty = an_object(2, 0, 0)
    negative = found(1, 0.9, 0, 10)

    related = relate([text, negative, second, empty, first], {}, asked("a/x"))

    assert [one.found for one in related] == [text, second, empty, first]
    assert [one.area for one in related] == [40, 40, 0, 40]
    assert all(
        (one.overlap, one.against, one.contended, one.contender) == (0.0, None, None, None)
        for one in related[1:]
    )
    assert related[0].against == float32(0.9)
    assert related[0].contended is None


def test_only_the_best_contend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_CONTENDING", 2)
    seen = [found(0, 0.9, 0, 10), found(1, 0.8, 0, 10), found(2, 0.7, 0, 10)]
    related = relate(seen, {}, asked("a", "b", "c"))
    assert [one.contender for one in related] == [None, 0, None]


scores = st.sampled_from([0.1, 0.3, 0.3, 0.7, 0.9])
edges = st.integers(0, 12)


@st.composite
def images(draw: st.DrawFn) -> list[Found]:
    seen = []
    for row in range(4):
        best_first = sorted(draw(st.lists(scores, max_size=4)), reverse=True)
        for score in best_first:
            left, right = sorted((draw(edges), draw(edges)))
            seen.append(found(row, score, left, right))
    return seen


@given(images())
def test_every_figure_is_the_one_of_a_loop_over_all_pairs(seen: list[Found]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MAX_TOGETHER", 3)
        related = relate(seen, {}, asked("a/c/x", "b", "c"))
    kept = [one for one in seen if one.prompt_index < 3]
    assert [one.found for one in related] == kept
    for ordinal, instance in enumerate(related):
        assert instance == _expected(ordinal, kept, seen)


def _expected(ordinal: int, kept: list[Found], seen: list[Found]) -> Instance:
    one = kept[ordinal]
    runs = rle.to_runs(one.mask)

    def iou(other: Found) -> float:
        return rle.iou(runs, rle.to_runs(other.mask))

    def strength(negative: Found) -> float:
        return iou(negative) * negative.score

    better = [(-other.score, place) for place, other in enumerate(kept)]
    rivals = [
        (iou(other), (other.score, -place), place)
        for place, other in enumerate(kept)
        if other.prompt_index != one.prompt_index and better[place] < better[ordinal]
    ]
    contended, _, contender = max(rivals, default=(0.0, (0.0, 0), -1))
    negatives = [other for other in seen if one.prompt_index == 0 and other.prompt_index in (2, 3)]
    against = max((float32(strength(other)) for other in negatives), default=0.0)
    texts = [
        {2: "c", 3: "x"}[other.prompt_index]
        for other in negatives
        if float32(strength(other)) == against > 0
    ]
    same = [other for other in kept[:ordinal] if other.prompt_index == one.prompt_index]
    return Instance(
        one,
        runs.area,
        float32(max(map(iou, same), default=0.0)),
        against=against or None,
        against_text=texts[0] if texts else None,
        contended=float32(contended) if contended >= MIN_CONTENDED else None,
        contender=contender if contended >= MIN_CONTENDED else None,
    )
