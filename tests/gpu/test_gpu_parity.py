"""What only a CUDA device can show: bf16 against fp32, real shortness of memory, and latency.

Run with ``pytest -s tests/gpu`` to see the figures.
"""

# ruff: noqa: T201

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from published_sam3 import segment_one
from small_models import find, scene, small_sam3, word_tokenizer
from transformers import Sam3Config, Sam3Model

from maskpool import rle
from maskpool.domain import Found
from maskpool.model_aliases import BUILT_IN_MODELS, DEMO_MODELS
from maskpool.ports import ObjectAsk, Request
from workers.models.load import load_models, load_segmenter
from workers.models.precision import precision
from workers.models.sam3.segmenter import Sam3Segmenter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

needs_demo = pytest.mark.skipif(
    not (DEMO_MODELS / "sam3" / "model.safetensors").exists(), reason="no demo weights here"
)

PROMPTS = ["red square", "blue square", "green circle", "square", "yellow star"]


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    torch.cuda.empty_cache()


def drawing(seed: int) -> np.ndarray:
    """Squares on a light ground, uint8 (height, width, 3): something the demo model knows."""
    random = np.random.default_rng(seed)
    image = np.full(
        (int(random.integers(200, 500)), int(random.integers(200, 500)), 3), 225, np.uint8
    )
    for colour in ((220, 30, 30), (30, 60, 220), (30, 160, 60)):
        side = int(random.integers(40, 90))
        y, x = random.integers(0, image.shape[0] - side), random.integers(0, image.shape[1] - side)
        image[y : y + side, x : x + side] = colour
    return image


def best_matches(mine: list[Found], other: list[Found]) -> list[tuple[float, float]]:
    """For each instance its counterpart by mask IoU: (IoU, difference of scores)."""
    matches = []
    for one in mine:
        runs = rle.to_runs(one.mask)
        rivals = [rival for rival in other if rival.prompt_index == one.prompt_index]
        ious = [(rle.iou(runs, rle.to_runs(rival.mask)), rival) for rival in rivals]
        iou, rival = max(ious, key=lambda pair: pair[0], default=(0.0, None))
        matches.append((iou, abs(one.score - rival.score) if rival else 1.0))
    return matches


@needs_demo
def test_bf16_autocast_finds_what_fp32_finds() -> None:
    folder = BUILT_IN_MODELS["demo"].sam3
    images = [drawing(seed) for seed in range(20)]
    exact = find(load_segmenter(folder, torch.device("cpu")), images, PROMPTS)

    found = find(load_segmenter(folder, torch.device("cuda", 0)), images, PROMPTS)

    matches = np.array(
        [
            match
            for left, right in zip(exact, found, strict=True)
            for match in best_matches([one for one in left if one.score >= 0.6], right)
        ]
    )
    assert len(matches) >= 20
    print(f"\nIoU {matches[:, 0].mean():.4f}, score difference {matches[:, 1].mean():.4f}")
    # bf16 has three digits, so twin queries of one object may change places.
    assert (matches[:, 0] >= 0.9).mean() >= 0.95
    assert (matches[:, 1] <= 0.05).mean() >= 0.95


def test_fp32_on_the_device_agrees_with_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.models.sam3.segmenter.precision", lambda _: nullcontext())
    monkeypatch.setattr("workers.models.sam3.segmenter.cast_weights_on_cuda", lambda *_: None)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    # At the model's own size: random weights blow up the level by which CUDA's resizing differs.
    images = [scene(96, 96, seed) for seed in (1, 2)]
    prompts = ["red circle", "blue"]
    exact = find(Sam3Segmenter(small_sam3(), word_tokenizer()), images, prompts)

    found = find(Sam3Segmenter(small_sam3().to("cuda"), word_tokenizer()), images, prompts)

    for left, right in zip(exact, found, strict=True):
        scores = [one.score for one in left]
        np.testing.assert_allclose([one.score for one in right], scores, atol=2e-3)
        for one in left:
            mask = rle.decode(one.mask)
            near = [other for other in right if abs(other.score - one.score) < 4e-3]
            assert max((mask == rle.decode(rival.mask)).mean() for rival in near) >= 0.99


