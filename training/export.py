"""Writes trained weights as folders which `from_pretrained` reads, in half precision."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil, CLIPModel

from training.network import CROP_SIZE
from training.tracker_network import new_video
from training.vocabulary import build_tokenizer

_READABLE = 0o644
_WEIGHTS = "model.safetensors"
_DETECTOR = "detector_model."


def export_sam3(
    detector: dict[str, torch.Tensor],
    folder: Path,
    tracker: dict[str, torch.Tensor] | None = None,
) -> None:
    """Writes a demo Sam3VideoModel: weights, configuration, tokenizer.

    Args:
        detector: Weights by the names of `Sam3Model`.
        folder: Where they go; it is replaced at once.
        tracker: Weights by the names of `Sam3TrackerModel`; None writes an untrained one.
    """
    video = new_video(detector, tracker)
    video.half()  # type: ignore[no-untyped-call]

    def write(fresh: Path) -> None:
        weights = {name: weight.contiguous() for name, weight in video.state_dict().items()}
        # `save_pretrained` of transformers 5.23 writes names which it does not read again.
        save_file(weights, fresh / _WEIGHTS, metadata={"format": "pt"})
        video.config.dtype = torch.float16
        video.config.save_pretrained(fresh)

    _export(folder, write)


def read_detector(folder: Path) -> dict[str, torch.Tensor]:
    """Returns the detector's weights as the file of a folder holds them, named as in `Sam3Model`.

    Args:
        folder: What `export_sam3` wrote.
    """
    weights = load_file(folder / _WEIGHTS)
    return {
        name.removeprefix(_DETECTOR): weight
        for name, weight in weights.items()
        if name.startswith(_DETECTOR)
    }


def export_clip(model: CLIPModel, folder: Path) -> None:
    """Writes a demo CLIPModel, its tokenizer and its crops' preparation, likewise."""
    processor = CLIPImageProcessorPil(
        size={"height": CROP_SIZE, "width": CROP_SIZE},
        do_center_crop=False,
        resample=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )

    def write(fresh: Path) -> None:
        model.half().save_pretrained(fresh)  # type: ignore[no-untyped-call]
        processor.save_pretrained(fresh)

    _export(folder, write)


def _export(folder: Path, write: Callable[[Path], None]) -> None:
    """Saves beside the folder first: a reader finds old weights or new ones, never a mixture."""
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    build_tokenizer().save_pretrained(fresh)
    for file in fresh.iterdir():
        # Weights are written readable by their owner alone.
        file.chmod(_READABLE)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
