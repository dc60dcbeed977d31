"""A CUDA device whose memory somebody else has taken: real shortness, seen by the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from small_models import find, scene, small_sam3, word_tokenizer

from maskpool.errors import Transient
from workers.engine.engine import Engine
from workers.models.sam3.segmenter import Sam3Segmenter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PROMPTS = ("red circle", "blue square")
IMAGES = 32

#: Below this no tensor of an image finds room, whatever the allocator keeps.
_NOTHING = 1 << 20


@pytest.fixture
def segmenter() -> Iterator[Sam3Segmenter]:
    segmenter = Sam3Segmenter(small_sam3().to("cuda"), word_tokenizer())
    find(segmenter, [scene(96, 96, 0)], PROMPTS)  # texts, kernels and workspaces
    yield segmenter
    torch.cuda.empty_cache()


def fill(leave: int) -> list[torch.Tensor]:
    """Take the device's memory but for ``leave`` bytes."""
    torch.cuda.empty_cache()
    ballast = []
    piece = 1 << 30
    while piece >= _NOTHING:
        free, _ = torch.cuda.mem_get_info()
        if free - leave < piece:
            piece //= 2
            continue
        try:
            ballast.append(torch.empty(piece, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            piece //= 2
    return ballast


def test_memory_that_others_took_halves_the_micro_batch(segmenter: Sam3Segmenter) -> None:
    images = [scene(96, 96, seed) for seed in range(IMAGES)]
    torch.cuda.reset_peak_memory_stats()
    resting = torch.cuda.memory_allocated()
    expected = find(segmenter, images, PROMPTS)
    needed = torch.cuda.max_memory_allocated() - resting
    engine = Engine(
        segmenter,
        None,
        micro_batch=IMAGES,
        out_of_memory=(torch.OutOfMemoryError,),
    )
    futures = [engine.submit(image, PROMPTS) for image in images]

    ballast = fill(leave=needed // 3)
    with engine:
        found = [future.result(300).found for future in futures]
        size = engine.micro_batch
    del ballast

    assert size < IMAGES
    assert [len(one) for one in found] == pytest.approx([len(one) for one in expected], abs=2)


def test_memory_too_short_for_one_image_passes(segmenter: Sam3Segmenter) -> None:
    engine = Engine(segmenter, None, micro_batch=2, out_of_memory=(torch.OutOfMemoryError,))
    with engine:
        ballast = fill(leave=0)
        with pytest.raises(Transient, match="not enough memory for one image"):
            engine.submit(scene(2160, 3840, 1), PROMPTS).result(300)
        del ballast
        torch.cuda.empty_cache()
        engine.submit(scene(2160, 3840, 1), PROMPTS).result(300)
    assert engine.healthy
