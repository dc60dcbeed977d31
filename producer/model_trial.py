"""Trying a model on one image, in a process of its own: this one never imports torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from maskpool.domain import Found, Instance
from maskpool.errors import ConfigError, NotFound
from maskpool.prompts import read_prompts
from maskpool.rle import Rle
from maskpool.settings import Settings
from maskpool.spec_prompt import Prompt
from producer.report.overlays import draw
from producer.results.records import LabelledInstance
from storage.images.decode import decode

#: Loading a published model from a slow disk and segmenting on the CPU takes minutes.
_TIMEOUT_SECONDS = 900

#: What is looked for where nothing is asked: a word that the models know.
_DEFAULT_PROMPTS = {"demo": "shape"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What a model said of itself and found.

    Attributes:
        report: As ``workers.try_model`` prints it.
        overlay: Where the masks are drawn on the image; None without an image.
    """

    report: Mapping[str, Any]
    overlay: Path | None

    @property
    def instances(self) -> int:
        """How many were found."""
        return len(self.report.get("found", ()))


def try_model(
    settings: Settings, model: str, image: Path | None, prompts: Sequence[str], overlay: Path
) -> Trial:
    """Load a model, segment one image and draw what was found.

    Args:
        settings: Which models there are, and how large an image may be.
        model: Alias.
        image: None only loads the model.
        prompts: What to look for; a word that the model knows where empty.
        overlay: The JPEG to write.

    Raises:
        SpecError: There is no such alias, or a prompt is refused.
        NotFound: There is no such image.
        ConfigError: The model refuses to load, or the image; says why.
    """
    settings.alias(model)
    wanted = prompts or ([_DEFAULT_PROMPTS.get(model, "object")] if image else [])
    asked = read_prompts(wanted)
    report = _report(model, image, asked)
    if image is None:
        return Trial(report, None)
    pixels = Image.fromarray(decode(image.read_bytes(), settings))
    draw(pixels, _instances(report, asked)).save(overlay, "JPEG", quality=90)
    return Trial(report, overlay)


def _report(model: str, image: Path | None, prompts: Sequence[Prompt]) -> dict[str, Any]:
    if image is not None and not image.is_file():
        raise NotFound(f"there is no image {image}")
    # Words and paths that begin with a dash must not pass for options.
    words = [f"--prompt={prompt.text}" for prompt in prompts]
    path = [str(image.absolute())] if image else []
    # -P: a folder named workers or storage where the user stands must not pass for ours.
    command = [sys.executable, "-P", "-m", "workers.try_model", *words, "--", model, *path]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ConfigError(f"model {model}: {lines[-1]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _instances(report: Mapping[str, Any], prompts: Sequence[Prompt]) -> list[LabelledInstance]:
    labelled = []
    for one in report["found"]:
        mask = Rle(tuple(one["size"]), one["counts"])
        found = Found(one["prompt"], one["score"], tuple(one["box"]), mask)
        labelled.append(LabelledInstance(prompts[one["prompt"]].name, Instance(found, 0, 0.0)))
    return labelled
