"""What is asked beside texts has changed nothing for texts: not one bit, on the CPU, uncompiled.

The way below is the segmenter's as it was when it knew texts alone, written down once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from small_models import find, scene, small_sam3, small_tracker, word_tokenizer

from maskpool.domain import MAX_INSTANCES_PER_PROMPT, SCORE_FLOOR
from maskpool.model_aliases import BUILT_IN_MODELS
from workers.models.load import load_segmenter
from workers.models.sam3.detector import Detector
from workers.models.sam3.mask_decoder import MaskDecoder
from workers.models.sam3.mask_to_rle import masks_to_rle
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.sam3.tracker import Tracker
from workers.models.text import TextCache

pytestmark = pytest.mark.usefixtures("one_thread")

#: Prompt, score, box and mask of an instance.
Plain = tuple[int, float, tuple[float, ...], str]


@torch.inference_mode()
def plainly(
    segmenter: Sam3Segmenter, images: Sequence[np.ndarray], texts: Sequence[str], pairs: int
) -> list[list[Plain]]:
    model: Any = segmenter._model
    detector, decoder = Detector(model), MaskDecoder(model)
    squares = [segmenter.prepare(image) for image in images]
    features, text_mask = TextCache(segmenter._encode_texts).stacked(texts)
    pixels = segmenter._squares.stacked(squares)
    encoder = model.vision_encoder
    side = pixels.shape[-1] // encoder.config.backbone_config.patch_size
    shape = torch.Size((1, encoder.neck.config.fpn_hidden_size, side, side))
    encoding = encoder.neck.position_encoding(shape, pixels.device, pixels.dtype)
    position = encoding.flatten(2).transpose(1, 2).contiguous()
    states = encoder.backbone(pixels).last_hidden_state
    grid = states.view(len(pixels), side, side, -1).permute(0, 3, 1, 2)
    *finer, coarsest = (layer(grid) for layer in encoder.neck.fpn_layers[:-1])
    cells = detector.encode_images(coarsest, position)
    fine: dict[int, tuple[torch.Tensor, ...]] = {}
    rows = [(image, prompt) for image in range(len(images)) for prompt in range(len(texts))]
    found: list[list[Plain]] = [[] for _ in images]
    for start in range(0, len(rows), pairs):
        portion = rows[start : start + pairs]
        about, asked = [image for image, _ in portion], [prompt for _, prompt in portion]
        text, mask = features[asked], text_mask[asked]
        logits, presence, queries, conditioned = detector.detect(
            cells[torch.tensor(about)], text, mask, position
        )
        scores = (logits.float().sigmoid() * presence.float().sigmoid()).numpy()
        best = np.argsort(-scores, axis=1, kind="stable")[:, :MAX_INSTANCES_PER_PROMPT]
        kept = [
            (row, int(query))
            for row in range(len(portion))
            for query in best[row]
            if scores[row, query] >= SCORE_FLOOR
        ]
        if not kept:
            continue
        drawing = list(dict.fromkeys(row for row, _ in kept))
        if missing := sorted({about[row] for row in drawing} - fine.keys()):
            made = decoder.fine_features(*(level[torch.tensor(missing)] for level in finer))
            fine |= zip(missing, zip(*made, strict=True), strict=True)
        theirs = [fine[about[row]] for row in drawing]
        these = torch.tensor(drawing)
        (drawn,) = decoder.pixels(
            *(part[these] for part in (conditioned, text, mask)),
            *(torch.stack(level) for level in zip(*theirs, strict=True)),
        )
        chosen = queries[tuple(torch.tensor(place) for place in zip(*kept, strict=True))]
        counts = [[row for row, _ in kept].count(row) for row in drawing]
        maps = decoder.masks(drawn, chosen, counts).float().sigmoid()
        for one in masks_to_rle(maps, [squares[about[row]].size for row, _ in kept]):
            row, query = kept[one.place]
            plain = (asked[row], float(scores[row, query]), one.box_xyxy, one.mask.counts)
            found[about[row]].append(plain)
    return found


def read(segmenter: Sam3Segmenter, images: list[Any], texts: list[str]) -> list[list[Plain]]:
    return [
        [(one.prompt_index, one.score, one.box_xyxy, one.mask.counts) for one in image]
        for image in find(segmenter, images, texts)
    ]


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("tracker", [False, True])
def test_random_weights(images: int, tracker: bool) -> None:
    model = small_sam3()
    drawer = Tracker(small_tracker(model)) if tracker else None
    segmenter = Sam3Segmenter(model, word_tokenizer(), tracker=drawer, pairs=4)
    shown = [scene(200, 300, 1), scene(120, 60, 2), scene(96, 96, 3)][:images]
    texts = ["red circle", "blue", "a the green shape"]

    expected = plainly(segmenter, shown, texts, 4)

    assert read(segmenter, shown, texts) == expected
    assert all(expected)


def test_demo_weights() -> None:
    demo = BUILT_IN_MODELS["demo"].sam3
    segmenter = load_segmenter(demo, torch.device("cpu"), 8)
    paths = [f"samples/scenes/scene_{number:02}.jpg" for number in (1, 5, 9)]
    root = Path(__file__).resolve().parents[5]
    shown = [np.array(Pillow.open(root / path).convert("RGB")) for path in paths]
    texts = ["red circle", "blue square", "green triangle", "star"]

    expected = plainly(segmenter, shown, texts, 8)

    assert read(segmenter, shown, texts) == expected
    assert sum(map(len, expected)) >= 8
