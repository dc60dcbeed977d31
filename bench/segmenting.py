"""The segmenter beside the stock way: one cell of the table, so many images and prompts."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, Sam3Config, Sam3Model

from bench.forced import Forced
from bench.stages import NAMES, Stages, now
from bench.stock_sam3 import Stock
from maskpool.ports import Answer, Request
from workers.models.sam3.segmenter import PAIRS, Sam3Segmenter

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "workers" / "models" / "demo" / "sam3"
SCENES = sorted((ROOT / "samples" / "scenes").rglob("*.jpg"))

#: The demo model knows all of them.
PROMPTS = [
    f"{colour} {shape}"
    for shape in ("circle", "square", "triangle", "star", "cross")
    for colour in ("red", "green", "blue", "yellow", "purple", "orange")
]

#: The stock way asks prompts one by one; the time of more prompts than this is extrapolated.
STOCK_PROMPTS = 3

#: Instances of an image where random weights find none.
INSTANCES = 20


@dataclass(frozen=True)
class Work:
    """What the model has to compute, in FLOPs (2 × multiply-adds), by the published passes."""

    vision: float
    pair: float

    def of(self, prompts: int) -> float:
        """FLOPs of an image whose prompts share its vision pass."""
        return self.vision + prompts * self.pair


@dataclass(frozen=True)
class UnderTest:
    """One set of weights, in the stock way and in ours."""

    what: str
    stock: Stock
    ours: Sam3Segmenter
    forced: Forced | None
    stages: Stages
    work: Work
    device: torch.device
    #: Side of the masks that the model draws, cells.
    cells: int

    def find(self, images: Sequence[Any], texts: Sequence[str]) -> list[Answer]:
        """Ask every image, prepared or not, for the same texts, in our way."""
        return self.ours.segment([Request(image, tuple(texts)) for image in images])


def under_test(device: torch.device, *, compiled: bool) -> UnderTest:
    """The demo model on a CPU; on CUDA SAM3 at full size with random weights: the same products."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    stages = Stages()
    on_cuda = device.type == "cuda"
    if on_cuda:
        torch.manual_seed(0)
        model: Any = Sam3Model(Sam3Config()).eval().to(device)
    else:
        model = Sam3Model.from_pretrained(DEMO, dtype=torch.float32).eval()
    vision = model.config.vision_config
    cells = int(vision.scale_factors[0]) * (
        vision.backbone_config.image_size // vision.backbone_config.patch_size
    )
    forced = Forced(INSTANCES, cells, device) if on_cuda else None
    work = _work(model, tokenizer)
    stock = Stock(model, tokenizer, forced)
    backend = "inductor" if compiled else None
    pairs = PAIRS if on_cuda else 8
    ours = Sam3Segmenter(model, tokenizer, pairs=pairs, backend=backend, stage=stages)
    what = "full-size SAM3, random weights, blobs" if on_cuda else "demo SAM3"
    return UnderTest(what, stock, ours, forced, stages, work, device, cells)


@torch.inference_mode()
def _work(model: Any, tokenizer: Any) -> Work:
    """Counted while the model runs with plain attention, which hides no product."""
    usual = model.config._attn_implementation  # noqa: SLF001 - transformers offers no other way
    model.set_attn_implementation("eager")
    stock, image, counts = Stock(model, tokenizer, None), [pictures(1, 64, 48)[0]], []
    tokens = tokenizer(["red"], padding="max_length", max_length=32, return_tensors="pt")
    calls: list[Callable[[], object]] = [
        lambda: stock.vision(image),
        lambda: stock.segment(image, PROMPTS[:1], 1),
        lambda: model.get_text_features(**tokens.to(model.device)),
    ]
    for call in calls:
        with FlopCounterMode(display=False) as counter:
            call()
        counts.append(float(counter.get_total_flops()))
    model.set_attn_implementation(usual)
    vision, whole, text = counts
    return Work(vision, whole - vision - text)


def pictures(count: int, width: int, height: int) -> list[np.ndarray]:
    """Sample scenes at another size, RGB uint8."""
    paths = [SCENES[number % len(SCENES)] for number in range(count)]
    return [np.array(Pillow.open(path).convert("RGB").resize((width, height))) for path in paths]


def jpeg(image: np.ndarray) -> bytes:
    """The image as JPEG, with a camera's quality."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def measure(
    one: UnderTest, images: Sequence[np.ndarray], prompts: int, repeat: int
) -> dict[str, Any]:
    """Both ways in turn, round by round; medians, milliseconds an image with all its prompts."""
    texts = PROMPTS[:prompts]
    some = texts[:STOCK_PROMPTS]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: one.find(images, texts),
        "stock": lambda: one.stock.segment(images, some, prompts),
        "vision": lambda: one.stock.vision(images),
        "one": lambda: one.stock.segment(images, texts[:1], prompts),
    }
    if len(some) == 1:
        del ways["one"]
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with _found(one, prompts):
        for number in range(repeat + 1):
            for name, way in ways.items():
                began = now()
                way()
                if number:  # the first round warms up
                    taken[name].append(1000 * (now() - began) / len(images))
        stages, memory = _breakdown(one, images, texts), _peak_memory(one, len(images), texts)
    middle = {name: statistics.median(those) for name, those in taken.items()}
    stock = middle["stock"] * prompts / len(some)
    detector = max(middle.get("one", middle["stock"]) - middle["vision"], 1e-6)
    return {
        "images": len(images),
        "prompts": prompts,
        "stock_ms": stock,
        "ours_ms": middle["ours"],
        "bound": prompts * (middle["vision"] + detector) / (middle["vision"] + prompts * detector),
        "stages_ms": stages,
        "peak_gib": memory,
        "tflops": one.work.of(prompts) / middle["ours"] / 1e9,
    }


def _found(one: UnderTest, prompts: int) -> AbstractContextManager[None]:
    """The model's own instances, or forced ones where there are any."""
    return one.forced.on(one.ours, prompts) if one.forced else nullcontext()


def _breakdown(
    one: UnderTest, images: Sequence[np.ndarray], texts: Sequence[str]
) -> dict[str, float]:
    """Milliseconds an image of each stage."""
    files = [jpeg(image) for image in images]
    with one.stages.measured():
        with one.stages("decode"):
            decoded = [np.array(Pillow.open(io.BytesIO(file)).convert("RGB")) for file in files]
        with one.stages("prepare"):
            prepared = [one.ours.prepare(image) for image in decoded]
        one.find(prepared, texts)
    return {name: 1000 * one.stages.seconds[name] / len(images) for name in NAMES}


def _peak_memory(one: UnderTest, count: int, texts: Sequence[str]) -> float | None:
    """GiB that a call with images of 12 MP reserves, weights included; None on a CPU."""
    if one.device.type != "cuda":
        return None
    images = pictures(count, 4000, 3000)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    one.find(images, texts)
    return torch.cuda.max_memory_reserved() / 2**30


def peak_tflops(device: torch.device) -> float:
    """TFLOP/s of one large product here: what the FLOPs are measured against."""
    on_cuda = device.type == "cuda"
    side, dtype = (8192, torch.bfloat16) if on_cuda else (1536, torch.float32)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        began = now()
        left @ right
        best = min(best, now() - began)
    return 2 * side**3 / best / 1e12