@needs_demo
def test_bf16_on_the_device_agrees_with_the_published_pass_there() -> None:
    """The same weights under the same autocast, one published pass an image and prompt."""
    segmenter = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cuda", 0))
    images = [drawing(seed) for seed in range(6)]

    found = find(segmenter, images, PROMPTS)

    compared = 0
    for image, instances in zip(images, found, strict=True):
        for index, prompt in enumerate(PROMPTS):
            with precision(torch.device("cuda")):
                published = segment_one(
                    segmenter._model, segmenter._tokens._tokenizer, image, prompt, 0.5
                )
            for one in (x for x in instances if x.prompt_index == index and x.score > 0.51):
                mask = rle.decode(one.mask)
                differing = [(mask != rival).mean() for rival in published.masks]
                assert min(differing) <= 1e-3
                assert abs(published.scores[int(np.argmin(differing))] - one.score) <= 1e-2
                compared += 1
    assert compared >= 6


@needs_demo
def test_compiled_passes_find_what_plain_ones_find() -> None:
    """Inductor and Triton for real; needs a C compiler."""
    plain = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cuda", 0))
    compiled = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cuda", 0), compiled=True)
    begun = time.perf_counter()
    compiled.warm_up(8)
    print(f"\nwarm after {time.perf_counter() - begun:.0f} s")
    images = [drawing(seed) for seed in range(7)]

    matches = np.array(
        [
            match
            for left, right in zip(
                find(plain, images, PROMPTS), find(compiled, images, PROMPTS), strict=True
            )
            for match in best_matches([one for one in left if one.score >= 0.6], right)
        ]
    )

    assert len(matches) >= 7
    assert (matches[:, 0] >= 0.98).mean() >= 0.95
    assert (matches[:, 1] <= 0.02).mean() >= 0.95


def test_images_prepared_by_many_threads_are_those_of_one() -> None:
    """Copies and resizing run on a stream of their own: nothing may be read before it is there."""
    segmenter = Sam3Segmenter(small_sam3().to("cuda"), word_tokenizer())
    images = [scene(1080, 1920, seed) for seed in range(24)]
    expected = [segmenter.prepare(image).pixels.cpu() for image in images]

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            made = list(pool.map(segmenter.prepare, images))
            stacked = segmenter._squares.stacked(made)
            levels = (stacked * 127.5 + 127.5).round().to(torch.uint8).cpu()
            assert all(torch.equal(a, b[0]) for a, b in zip(levels, expected, strict=True))


@needs_demo
def test_objects_on_the_device_are_those_of_the_cpu() -> None:
    """bf16 vision and neck, fp32 behind them, beside fp32 throughout."""
    folder = BUILT_IN_MODELS["demo"].sam3
    asks = (
        ObjectAsk(0, 0, (20.0, 20.0, 120.0, 130.0)),
        ObjectAsk(1, 0, points=((60.0, 60.0, 1),)),
        ObjectAsk(2, 0, points=((60.0, 60.0, 1), (150.0, 150.0, 0), (80.0, 70.0, 1))),
    )
    requests = [Request(drawing(seed), tuple(PROMPTS), objects=asks) for seed in range(6)]

    exact, found = (
        load_segmenter(folder, torch.device(name)).segment(requests) for name in ("cpu", "cuda")
    )

    ious = []
    for left, right in zip(exact, found, strict=True):
        pair = [
            [one for one in side.found if one.object_index is not None] for side in (left, right)
        ]
        for mine, other in zip(*pair, strict=True):
            assert mine.object_index == other.object_index
            assert mine.predicted_iou == pytest.approx(other.predicted_iou, abs=0.1)
            ious.append(rle.iou(rle.to_runs(mine.mask), rle.to_runs(other.mask)))
    print(f"\nobjects: IoU with the CPU's {np.mean(ious):.4f}, worst {min(ious):.4f}")
    # Candidates that the model holds for as good may change places.
    assert (np.array(ious) >= 0.9).mean() >= 0.9


