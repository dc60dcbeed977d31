"""Draw the pictures of docs/PROMPTS.md: the same image under two questions, side by side.

    python bench/prompts.py                 # some minutes, into docs/prompts
    python bench/prompts.py clicks          # only some of them

Every mask is drawn by ``maskpool run`` itself, with the demo model, most of them by the examples of
samples/prompts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

from maskpool.asks import ImageAsks, ObjectPrompt
from producer.formats.boxes import Matcher, read_boxes
from producer.sources import open_source

SCENES, SAMPLES = ROOT / "samples" / "scenes", ROOT / "samples" / "prompts"

#: Of each of the two halves, pixels; and of the line above it.
_HALF, _CAPTION, _GAP = (330, 300), 26, 8

_QUALITY = 85

#: Inside and beside an object.
_ON, _OFF, _BOX = "#16c60c", "#ff2020", "#ffffff"


@dataclass(frozen=True)
class Side:
    """One half of a picture.

    Attributes:
        caption: What is asked, or what is given.
        words: Of ``maskpool run`` after the source; none: the image without masks.
        source: Instead of the scene itself.
        drawn: What is given with the image, drawn over it.
    """

    caption: str
    words: tuple[str, ...] = ()
    source: Path | None = None
    drawn: ImageAsks | None = None


def pictures() -> dict[str, tuple[str, Side, Side]]:
    """By name: the scene and its two halves."""
    coco, clicks = SAMPLES / "coco.json", SAMPLES / "clicks.jsonl"
    boxes = Matcher(read_boxes(coco)).asks_of("scene_04.jpg")
    return {
        "texts": (
            "crowded/scene_20.jpg",
            Side("the image"),
            Side("yellow star · round=circle", ("-p", "yellow star", "-p", "round=circle")),
        ),
        "negatives": (
            "scene_13.jpg",
            Side("circle", ("-p", "circle")),
            Side("circle, not red circle", ("-p", "circle, not red circle")),
        ),
        "spec": (
            "scene_13.jpg",
            Side("red circle · circle", ("-p", "red circle", "-p", "circle")),
            Side("the same with spec.yaml", ("--spec", str(SAMPLES / "spec.yaml"))),
        ),
        "stuff": (
            "scene_05.jpg",
            Side("star: a mask each", ("-p", "star")),
            Side("star, kind: stuff: one mask", ("--spec", str(SAMPLES / "spec.yaml"))),
        ),
        "boxes": (
            "scene_04.jpg",
            Side("boxes that you have", drawn=boxes),
            Side("masks that you get", ("--boxes", str(coco))),
        ),
        "clicks": (
            "scene_14.jpg",
            Side("clicks: green on it, red beside it", drawn=_asks(clicks, "scene_14.jpg")),
            Side("masks that you get", source=clicks),
        ),
    }


def _asks(manifest: Path, name: str) -> ImageAsks:
    """What a manifest asks of one of its images."""
    refs = open_source(str(manifest)).refs()
    text = next(ref.prompts for ref in refs if ref.name == name)
    return ImageAsks.model_validate_json(text or "{}")


def _half(scene: str, side: Side) -> Image.Image:
    """The scene as one half shows it."""
    if not side.words and side.source is None:
        return _given(Image.open(SCENES / scene).convert("RGB"), side.drawn)
    with TemporaryDirectory() as folder:
        source = str(side.source or SCENES / scene)
        words = ["run", source, *side.words, "-o", folder, "--overlays", "all"]
        subprocess.run([sys.executable, "-m", "producer.cli", *words], cwd=ROOT, check=True)
        path = next(Path(folder, "overlays").rglob(Path(scene).name))
        return _fitted(Image.open(path).convert("RGB"))


def _fitted(image: Image.Image) -> Image.Image:
    scale = min(_HALF[0] / image.width, _HALF[1] / image.height)
    return image.resize((round(image.width * scale), round(image.height * scale)))


def _given(image: Image.Image, asks: ImageAsks | None) -> Image.Image:
    """The image with boxes and clicks over it."""
    drawn = _fitted(image)
    if asks is None:
        return drawn
    scale = drawn.width / image.width
    brush = ImageDraw.Draw(drawn)
    for one in asks.objects:
        _draw_object(brush, one, scale)
    return drawn


def _draw_object(brush: ImageDraw.ImageDraw, one: ObjectPrompt, scale: float) -> None:
    if one.box_xyxy is not None:
        brush.rectangle([scale * value for value in one.box_xyxy], outline=_BOX, width=2)
    for x, y, label in one.points:
        place = (scale * x, scale * y)
        brush.circle(place, 7, fill=_ON if label else _OFF, outline="white", width=2)


def draw(scene: str, sides: Sequence[Side]) -> Image.Image:
    """Both halves side by side, each under its caption."""
    halves = [_half(scene, side) for side in sides]
    width, height = halves[0].size
    sheet = Image.new("RGB", (2 * width + _GAP, height + _CAPTION), "white")
    brush, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for index, (side, half) in enumerate(zip(sides, halves, strict=True)):
        left = index * (width + _GAP)
        brush.text((left + width / 2, _CAPTION / 2), side.caption, "#222", font, anchor="mm")
        sheet.paste(half.resize((width, height)), (left, _CAPTION))
    return sheet


def main() -> None:
    """Draw those that are asked for, or all."""
    every = pictures()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *every], help="all where none is named")
    folder = ROOT / "docs" / "prompts"
    folder.mkdir(exist_ok=True)
    for name in parser.parse_args().names or every:
        scene, *sides = every[name]
        draw(scene, sides).save(folder / f"{name}.jpg", quality=_QUALITY)


if __name__ == "__main__":
    main()
