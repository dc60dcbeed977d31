"""What ``kind: stuff`` is worth: one region of a shape, on scenes that the demo model never saw.

    python bench/stuff.py                # 300 scenes, some minutes
    python bench/stuff.py --scenes 50

Every shape is asked for in every scene. A region's IoU is with all objects of its shape together.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

import argparse

import numpy as np

from bench import machine
from maskpool import rle
from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.ports import Request
from maskpool.settings import load_settings
from training.scenes import HELD_OUT_SEED, draw_scene
from training.vocabulary import SHAPES
from workers.models.load import load_for

_TEXTS = tuple(SHAPES)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=300, help="held-out scenes")
    scenes = parser.parse_args().scenes
    models = load_for(load_settings())
    ious: list[float] = []
    absent: list[bool] = []
    for number in range(scenes):
        scene = draw_scene(HELD_OUT_SEED + number)
        request = Request(scene.image, _TEXTS, stuff=tuple(range(len(_TEXTS))))
        [answer] = models.segmenter.segment([request])
        sure = {o.prompt_index: o for o in answer.found if o.score >= DEFAULT_THRESHOLD}
        for index, shape in enumerate(_TEXTS):
            masks = [one.mask for one in scene.objects if one.shape == shape]
            if not masks:
                absent.append(index not in sure)
                continue
            union = rle.to_runs(rle.encode(np.logical_or.reduce(masks)))
            ious.append(rle.iou(rle.to_runs(sure[index].mask), union) if index in sure else 0.0)
    print(f"{machine.name()}, {models.description}, {scenes} scenes")
    print(f"present: {len(ious)}, mean IoU {np.mean(ious):.3f}")
    print(f"absent: {len(absent)}, no region in {np.mean(absent):.1%}")


if __name__ == "__main__":
    main()
