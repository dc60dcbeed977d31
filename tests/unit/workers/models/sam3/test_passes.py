"""SAM3's passes are arithmetic alone: nothing in them asks the device for an answer on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from small_models import find, scene, small_sam3, small_tracker, word_tokenizer
from torch._dynamo.utils import counters

from maskpool.errors import ConfigError
from maskpool.ports import ObjectAsk, Request
from workers.models.sam3.detector import Detector
from workers.models.sam3.mask_decoder import MaskDecoder
from workers.models.sam3.passes import Passes
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.sam3.tracker import Tracker

SIDE, CHANNELS = 96, 32
PROMPTS = ["red circle", "blue", "a the green shape"]


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def pixels(images: int) -> torch.Tensor:
    return (
        torch.stack([torch.from_numpy(scene(SIDE, SIDE, n)) for n in range(images)])
        .permute(0, 3, 1, 2)
        .float()
        / 127.5
        - 1
    )


def asked(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    text_mask = torch.ones(rows, 32, dtype=torch.bool)
    text_mask[:, 9:] = False
    return torch.randn(rows, 32, CHANNELS), text_mask


def passes() -> dict[str, Callable[[], Any]]:
    model = small_sam3()
    detector, mask_decoder = Detector(model), MaskDecoder(model)
    whole, images = Passes(model), pixels(2)
    cells, position = torch.randn(6, 64, CHANNELS), torch.randn(1, 64, CHANNELS)
    finer = [torch.randn(6, CHANNELS, side, side) for side in (32, 16)]
    text, text_mask = asked(6)
    return {
        "vision": lambda: whole._encode_images(images, position),
        "detect": lambda: detector.detect(cells, text, text_mask, position),
        "fine features": lambda: mask_decoder.fine_features(*finer),
        "pixels": lambda: mask_decoder.pixels(cells, text, text_mask, *reversed(finer)),
    }


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("name", ["vision", "detect", "fine features", "pixels"])
@torch.inference_mode()
def test_each_is_one_graph_without_a_break(name: str) -> None:
    told = torch._dynamo.explain(passes()[name])()

    assert (told.graph_count, told.graph_break_count) == (1, 0), told.break_reasons


@torch.inference_mode()
def test_rows_of_several_images_are_those_of_each_alone() -> None:
    torch.manual_seed(1)
    both = Passes(small_sam3())
    images, (text, text_mask) = pixels(2), asked(3)
    kept = [(0, 2), (2, 0), (2, 7)]

    image_features = both.encode(images)
    together = both.detect(image_features, [0, 1, 1], text, text_mask)
    masks = both.decode_masks(image_features, together, kept)

    for row, image in enumerate((0, 1, 1)):
        image_features = both.encode(images[image : image + 1])
        alone = both.detect(image_features, [0], text[row : row + 1], text_mask[row : row + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[row], rtol=1e-4, atol=1e-4)
        mine = [place for place, (of, _) in enumerate(kept) if of == row]
        if mine:
            again = both.decode_masks(
                image_features, alone, [(0, kept[place][1]) for place in mine]
            )
            torch.testing.assert_close(again, masks[mine], rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("fresh_compiler")
def test_nothing_is_compiled_in_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled in one thread and used in another, as in a worker, at sizes between the fixed."""
    for module in ("passes", "warm_up"):
        monkeypatch.setattr(f"workers.models.sam3.{module}.IMAGE_SIZES", (1, 4))
        monkeypatch.setattr(f"workers.models.sam3.{module}.ROW_SIZES", (1, 8))
    plain = Sam3Segmenter(small_sam3(), word_tokenizer())
    compiled = Sam3Segmenter(small_sam3(), word_tokenizer(), pairs=8, backend="aot_eager")
    compiled.warm_up(4)
    warm = counters["stats"]["unique_graphs"]
    found: list[Any] = []

    def serve() -> None:
        for images in (1, 3, 5):
            asked_of = [scene(100, 90, seed) for seed in range(images)]
            found.append((find(compiled, asked_of, PROMPTS), find(plain, asked_of, PROMPTS)))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()

    # Four passes at two sizes each.
    assert warm == 8
    assert counters["stats"]["unique_graphs"] == warm
    assert len(found) == 3
    for left, right in found:
        assert [len(one) for one in left] == [len(one) for one in right]
        for mine, expected in zip(left, right, strict=True):
            assert [one.score for one in mine] == pytest.approx(
                [one.score for one in expected], abs=1e-5
            )


