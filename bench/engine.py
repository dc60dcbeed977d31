"""How fast SAM3 runs here, beside the stock way, in one run on one machine.

    python bench/engine.py                  # the demo model on the CPU, full-size SAM3 on CUDA
    python bench/engine.py --repeat 5 --results bench/results

*Stock* is ``Sam3Model.forward`` as transformers documents it: one prompt a call, a batch of
images, the published post-processing, then RLE of each mask. *Ours* is ``Sam3Segmenter.segment``.
Both start from decoded uint8 images and end with RLE, on the same threads, with the same weights,
one after the other, round by round; the ratio is of medians.

``bound`` is what sharing the vision pass alone can gain, P(V + H) / (V + P·H), with V the time of
the vision pass and H that of the rest for one prompt, measured in the same run.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoTokenizer, Sam3Config, Sam3Model
from transformers.utils import logging as transformers_logging

from bench import machine
from maskpool import rle
from maskpool.domain import SCORE_FLOOR
from maskpool.settings import BUILT_IN_MODELS
from workers.models.load import load_segmenter
from workers.models.precision import precision
from workers.models.sam3 import Sam3Segmenter

PROMPTS = [
    f"{colour} {shape}"
    for colour in ("red", "blue", "green")
    for shape in ("circle", "square", "triangle", "star")
]
CELLS = [(1, 1), (1, 3), (1, 10), (4, 1), (4, 3), (4, 10)]


def main() -> None:
    """Measure every cell and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--side", type=int, default=640, help="images are side × ¾ side pixels")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    transformers_logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, tokenizer, segmenter, what = _models(device)
    print(f"{what} on {_machine(device)}, {asked.threads} CPU thread(s), torch {torch.__version__}")
    print(f"{'images':>6} {'prompts':>7} {'stock ms':>9} {'ours ms':>8} {'ratio':>6} {'bound':>6}")
    rows = []
    for images, prompts in CELLS:
        row = _cell(model, tokenizer, segmenter, _images(images, asked.side), prompts, asked.repeat)
        rows.append(row)
        print(
            f"{images:>6} {prompts:>7} {row['stock_ms']:>9.1f} {row['ours_ms']:>8.1f} "
            f"{row['ratio']:>6.2f} {row['bound']:>6.2f}"
        )
    print("ms are per image; every prompt of the cell included")
    if asked.results:
        content = {"model": what, "threads": asked.threads, "rows": rows}
        print(f"kept in {machine.save(asked.results, _machine(device), 'engine', content)}")


def _models(device: torch.device) -> tuple[Any, Any, Sam3Segmenter, str]:
    """The demo checkpoint, or SAM3 at full size with random weights: the arithmetic is the same."""
    folder = BUILT_IN_MODELS["demo"].sam3
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if device.type == "cpu":
        model = Sam3Model.from_pretrained(folder, dtype=torch.float32).eval()
        return model, tokenizer, load_segmenter(folder, device), "demo SAM3"
    torch.manual_seed(0)
    model = Sam3Model(Sam3Config()).eval().to(device)
    return model, tokenizer, Sam3Segmenter(model, tokenizer), "full-size SAM3, random weights"


def _images(count: int, side: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)
    scale = side // 16
    return [np.kron(one, np.ones((scale, scale, 1), np.uint8)) for one in small]


def _cell(
    model: Any,
    tokenizer: Any,
    segmenter: Sam3Segmenter,
    images: Sequence[np.ndarray],
    prompts: int,
    repeat: int,
) -> dict[str, float]:
    texts = PROMPTS[:prompts]
    ways: list[Callable[[], object]] = [
        lambda: _stock(model, tokenizer, images, texts),
        lambda: segmenter.segment(images, texts),
        lambda: _vision(model, images),
        lambda: _stock(model, tokenizer, images, texts[:1]),
    ]
    times: list[list[float]] = [[] for _ in ways]
    for number in range(repeat + 1):
        for way, seen in zip(ways, times, strict=True):
            seconds = _timed(way)
            if number:  # the first round warms up
                seen.append(seconds / len(images))
    stock, ours, vision, one = (statistics.median(seen) * 1000 for seen in times)
    head = max(one - vision, 1e-6)
    return {
        "images": len(images),
        "prompts": prompts,
        "stock_ms": stock,
        "ours_ms": ours,
        "ratio": stock / ours,
        "vision_ms": vision,
        "head_ms": head,
        "bound": prompts * (vision + head) / (vision + prompts * head),
    }


def _timed(way: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


@torch.inference_mode()
def _stock(model: Any, tokenizer: Any, images: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    for text in texts:
        tokens = tokenizer(
            [text] * len(images), padding="max_length", max_length=32, return_tensors="pt"
        ).to(model.device)
        with precision(model.device):
            output = model(
                pixel_values=_pixels(model, images),
                input_ids=tokens["input_ids"],
                attention_mask=tokens["attention_mask"],
            )
        _post_process(output, images)


@torch.inference_mode()
def _vision(model: Any, images: Sequence[np.ndarray]) -> None:
    with precision(model.device):
        model.get_vision_features(_pixels(model, images))


def _pixels(model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
    side = model.config.image_size
    batch = torch.stack([torch.from_numpy(one).to(model.device).permute(2, 0, 1) for one in images])
    resize = {"mode": "bilinear", "align_corners": False, "antialias": True}
    source = batch.float() if model.device.type == "cuda" else batch
    return (functional.interpolate(source, (side, side), **resize).float() - 127.5) / 127.5


def _post_process(output: Any, images: Sequence[np.ndarray]) -> None:
    """``post_process_instance_segmentation`` of ``image_processing_sam3.py``, then RLE."""
    scores = output.pred_logits.float().sigmoid() * output.presence_logits.float().sigmoid()
    masks = output.pred_masks.float().sigmoid()
    for image, of_image, found in zip(images, scores, masks, strict=True):
        kept = found[of_image > SCORE_FLOOR]
        if len(kept):
            size = image.shape[:2]
            whole = functional.interpolate(kept[None], size=size, mode="bilinear")[0] > 0.5
            for mask in whole.cpu().numpy():
                rle.encode(mask)


def _machine(device: torch.device) -> str:
    return torch.cuda.get_device_name(0) if device.type == "cuda" else machine.name()


if __name__ == "__main__":
    main()
