"""Trains the demo CLIPModel: which phrase does a crop show?"""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from transformers import CLIPModel, PreTrainedTokenizerFast

from training.crop_pool import CropPool, build_crops
from training.network import CROP_SIZE, new_clip
from training.optimiser import MovingAverage, build_optimisers, set_rate
from training.questions import wording
from training.scene_pool import normalise
from training.scenes import TRAIN_SEED
from training.vocabulary import COLOURS, SHAPES, Phrase, build_tokenizer, combinations

Rng = np.random.Generator

#: Seeds apart from those of the scenes Sam3 trains on; that only widens the data.
_FIRST_SEED = TRAIN_SEED + 5_000_000
_REPORT_STEPS = 200


def train_clip(
    work: Path,
    seconds: float,
    scenes: int,
    device: torch.device,
    *,
    crops: int = 96,
    rate: float = 2e-3,
) -> CLIPModel:
    """Trains on one process.

    Args:
        work: Folder for drawn data.
        seconds: How long, on the clock, data not counted.
        scenes: How many scenes to cut objects from.
        device: Where to train.
        crops: Crops a step.
        rate: Peak learning rate.

    Returns:
        The model with its averaged weights.
    """
    pool = build_crops(work, _FIRST_SEED, scenes, CROP_SIZE)
    rng, tokenizer = np.random.default_rng(3), build_tokenizer()
    model: CLIPModel = new_clip()
    model.to(device)  # type: ignore[arg-type]
    optimisers = build_optimisers(list(model.named_parameters()), rate)
    average = MovingAverage(list(model.named_parameters()), decay=0.998)
    start, step = time.monotonic(), 0
    while (progress := (time.monotonic() - start) / seconds) < 1:
        set_rate(optimisers, rate, progress)
        pixels, kinds = _take(pool, crops, rng, device)
        loss = _loss(model, tokenizer, pixels, kinds, rng)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        for optimiser in optimisers:
            optimiser.step()
        average.update()
        step += 1
        if step % _REPORT_STEPS == 0:
            print(
                time.strftime("%H:%M:%S"),
                f"clip step {step} {progress:.2f} loss {float(loss.detach()):.3f}",
                flush=True,
            )
    model.load_state_dict(average.state(), strict=False)
    return model


def _take(
    pool: CropPool, count: int, rng: Rng, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Takes random crops, flipped and turned, and their kinds as in `CropPool`."""
    rows = rng.integers(0, len(pool.images), count)
    pixels = normalise(torch.from_numpy(pool.images[rows]).to(device))
    if rng.random() < 0.5:
        pixels = pixels.flip(-1)
    if rng.random() < 0.5:
        pixels = pixels.transpose(-1, -2)
    return pixels.contiguous(), torch.from_numpy(pool.kinds[rows]).to(device)


def _loss(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    pixels: torch.Tensor,
    kinds: torch.Tensor,
    rng: Rng,
) -> torch.Tensor:
    """Sums cross-entropies over all combinations, over shapes alone and over colours alone."""
    phrases = [
        *combinations(),
        *(Phrase(None, s) for s in SHAPES),
        *(Phrase(c, None) for c in COLOURS),
    ]
    tokens = tokenizer(
        [wording(phrase, rng) for phrase in phrases], padding=True, return_tensors="pt"
    ).to(pixels.device)
    text = F.normalize(
        model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output,
        dim=-1,
    )
    image = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
    logits: torch.Tensor = model.logit_scale.exp().clamp(max=100) * image @ text.T
    shape, colour = kinds.unbind(1)
    both, by_shape, by_colour = torch.split(
        logits, [len(SHAPES) * len(COLOURS), len(SHAPES), len(COLOURS)], dim=1
    )
    loss = F.cross_entropy(both, colour * len(SHAPES) + shape, label_smoothing=0.02)
    return loss + 0.3 * F.cross_entropy(by_shape, shape) + 0.3 * F.cross_entropy(by_colour, colour)
