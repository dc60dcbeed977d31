"""Draws the sample scenes and their ground truth: `python -m training.samples`.

The same seeds always give the same pixels. They lie apart from those of training and measuring,
and the scenes come from the same distribution. Scenes are chosen by the ground truth only,
never by a model's results: no scene shows the prompt which is to be absent everywhere,
and three of four show a named combination of the prompts.
"""

import argparse
import json
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pycocotools import mask as coco_mask

from maskpool.rle import box_xyxy, from_runs
from training.mosaics import Mosaic, mosaic
from training.scenes import SAMPLE_SEED, Scene, draw_scene
from training.vocabulary import Phrase

#: The prompts of the demo batch; their category ids count from 1 in this order.
PROMPTS = (
    Phrase("red", "circle"),
    Phrase("blue", "square"),
    Phrase("green", "triangle"),
    Phrase("yellow", "star"),
    Phrase(None, "circle"),
    Phrase("purple", "cross"),
)
#: True of nothing in any sample, so that the demo also shows an empty answer.
ABSENT = Phrase("purple", "cross")

SAMPLES = Path(__file__).parents[1] / "samples" / "scenes"
_PLAIN, _CROWDED = 18, 6
_QUALITY = 92

#: The large picture is made of so many scenes, which are none of the others.
LARGE = Path(__file__).parents[1] / "samples" / "large"
_COLUMNS, _ROWS = 6, 4
_LARGE_SEED = SAMPLE_SEED + 100_000
_LARGE_QUALITY = 85


def sample_scenes() -> dict[str, Scene]:
    """Returns the 24 scenes by their path under the samples' folder."""
    scenes: dict[str, Scene] = {}
    seeds = count(SAMPLE_SEED)
    while len(scenes) < _PLAIN + _CROWDED:
        crowded = len(scenes) >= _PLAIN
        scene = draw_scene(next(seeds), min_objects=6 if crowded else 2)
        if shows(scene, ABSENT):
            continue
        if len(scenes) % 4 and not any(shows(scene, prompt) for prompt in PROMPTS if prompt.colour):
            continue
        if crowded and len(scene.objects) < 5:
            continue
        folder = "crowded/" if crowded else ""
        scenes[f"{folder}scene_{len(scenes) + 1:02}.jpg"] = scene
    return scenes


def shows(scene: Scene, phrase: Phrase) -> bool:
    """Tells whether the phrase is true of any object in the scene."""
    return any(phrase.matches(item.colour, item.shape) for item in scene.objects)


def encode(mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Returns a bool `(height, width)` mask as compressed COCO RLE whose counts are text."""
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")}


def ground_truth(scenes: dict[str, Scene]) -> dict[str, list[dict[str, object]]]:
    """Returns the scenes' annotations in COCO form; boxes are xywh in pixels.

    An object is annotated once for every prompt which is true of it: a red circle is a "red circle"
    and a "circle".
    """
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, scene) in enumerate(scenes.items(), start=1):
        height, width, _ = scene.image.shape
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for category_id, prompt in enumerate(PROMPTS, start=1):
            for item in scene.objects:
                if not prompt.matches(item.colour, item.shape):
                    continue
                left, top, right, bottom = item.box_xyxy
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image_id,
                        "category_id": category_id,
                        "segmentation": encode(item.mask),
                        "bbox": [left, top, right - left, bottom - top],
                        "area": int(item.mask.sum()),
                        "iscrowd": 0,
                    }
                )
    return {"images": images, "annotations": annotations, "categories": _categories()}


def large_truth(picture: Mosaic) -> dict[str, list[dict[str, object]]]:
    """Returns the large picture's annotations in COCO form; boxes are xywh in pixels."""
    height, width, _ = picture.image.shape
    annotations: list[dict[str, object]] = []
    for number, one in enumerate(picture.truths, start=1):
        left, top, right, bottom = box_xyxy(one.runs)
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": one.prompt + 1,
                "segmentation": {
                    "size": [height, width],
                    "counts": from_runs(one.runs).counts,
                },
                "bbox": [left, top, right - left, bottom - top],
                "area": one.runs.area,
                "iscrowd": 0,
            }
        )
    return {
        "images": [{"id": 1, "file_name": "mosaic.jpg", "width": width, "height": height}],
        "annotations": annotations,
        "categories": _categories(),
    }


def large() -> Mosaic:
    """Returns the large picture: scenes beside each other, of 320 pixels each."""
    texts = [prompt.text for prompt in PROMPTS]
    return mosaic(_COLUMNS, _ROWS, texts, seed=_LARGE_SEED)


def _categories() -> list[dict[str, object]]:
    return [
        {"id": category_id, "name": prompt.text}
        for category_id, prompt in enumerate(PROMPTS, start=1)
    ]


def write(folder: Path, large_folder: Path) -> None:
    """Writes the JPEGs and a `ground_truth.json` into each folder."""
    scenes = sample_scenes()
    for name, scene in scenes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(path, quality=_QUALITY)
    (folder / "ground_truth.json").write_text(json.dumps(ground_truth(scenes), indent=1) + "\n")
    large_folder.mkdir(parents=True, exist_ok=True)
    picture = large()
    Image.fromarray(picture.image).save(large_folder / "mosaic.jpg", quality=_LARGE_QUALITY)
    truth = json.dumps(large_truth(picture), indent=1) + "\n"
    (large_folder / "ground_truth.json").write_text(truth)


def main() -> None:
    """Reads the flags and writes."""
    parser = argparse.ArgumentParser(description="Draws the samples again, always the same.")
    parser.add_argument("--out", type=Path, default=SAMPLES)
    parser.add_argument("--large", type=Path, default=LARGE)
    asked = parser.parse_args()
    write(asked.out, asked.large)


if __name__ == "__main__":
    main()
