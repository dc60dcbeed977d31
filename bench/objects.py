"""What a box or a click costs beside one more text, on the same vision pass.

    python bench/objects.py              # the demo model on a CPU, full-size SAM3 on CUDA
    python bench/objects.py --repeat 30  # more rounds, for less noise

One image is asked for one text alone, and for that and so many more texts, regions, boxes or
clicks, in turn, round by round. What a row costs is the difference over their number. An image with
any object passes the tracker's neck once: one box beside none, less what a box costs. Milliseconds
of the process's CPU time on a CPU, which neighbours disturb least, and of the clock on CUDA, where
random weights make masks of noise: their RLE costs more than that of trained ones.
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
from collections.abc import Callable
from typing import Literal

import torch
from transformers import (
    AutoTokenizer,
    Sam3Config,
    Sam3Model,
    Sam3TrackerConfig,
    Sam3TrackerModel,
)
from transformers.utils import logging as transformers_logging

from bench import machine
from bench.segmenting import DEMO, PROMPTS, pictures
from bench.stages import now
from maskpool.ports import ObjectAsk, Request
from workers.models.load import load_segmenter
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.sam3.tracker import Tracker

_WIDTH, _HEIGHT = 640, 480


def main() -> None:
    """Measure, and print one line for each kind of row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=24, help="of each kind, at most 29")
    parser.add_argument("--repeat", type=int, default=9, help="rounds; the median counts")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_cuda = device.type == "cuda"
    segmenter = _at_full_size(device) if on_cuda else load_segmenter(str(DEMO), device, 8)
    where = torch.cuda.get_device_name(0) if on_cuda else machine.name()
    taken = _measure(segmenter, asked.rows, asked.repeat, now if on_cuda else time.process_time)
    rows = {kind: (taken[kind] - taken["alone"]) / asked.rows for kind in ("texts", "regions")}
    for kind in ("boxes", "clicks"):
        rows[kind] = (taken[kind] - taken["one box"]) / (asked.rows - 1)
    neck = taken["one box"] - taken["alone"] - rows["boxes"]
    print(
        f"{'full-size' if on_cuda else 'demo'} SAM3 on {where}, one image of {_WIDTH} × {_HEIGHT}"
    )
    print(f"vision and one text {taken['alone']:8.2f} ms")
    for kind, cost in rows.items():
        print(f"each of the {kind:8} {cost:8.2f} ms, {cost / rows['texts']:.2f} of a text")
    print(f"the tracker's neck  {neck:8.2f} ms, once an image with objects")


def _at_full_size(device: torch.device) -> Sam3Segmenter:
    """SAM3 with random weights: the same products."""
    torch.manual_seed(0)
    with device:
        model = Sam3Model(Sam3Config()).eval()
        tracker = Sam3TrackerModel(Sam3TrackerConfig()).eval()
    tracker.vision_encoder.backbone = model.vision_encoder.backbone
    return Sam3Segmenter(model, AutoTokenizer.from_pretrained(DEMO), tracker=Tracker(tracker))


def _measure(
    segmenter: Sam3Segmenter, rows: int, repeat: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Milliseconds of each kind of request, medians."""
    (image,) = pictures(1, _WIDTH, _HEIGHT)
    one, many = tuple(PROMPTS[:1]), tuple(PROMPTS[: 1 + rows])
    boxes = tuple(_box(number) for number in range(rows))
    clicks = tuple(ObjectAsk(one.object_index, 0, points=_middle(one)) for one in boxes)
    requests = {
        "alone": Request(image, one),
        "texts": Request(image, many),
        "regions": Request(image, many, stuff=tuple(range(1, len(many)))),
        "one box": Request(image, one, objects=boxes[:1]),
        "boxes": Request(image, one, objects=boxes),
        "clicks": Request(image, one, objects=clicks),
    }
    taken: dict[str, list[float]] = {name: [] for name in requests}
    for number in range(repeat + 1):
        for name, request in requests.items():
            began = clock()
            segmenter.segment([request])
            if number:  # the first round warms up
                taken[name].append(1000 * (clock() - began))
    return {name: statistics.median(those) for name, those in taken.items()}


def _box(number: int) -> ObjectAsk:
    """Boxes of a fifth of the image's sides, side by side."""
    x, y = number % 5 * _WIDTH / 5, number // 5 % 5 * _HEIGHT / 5
    return ObjectAsk(number, 0, (x, y, x + _WIDTH / 5, y + _HEIGHT / 5))


def _middle(ask: ObjectAsk) -> tuple[tuple[float, float, Literal[1]], ...]:
    x0, y0, x1, y1 = ask.box_xyxy or (0.0, 0.0, 0.0, 0.0)
    return (((x0 + x1) / 2, (y0 + y1) / 2, 1),)


if __name__ == "__main__":
    main()
