"""Many masks of one large image: the published enlargement beside ours, each in its own process.

    python bench/large_masks.py                # 100 masks of 4032 × 4032 pixels
    python bench/large_masks.py --masks 20 --side 2048

Both ways start from the maps that the model draws, 288 × 288 cells. The published rule
(``post_process_instance_segmentation``) enlarges all maps to the image and takes what is above one
half: timed up to there, without any RLE. Ours computes where an enlarged map would cross one half,
and ends with COCO RLE. Memory is what a process holds at most beyond what it held before. Needs
torch and numpy.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from bench import machine
from bench.forced import Forced
from maskpool import rle
from workers.models.sam3.mask_to_rle import masks_to_rle

#: Cells of a map's side, as SAM3 draws it.
_CELLS = 288

_WAYS = ("published", "ours")


def main() -> None:
    """Measure both ways and print a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--masks", type=int, default=100)
    parser.add_argument("--side", type=int, default=4032, help="of the square image, pixels")
    parser.add_argument("--way", choices=_WAYS, help="run one way here, and print what it took")
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(_run(asked.way, asked.masks, asked.side)))
    else:
        print(compare(asked.masks, asked.side)[1])


def compare(masks: int = 100, side: int = 4032) -> tuple[dict[str, Any], str]:
    """Run both ways, one CPU thread each.

    Returns:
        The figures, and a sentence for people.
    """
    published, ours = (_in_process(way, masks, side) for way in _WAYS)
    both = [published.pop("masks"), ours.pop("masks")]
    other = _pixels_that_differ(*both, side)
    area = sum(rle.to_runs(rle.Rle((side, side), text)).area for text in both[0])
    figures = {"masks": masks, "side": side, "published": published, "ours": ours, "differ": other}
    return figures, (
        f"{masks} masks of {side} × {side} pixels on one CPU thread: ours {ours['seconds']:.2f} s "
        f"and {ours['gib']:.2f} GiB,\nthe published enlargement {published['seconds']:.1f} s and "
        f"{published['gib']:.1f} GiB; {other} of {area:,} pixels differ"
    )


def _pixels_that_differ(some: list[str], others: list[str], side: int) -> int:
    count = 0
    for one, other in zip(some, others, strict=True):
        mine, theirs = (rle.to_runs(rle.Rle((side, side), text)) for text in (one, other))
        count += mine.area + theirs.area - 2 * rle.intersection(mine, theirs)
    return count


def _in_process(way: str, masks: int, side: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--way", way, "--masks", str(masks), "--side", str(side)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


@torch.inference_mode()
def _run(way: str, masks: int, side: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    maps = Forced(masks, _CELLS, torch.device("cpu")).maps(masks, torch.zeros(0))
    draw: Callable[[torch.Tensor, int], Any] = _published if way == "published" else _ours
    draw(maps[:1], 64)  # what is loaded at first use is not of the masks
    before, began = machine.largest_mb(os.getpid()), time.perf_counter()
    drawn = draw(maps, side)
    took, most = time.perf_counter() - began, machine.largest_mb(os.getpid())
    texts = drawn if isinstance(drawn, list) else [rle.encode(mask).counts for mask in drawn]
    return {"seconds": took, "gib": (most - before) / 1024, "masks": texts}


def _published(maps: torch.Tensor, side: int) -> npt.NDArray[np.bool_]:
    whole = functional.interpolate(maps[None], size=(side, side), mode="bilinear")[0] > 0.5
    return whole.numpy()


def _ours(maps: torch.Tensor, side: int) -> list[str]:
    return [one.mask.counts for one in masks_to_rle(maps, [(side, side)] * len(maps))]


if __name__ == "__main__":
    main()