@pytest.mark.usefixtures("fresh_compiler")
def test_objects_and_regions_compile_nothing_in_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """What draws them runs as it is written, and what it shares with texts is compiled already."""
    for module in ("passes", "warm_up"):
        monkeypatch.setattr(f"workers.models.sam3.{module}.IMAGE_SIZES", (1, 2))
        monkeypatch.setattr(f"workers.models.sam3.{module}.ROW_SIZES", (1, 4))
    plain, compiled = (
        Sam3Segmenter(
            model, word_tokenizer(), tracker=Tracker(small_tracker(model)), pairs=4, backend=backend
        )
        for model, backend in ((small_sam3(), None), (small_sam3(), "eager"))
    )
    compiled.warm_up(2)
    warm = counters["stats"]["unique_graphs"]
    box = ObjectAsk(0, 3, (10.0, 20.0, 60.0, 70.0))
    requests = [
        Request(scene(100, 90, 1), tuple(PROMPTS), stuff=(1,), objects=(box,)),
        Request(scene(90, 90, 2), tuple(PROMPTS[:2])),
    ]

    mine, expected = compiled.segment(requests), plain.segment(requests)

    assert warm == 8
    assert counters["stats"]["unique_graphs"] == warm
    for left, right in zip(mine, expected, strict=True):
        for attribute in ("prompt_index", "object_index"):
            assert [getattr(one, attribute) for one in left.found] == [
                getattr(one, attribute) for one in right.found
            ]
        assert [one.score for one in left.found] == pytest.approx(
            [one.score for one in right.found], abs=1e-5
        )


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize(
    ("wrong_graphs", "what"),
    # In the order in which they are compiled: a first image takes all four passes at one row.
    [({4}, "4 images"), ({2}, "fine features of 1 images"), ({7}, "4 masks")],
)
def test_a_compiler_that_is_wrong_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, wrong_graphs: set[int], what: str
) -> None:
    monkeypatch.setattr("workers.models.sam3.warm_up.IMAGE_SIZES", (1, 4))
    monkeypatch.setattr("workers.models.sam3.warm_up.ROW_SIZES", (4,))
    graphs = count()

    def wrong(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        by = 1.01 if next(graphs) in wrong_graphs else 1.0
        return lambda *inputs: tuple(output * by for output in graph(*inputs))

    segmenter = Sam3Segmenter(small_sam3(), word_tokenizer(), pairs=4)
    segmenter._plain = segmenter._passes
    segmenter._passes = Passes(segmenter._model, wrong)

    with pytest.raises(ConfigError, match=f"MASKPOOL_COMPILE: {what}, compiled, are off by"):
        segmenter.warm_up(4)


@torch.inference_mode()
def test_the_fine_maps_of_an_image_are_convolved_once() -> None:
    """Whatever portions its prompts come in, and only where a mask is drawn."""
    all_passes = Passes(small_sam3())
    image_features, (text, text_mask) = all_passes.encode(pixels(3)), asked(2)
    convolved: list[int] = []
    fine_features = all_passes._fine_features_of
    all_passes._fine_features_of = lambda *finer: (
        convolved.append(len(finer[0])) or fine_features(*finer)
    )

    for images in ((0, 0), (0, 2), (2, 2)):
        detections = all_passes.detect(image_features, images, text, text_mask)
        all_passes.decode_masks(image_features, detections, [(0, 1), (1, 1)])

    assert convolved == [1, 1]


def test_nothing_waits_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Sam3Segmenter(small_sam3(), word_tokenizer())
    sizes: list[int] = []
    see = segmenter._passes.encode
    monkeypatch.setattr(
        segmenter._passes,
        "encode",
        lambda pixels, **how: sizes.append(len(pixels)) or see(pixels, **how),
    )

    segmenter.warm_up(8)

    assert sizes == [1]
