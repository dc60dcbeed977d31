"""What tiles are worth: a mosaic of drawn scenes, as single scenes, as a whole, and in tiles.

    python bench/tiles.py                                   # 24 megapixels
    python bench/tiles.py --columns 31 --rows 31 --no-single    # 98 megapixels
    python bench/tiles.py --columns 24 --rows 6                  # a panorama, 4 to 1

Scenes are squeezed to squares of 320 pixels and lie beside each other, seams of tiles anywhere.
Memory is the process's largest resident size, less that before the picture was made.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from bench import machine
from bench.mosaics import score
from maskpool import rle
from maskpool.domain import DEFAULT_THRESHOLD, Klass, new_id
from maskpool.ports import Answer
from maskpool.rle import Runs
from maskpool.settings import load_settings
from maskpool.spec_prompt import Prompt
from maskpool.tiling.asked import DEFAULT_OVERLAP, Tiling
from maskpool.tiling.placing import placed
from maskpool.tiling.plan import decide
from training.mosaics import CELL, Mosaic, Truth, mosaic
from training.scenes import HELD_OUT_SEED
from workers.image.asked import Asked
from workers.image.relate import relate
from workers.image.views import Views
from workers.leases import Holding
from workers.models.load import load_for

PROMPTS = (
    *("red circle", "blue square", "green triangle"),
    *("yellow star", "circle", "purple cross"),
)

#: As the demo model's alias has it.
_MAX_OVERLAP = 0.5

#: An object is small below this share of a cell.
_SMALL = 0.02

#: Prompt, score and mask of an instance that counts.
Found = tuple[int, float, Runs]

_ASKED = Asked.of([Prompt(text=text, name=text) for text in PROMPTS])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--columns", type=int, default=19, help="scenes in a row")
    parser.add_argument("--rows", type=int, default=13, help="rows of scenes")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="of the first scene")
    parser.add_argument("--side", type=int, default=CELL, help="of a tile, pixels")
    parser.add_argument("--overlap", type=float, default=DEFAULT_OVERLAP)
    parser.add_argument("--no-single", action="store_true", help="leave the single scenes out")
    args = parser.parse_args()
    models = load_for(load_settings())
    print(f"{machine.name()}, {models.description}")
    with models.engine() as engine:
        views = Views(engine, Holding(new_id(), time.monotonic() + 86_400), Klass.BULK)
        before = _peak()
        picture = mosaic(args.columns, args.rows, PROMPTS, seed=args.seed)
        height, width = picture.image.shape[:2]
        small = sum(one.runs.area < _SMALL * CELL**2 for one in picture.truths)
        print(
            f"{width} × {height}, {width * height / 1e6:.1f} megapixels, "
            f"{len(picture.truths):,} objects, {small:,} of them small"
        )
        print(f"picture and truth: {_peak() - before:,.0f} MB")
        if not args.no_single:
            with _timed("single scenes"):
                singles = list(_singles(views, picture))
            _print(singles, picture.truths)
        with _timed("whole view"):
            whole = _counting(views.whole(picture.image, PROMPTS))
        _print(whole, picture.truths)
        before = _peak()
        plan = decide(
            Tiling(size=args.side, overlap=args.overlap), (height, width), CELL, things=True
        )
        with _timed(f"{len(plan.tiles)} tiles of {args.side}, overlap {args.overlap:g}"):
            answer, _ = views.tiled(picture.image, PROMPTS, plan)
            tiled = _counting(answer)
        _print(tiled, picture.truths)
        print(f"  {len(answer.found):,} masks stored; {_peak() - before:,.0f} MB more memory")


def _singles(views: Views, picture: Mosaic) -> Iterator[Found]:
    size = (picture.image.shape[0], picture.image.shape[1])
    for cell in picture.cells:
        cut = picture.image[cell.top : cell.bottom, cell.left : cell.right]
        found = _counting(views.whole(np.ascontiguousarray(cut), PROMPTS))
        yield from ((prompt, value, placed(runs, cell, size)) for prompt, value, runs in found)


def _counting(answer: Answer) -> list[Found]:
    return [
        (one.found.prompt_index, one.found.score, rle.to_runs(one.found.mask))
        for one in relate(answer.found, {}, _ASKED)
        if one.found.score >= DEFAULT_THRESHOLD and one.overlap <= _MAX_OVERLAP
    ]


def _print(found: Sequence[Found], truths: Sequence[Truth]) -> None:
    print(f"  {score(found, truths)}")
    small = [one for one in truths if one.runs.area < _SMALL * CELL**2]
    print(f"  {score(found, small).right:,} of {len(small):,} small objects")


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began, cpu = time.perf_counter(), time.process_time()
    yield
    spent = time.process_time() - cpu
    print(f"{what}: {time.perf_counter() - began:.1f} s, {spent:.1f} s of CPU")


def _peak() -> float:
    """Largest resident size so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