@needs_demo
def test_seconds_are_measured_on_the_device() -> None:
    segmenter = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cuda", 0))
    click = Request(drawing(1), (), objects=(ObjectAsk(0, 0, points=((60.0, 60.0, 1),)),))
    many = Request(drawing(2), tuple(f"{c} square" for c in ("red", "blue", "green") * 30))
    segmenter.segment([click, many])

    torch.cuda.synchronize()
    begun = time.perf_counter()
    cheap, dear = segmenter.segment([click, many])
    torch.cuda.synchronize()
    whole = time.perf_counter() - begun

    assert 0.5 * whole <= cheap.seconds + dear.seconds <= 1.05 * whole
    assert cheap.seconds < dear.seconds


@needs_demo
def test_clip_on_the_device_agrees_with_the_cpu() -> None:
    crops = [drawing(seed) for seed in range(6)]
    on_cpu = load_models(BUILT_IN_MODELS["demo"], device="cpu").scorer
    on_cuda = load_models(BUILT_IN_MODELS["demo"], device="cuda").scorer

    exact, found = (one.similarities(crops, PROMPTS) for one in (on_cpu, on_cuda))

    assert np.abs(exact - found).max() <= 0.05 * np.ptp(exact)


@needs_demo
def test_short_memory_halves_and_fails_nobody() -> None:
    models = load_models(BUILT_IN_MODELS["demo"], device="cuda", pairs=256)
    prompts = tuple(f"{colour} square" for colour in ("red", "blue", "green", "yellow") * 8)
    images = [drawing(seed) for seed in range(32)]
    find(models.segmenter, images[:1], prompts)  # texts, kernels and workspaces
    torch.cuda.empty_cache()
    resting = torch.cuda.memory_reserved()
    torch.cuda.reset_peak_memory_stats()
    expected = find(models.segmenter, images, prompts)
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    engine = models.engine(micro_batch=32)
    try:
        torch.cuda.set_per_process_memory_fraction((resting + (peak - resting) * 0.4) / total)
        # Before the start, so that they make one micro-batch; those that find no memory now are
        # prepared in their turn.
        futures = [engine.submit(image, prompts) for image in images]
        with engine:
            found = [future.result(300).found for future in futures]
            sizes = models.segmenter.pairs, engine.micro_batch
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    print(f"\npeak {peak / 2**20:.0f} MiB; pairs 256 → {sizes[0]}, micro-batch 32 → {sizes[1]}")
    assert sizes < (256, 32)
    sure = [
        [sum(one.score >= 0.5 for one in image) for image in side] for side in (found, expected)
    ]
    assert sure[0] == pytest.approx(sure[1], abs=2)


def milliseconds(run: Callable[[], Any], times: int = 10) -> float:
    """Median of ``times`` runs, after two to warm up."""
    for _ in range(2):
        run()
    taken = []
    for _ in range(times):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return 1000 * float(np.median(taken))


def test_latency_at_full_size() -> None:
    """Prints; random weights cost what trained ones do, but find nothing worth a mask."""
    with torch.device("cuda"):
        model = Sam3Model(Sam3Config()).eval()
    segmenter = Sam3Segmenter(model, word_tokenizer())
    image = scene(1080, 1920, 1)
    alone = milliseconds(lambda: find(segmenter, [image], PROMPTS[:1]))
    prompts = [
        f"{first} {second}" for first in ("red", "blue") for second in ("a", "b", "c", "d", "e")
    ]
    shared = milliseconds(lambda: find(segmenter, [image], prompts))
    eight = milliseconds(lambda: find(segmenter, [image] * 8, PROMPTS[:1])) / 8
    name = torch.cuda.get_device_name(0)

    print(
        f"\n{name}, SAM3 at full size, 1080p, bf16: 1 prompt {alone:.1f} ms, 10 prompts "
        f"{shared:.1f} ms, 1 prompt in a micro-batch of 8 {eight:.1f} ms an image"
    )
    # Sharing the vision pass is the point: ten prompts must cost far less than ten images.
    assert shared < 5 * alone
