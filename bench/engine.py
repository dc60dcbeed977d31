"""How fast SAM3 runs here, beside the stock way, in one run on one machine.

    python bench/engine.py                     # the demo model on a CPU, full-size SAM3 on CUDA
    python bench/engine.py --cells 1x1 8x10    # some cells only, images × prompts
    python bench/engine.py --compile           # what MASKPOOL_COMPILE does

*Stock* is ``bench/stock_sam3.py``: one prompt a call, the whole forward pass. *Ours* is
``Sam3Segmenter``. Both start from decoded uint8 images and end with RLE, on the same threads, with
the same weights, in turn, round by round; the ratio is against the stock way's best batch. Beyond
three prompts the stock way is not timed but multiplied: it is a loop. On CUDA both run under bf16
autocast over weights that are kept in bf16 for products, which spares the stock way its casts.

``bound`` is what sharing the vision pass alone can gain, P(V + H) / (V + P·H), with V the time of
the vision pass and H that of the rest for one prompt, measured in the same run. ``used`` is the
model's arithmetic – one vision pass an image, one pass of the detector a prompt – over the time
and what one large matrix product reaches here. The last line is ``bench/large_masks.py``: a hundred
masks of a 16-MP image. Needs torch, transformers, numpy and Pillow; the whole worker's line needs
an installation.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import os
import tempfile
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from bench import large_masks, machine
from bench.segmenting import UnderTest, measure, peak_tflops, pictures, under_test
from bench.stages import NAMES

CELLS = [f"{images}x{prompts}" for prompts in (1, 3, 10, 30) for images in (1, 4, 8, 16)]

#: Milliseconds an image on one H200, by prompts, the model alone.
H200_TARGETS = {1: 13.0, 10: 22.0}


def main() -> None:
    """Measure every cell and print the tables."""
    asked = _asked()
    torch.set_num_threads(asked.threads)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    one = under_test(device, compiled=asked.compile)
    where, peak = _machine(device), peak_tflops(device)
    print(
        f"{one.what}{', compiled' if asked.compile else ''} on {where}, {asked.threads} CPU "
        f"thread(s), torch {torch.__version__}\n"
        f"vision {one.work.vision / 1e9:,.1f} GFLOP an image, "
        f"detector {one.work.pair / 1e9:,.2f} a prompt; one large product: {peak:,.2f} TFLOP/s",
        flush=True,
    )
    if asked.compile:
        one.ours.warm_up(max(int(cell.split("x")[0]) for cell in asked.cells))
    rows = _cells(one, asked, peak)
    workers = [] if asked.no_worker else _workers(one, asked)
    large, sentence = large_masks.compare(asked.large_masks)
    print(sentence)
    if asked.results:
        content = {
            "model": one.what,
            "compiled": asked.compile,
            "threads": asked.threads,
            "peak_tflops": peak,
            "rows": rows,
            "whole_worker": workers,
            "large_masks": large,
        }
        part = "engine-compiled" if asked.compile else "engine"
        print(f"kept in {machine.save(asked.results, where, part, content)}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cells", nargs="+", default=CELLS, help="images × prompts, such as 8x10")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the median counts")
    parser.add_argument("--side", type=int, default=640, help="images are side × ¾ side pixels")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the model")
    parser.add_argument("--compile", action="store_true", help="have torch.compile do our passes")
    parser.add_argument("--images", type=int, default=48, help="of the whole worker's line")
    parser.add_argument("--no-worker", action="store_true", help="leave that line out")
    parser.add_argument("--large-masks", type=int, default=100, help="masks of the 16-MP image")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


def _cells(one: UnderTest, asked: argparse.Namespace, peak: float) -> list[dict[str, Any]]:
    rows = []
    for cell in asked.cells:
        images, prompts = map(int, cell.split("x"))
        shown = pictures(images, asked.side, asked.side * 3 // 4)
        rows.append(measure(one, shown, prompts, asked.repeat))
    best: dict[int, float] = {}
    for row in rows:
        prompts = row["prompts"]
        best[prompts] = min(best.get(prompts, row["stock_ms"]), row["stock_ms"])
    for row in rows:
        row["ratio"] = best[row["prompts"]] / row["ours_ms"]
        row["of_bound"] = row["ratio"] / row["bound"]
        row["used"] = row["tflops"] / peak
    _print_cells(rows)
    return rows


def _print_cells(rows: list[dict[str, Any]]) -> None:
    stages = {"decode": "decode", "prepare": "h2d+resize", "rle": "RLE+d2h"}
    columns = " ".join(f"{stages.get(name, name):>10}" for name in NAMES)
    print("ms an image, every prompt of the cell included; behind the line by stage, the device")
    print("awaited at each end")
    print(
        f"{'images':>6} {'prompts':>7} {'stock':>8} {'ours':>8} {'ratio':>6} {'bound':>6} "
        f"{'of it':>5} {'used':>5} | {columns}"
    )
    for row in rows:
        figures = (
            f"{row['images']:>6} {row['prompts']:>7} {row['stock_ms']:>8.1f} "
            f"{row['ours_ms']:>8.1f} {row['ratio']:>6.2f} {row['bound']:>6.2f} "
            f"{row['of_bound']:>5.2f} {row['used']:>5.0%}"
        )
        by_stage = " ".join(f"{row['stages_ms'][name]:>10.2f}" for name in NAMES)
        print(f"{figures} | {by_stage}{_said(row)}")
    worst = min((row["of_bound"] for row in rows if row["prompts"] >= 10), default=None)
    if worst is not None:
        print(f"from 10 prompts on, at least {worst:.2f} of the bound is reached (target ≥ 0.9)")


def _said(row: dict[str, Any]) -> str:
    """Memory and targets, where there are any."""
    if row["peak_gib"] is None:
        return ""
    words = [f"  {row['peak_gib']:.1f} GiB reserved"]
    target = H200_TARGETS.get(row["prompts"])
    if target and row["images"] >= 4:
        alone = sum(row["stages_ms"][name] for name in ("vision", "detector", "masks"))
        words.append(f"model alone {alone:.1f} ms (H200: ≤ {target:g})")
    return ", ".join(words)


def _workers(one: UnderTest, asked: argparse.Namespace) -> list[dict[str, Any]]:
    try:
        from bench.whole_worker import whole_worker  # noqa: PLC0415 - needs an installation
    except ModuleNotFoundError as error:
        print(f"the whole worker was left out: {error}; it needs an installation of maskpool")
        return []
    rows = []
    micro_batch = 8 if one.device.type == "cuda" else 2
    for prompts in (1, 10):
        with tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name:
            row = whole_worker(one, prompts, asked.images, micro_batch, Path(name))
        rows.append(row)
        print(
            f"whole worker, {prompts} prompt(s), JPEGs of 12 and 2 MP in, mask objects out: "
            f"{row['whole_images_per_s']:.1f} images/s, the model alone "
            f"{row['model_images_per_s']:.1f}: {row['share']:.2f} (target ≥ 0.9 on a GPU)\n"
            f"  CPU an image {row['whole_cpu_ms']:.0f} ms, the model alone "
            f"{row['model_cpu_ms']:.0f}; {row['cores_busy']:.1f} of {os.cpu_count()} cores busy"
        )
    return rows


def _machine(device: torch.device) -> str:
    return torch.cuda.get_device_name(0) if device.type == "cuda" else machine.name()


if __name__ == "__main__":
    main()
