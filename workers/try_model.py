"""``python -m workers.try_model ALIAS [IMAGE -p PROMPT …]``: try a model.

Prints one JSON object: ``{"description", "abilities", "load_seconds", "segment_seconds", "width",
"height", "found": [{"prompt", "score", "size", "counts"}]}``. It is a process of its own because
``maskpool doctor``, which calls it, has no torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import orjson

from maskpool import rle
from maskpool.errors import ImageError, MaskpoolError
from maskpool.ports import Image, Request
from maskpool.reading_rule import ReadingRule
from maskpool.settings import Settings, load_settings
from maskpool.spec_prompt import Prompt
from storage.images.decode import decode
from workers.image.asked import Asked
from workers.image.relate import relate
from workers.models.load import LoadedModels, load_for


def main() -> int:
    """Run; exit status 2 with the sentence on standard error where something is refused."""
    parser = argparse.ArgumentParser()
    parser.add_argument("alias")
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("-p", "--prompt", action="append", default=[])
    asked = parser.parse_args()
    settings = load_settings(model=asked.alias)
    try:
        report = _try(settings, asked.image, asked.prompt)
    except MaskpoolError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.buffer.write(orjson.dumps(report) + b"\n")
    return 0


def _try(settings: Settings, path: Path | None, prompts: list[str]) -> dict[str, object]:
    began = time.perf_counter()
    models = load_for(settings)
    report: dict[str, object] = {
        "description": models.description,
        "abilities": sorted(models.abilities),
        "load_seconds": round(time.perf_counter() - began, 3),
    }
    if path is None:
        return report
    try:
        image = decode(path.read_bytes(), settings)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None
    return report | _segment(models, settings, image, prompts)


def _segment(
    models: LoadedModels, settings: Settings, image: Image, prompts: list[str]
) -> dict[str, object]:
    models.segmenter.warm_up()
    began = time.perf_counter()
    [answer] = models.segmenter.segment([Request(image, tuple(prompts))])
    seconds = time.perf_counter() - began
    asked = Asked.of([Prompt(text=text) for text in prompts])
    rule = ReadingRule(max_overlap=settings.alias(settings.model).max_overlap)
    return {
        "segment_seconds": round(seconds, 3),
        "width": image.shape[1],
        "height": image.shape[0],
        "found": [
            {
                "prompt": one.found.prompt_index,
                "score": one.found.score,
                "size": one.found.mask.size,
                "counts": one.found.mask.counts,
                "box": rle.box_xyxy(rle.to_runs(one.found.mask)),
            }
            for one in rule.admitted(relate(answer.found, {}, asked))
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
