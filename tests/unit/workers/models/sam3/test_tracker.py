"""Objects are drawn as ``Sam3TrackerModel`` draws them, on the detector's own backbone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from parity import compare_object, published_object, scaled
from small_models import find, scene, small_sam3, small_tracker, word_tokenizer

from maskpool import rle
from maskpool.abilities import Ability
from maskpool.domain import Found
from maskpool.errors import ConfigError
from maskpool.ports import ObjectAsk, Request
from workers.models.precision import cast_weights
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.sam3.tracker import Tracker

SIDE = 96

CLICK = ObjectAsk(0, 7, points=((40.0, 60.0, 1),))
CORRECTED = ObjectAsk(1, 7, points=((40.0, 60.0, 1), (90.5, 20.25, 0), (30.0, 10.0, 1)))
BOX = ObjectAsk(2, 8, (20.0, 30.0, 160.0, 90.0), score=0.75)
CLICKED_BOX = ObjectAsk(3, 8, (20.0, 30.0, 160.0, 90.0), points=((50.0, 50.0, 1), (30.0, 35.0, 0)))
MANY = ObjectAsk(4, 9, points=tuple((3.0 * n, 2.0 * n, n % 2) for n in range(1, 33)))
ALL = (CLICK, CORRECTED, BOX, CLICKED_BOX, MANY)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def detector() -> Any:
    return small_sam3(SIDE)


@pytest.fixture(scope="module")
def tracker(detector: Any) -> Any:
    return small_tracker(detector)


@pytest.fixture
def segmenter(detector: Any, tracker: Any) -> Sam3Segmenter:
    return Sam3Segmenter(detector, word_tokenizer(), tracker=Tracker(tracker), pairs=4)


def drawn(segmenter: Sam3Segmenter, *requests: Request[Any]) -> list[list[Found]]:
    return [answer.found for answer in segmenter.segment(requests)]


@pytest.mark.parametrize("ask", ALL)
def test_candidates_are_those_of_the_published_pass(
    segmenter: Sam3Segmenter, tracker: Any, ask: ObjectAsk
) -> None:
    image = scene(100, 200, 3)
    expected = published_object(segmenter, tracker, image, ask)
    points = [(*scaled(point[:2], image, SIDE), point[2]) for point in ask.points]
    if ask.box_xyxy:
        left, top, right, bottom = scaled(ask.box_xyxy, image, SIDE)
        points += [(left, top, 2), (right, bottom, 3)]
    placed = torch.tensor([points])
    ours = Tracker(tracker)

    with torch.inference_mode():
        pixels = segmenter._squares.stacked([segmenter.prepare(image)])
        states = segmenter._passes.encode(pixels, keep_states=True).states
        assert states is not None
        masks, ious = ours.draw(
            ours.encode(states), torch.tensor([0]), placed[..., :2], placed[..., 2].long()
        )

    for mine, theirs in (
        (masks.sigmoid(), expected.pred_masks[:, 0].sigmoid()),
        (ious, expected.iou_scores[:, 0]),
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_the_best_candidate_is_kept_at_the_size_of_the_image(
    segmenter: Sam3Segmenter, tracker: Any
) -> None:
    image = scene(100, 200, 3)

    (found,) = drawn(segmenter, Request(image, (), objects=ALL))

    for one, ask in zip(found, ALL, strict=True):
        compare_object(one, ask, published_object(segmenter, tracker, image, ask), image)


def test_company_changes_no_object_and_no_order(segmenter: Sam3Segmenter) -> None:
    """Rows of as many points go together, whatever image they are of; order is the source's."""
    images = [scene(100, 200, 3), scene(170, 120, 4)]
    asks = [ALL, (BOX, MANY, CLICK)]
    alone = [
        [drawn(segmenter, Request(image, (), objects=(ask,)))[0][0] for ask in some]
        for image, some in zip(images, asks, strict=True)
    ]

    together = drawn(
        segmenter,
        Request(images[0], ("red circle",), objects=asks[0]),
        Request(scene(40, 50, 5), ("blue", "red circle")),
        Request(images[1], (), objects=asks[1]),
    )

    texts = find(segmenter, images[:1], ["red circle"])[0]
    others = [one for one in together[0] if one.object_index is None]
    assert [one.score for one in others] == pytest.approx([one.score for one in texts], abs=1e-5)
    for found, expected in zip((together[0][len(others) :], together[2]), alone, strict=True):
        assert [one.object_index for one in found] == [one.object_index for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert (rle.decode(one.mask) != rle.decode(other.mask)).mean() <= 1e-4
            assert one.predicted_iou == pytest.approx(other.predicted_iou, abs=1e-5)
    assert {one.prompt_index for one in together[1]} == {0, 1}


def test_an_object_without_a_pixel_stays_an_empty_mask(
    segmenter: Sam3Segmenter, tracker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = tracker.mask_decoder.forward

    def nothing(**options: Any) -> Any:
        masks, *others = forward(**options)
        return (masks * 0 - 1, *others)

    monkeypatch.setattr(tracker.mask_decoder, "forward", nothing)
    (found,) = drawn(segmenter, Request(scene(30, 40, 1), (), objects=(CLICK, BOX)))

    assert [one.object_index for one in found] == [0, 2]
    assert [one.box_xyxy for one in found] == [(0.0, 0.0, 0.0, 0.0)] * 2
    assert [rle.area(one.mask) for one in found] == [0, 0]
    assert [one.mask.size for one in found] == [(30, 40)] * 2


def test_rows_are_padded_for_nobody_and_go_in_bounded_portions(
    segmenter: Sam3Segmenter, tracker: Any
) -> None:
    shapes: list[tuple[int, ...]] = []
    hook = tracker.prompt_encoder.register_forward_pre_hook(
        lambda _, inputs: shapes.append(tuple(inputs[0].shape))
    )
    try:
        drawn(segmenter, Request(scene(100, 200, 3), (), objects=(CLICK, BOX, *[CORRECTED] * 5)))
    finally:
        hook.remove()

    # Rows, one object a row, points, x and y.
    assert shapes == [(1, 1, 1, 2), (1, 1, 2, 2), (4, 1, 3, 2), (1, 1, 3, 2)]


def test_memory_too_short_for_a_portion_halves_it(segmenter: Sam3Segmenter, tracker: Any) -> None:
    rows: list[int] = []

    def short_of_memory(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        rows.append(len(inputs[0]))
        if rows[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory, for this test")

    hook = tracker.prompt_encoder.register_forward_pre_hook(short_of_memory)
    try:
        (found,) = drawn(segmenter, Request(scene(100, 200, 3), (), objects=(BOX, BOX, BOX)))
    finally:
        hook.remove()

    assert rows == [3, 1, 1, 1]
    assert len(found) == 3


def test_states_are_kept_only_where_an_object_is_asked_for(
    segmenter: Sam3Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    encode = segmenter._passes.encode

    def watched(pixels: torch.Tensor, **how: bool) -> Any:
        features = encode(pixels, **how)
        kept.append(features.states is not None)
        return features

    monkeypatch.setattr(segmenter._passes, "encode", watched)
    drawn(segmenter, Request(scene(50, 50), ("blue",)), Request(scene(50, 60), ("red",), (0,)))
    drawn(segmenter, Request(scene(50, 50), ("blue",)), Request(scene(50, 60), (), objects=(BOX,)))
    drawn(segmenter, Request(scene(50, 50), ()))

    assert kept == [False, True]


def test_only_images_with_objects_pass_the_trackers_neck(
    segmenter: Sam3Segmenter, tracker: Any
) -> None:
    images: list[int] = []
    hook = tracker.vision_encoder.neck.fpn_layers[2].register_forward_pre_hook(
        lambda _, inputs: images.append(len(inputs[0]))
    )
    try:
        drawn(
            segmenter,
            Request(scene(50, 50), ("blue",), (0,)),
            Request(scene(50, 60), (), objects=(BOX,)),
            Request(scene(50, 50), ()),
        )
    finally:
        hook.remove()

    assert images == [1]


def test_no_memory_is_added_to_the_grid_where_it_is_wished(detector: Any) -> None:
    model: Any = small_tracker(detector)
    with torch.no_grad():
        model.no_memory_embedding.normal_(generator=torch.Generator().manual_seed(1))
    states = torch.randn(1, 64, 8, 8)

    with torch.inference_mode():
        without, added = (
            Tracker(model).encode(states),
            Tracker(model, no_memory=True).encode(states),
        )

    expected = without.cells + model.no_memory_embedding.view(1, -1, 1, 1)
    torch.testing.assert_close(added.cells, expected)
    assert all(map(torch.equal, without.finer, added.finer))


def test_a_model_without_a_tracker_says_so(detector: Any, segmenter: Sam3Segmenter) -> None:
    bare = Sam3Segmenter(detector, word_tokenizer())

    assert bare.abilities == {Ability.STUFF}
    assert segmenter.abilities == {Ability.STUFF, Ability.OBJECTS}
    with pytest.raises(ConfigError, match="its checkpoint holds no tracker"):
        bare.segment([Request(scene(20, 20), (), objects=(BOX,))])
    bare.warm_up()
    segmenter.warm_up()


def test_in_bf16_points_and_candidates_keep_their_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on CUDA: weights of vision and of the neck are held in bf16, what follows is fp32."""
    exact_model, model = small_sam3(SIDE), small_sam3(SIDE)
    exact = Sam3Segmenter(
        exact_model, word_tokenizer(), tracker=Tracker(small_tracker(exact_model))
    )
    mover = small_tracker(model)
    segmenter = Sam3Segmenter(model, word_tokenizer(), tracker=Tracker(mover))
    request = Request(scene(100, 200, 3), (), objects=ALL)
    (expected,) = drawn(exact, request)
    seen: list[torch.dtype] = []
    mover.mask_decoder.transformer.register_forward_pre_hook(
        lambda _, __, options: seen.append(options["point_embeddings"].dtype), with_kwargs=True
    )
    for part in (model, mover.vision_encoder.neck):
        cast_weights(part, torch.bfloat16)
    monkeypatch.setattr(
        "workers.models.sam3.segmenter.precision",
        lambda _: torch.autocast("cpu", dtype=torch.bfloat16),
    )

    (found,) = drawn(segmenter, request)

    assert set(seen) == {torch.float32}
    assert {weight.dtype for weight in mover.mask_decoder.parameters()} == {torch.float32}
    for one, other in zip(found, expected, strict=True):
        assert one.predicted_iou == pytest.approx(other.predicted_iou, abs=0.1)
    assert found != expected
