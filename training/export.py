"""Writes trained weights as folders which `from_pretrained` reads, in half precision."""

import shutil
from pathlib import Path

import torch
from transformers import CLIPImageProcessorPil, CLIPModel, PreTrainedModel, Sam3Model

from training.network import CROP_SIZE, new_sam3
from training.vocabulary import build_tokenizer

_READABLE = 0o644


def export_sam3(state: dict[str, torch.Tensor], folder: Path) -> None:
    """Writes a demo Sam3Model: weights, configuration, tokenizer; replaces the folder at once."""
    model: Sam3Model = new_sam3()
    model.load_state_dict(state, strict=False)
    _export(model, folder)


def export_clip(model: CLIPModel, folder: Path) -> None:
    """Writes a demo CLIPModel, its tokenizer and its crops' preparation, likewise."""
    processor = CLIPImageProcessorPil(
        size={"height": CROP_SIZE, "width": CROP_SIZE},
        do_center_crop=False,
        resample=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    _export(model, folder, processor)


def _export(
    model: PreTrainedModel, folder: Path, processor: CLIPImageProcessorPil | None = None
) -> None:
    """Saves beside the folder first: a reader finds old weights or new ones, never a mixture."""
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    model.half()  # type: ignore[no-untyped-call]
    model.save_pretrained(fresh)
    build_tokenizer().save_pretrained(fresh)
    if processor is not None:
        processor.save_pretrained(fresh)
    for file in fresh.iterdir():
        # save_pretrained leaves weights readable by their owner alone.
        file.chmod(_READABLE)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
