"""Trains the demo Sam3Model: the vision tower alone first, then everything."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Sam3Model

from training.dense import DenseHeads
from training.forward import PairOutputs, decode_masks, forward_pairs
from training.losses import Matches, decoder_losses, mask_losses
from training.network import HIDDEN
from training.optimiser import (
    MovingAverage,
    build_optimisers,
    descend,
    set_rate,
    shared_progress,
)
from training.questions import Questions, ask
from training.scene_pool import SceneBatch, ScenePool, take
from training.vocabulary import build_tokenizer

Rng = np.random.Generator

_CLIP_NORM = 2.0
_REPORT_STEPS = 50
_SAVE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Stage:
    """How long, how fast and how broad one stage of training is, for each process."""

    #: Seconds on the clock.
    seconds: float
    #: Peak learning rate.
    rate: float
    #: Scenes a step.
    scenes: int
    #: Prompts a scene; unused in the first stage.
    prompts: int = 5
    #: Present pairs a step whose masks are trained.
    masks: int = 5


@dataclass(slots=True)
class Trainee:
    """A model in training and what belongs to it."""

    model: Sam3Model
    pool: ScenePool
    device: torch.device
    rng: Rng
    rank: int
    processes: int
    #: Where checkpoints go.
    work: Path

    def batch(self, scenes: int) -> SceneBatch:
        """Takes random scenes."""
        return take(self.pool, self.rng.integers(0, len(self.pool), scenes), self.rng, self.device)

    def say(self, text: str) -> None:
        """Prints on the first process only."""
        if self.rank == 0:
            print(time.strftime("%H:%M:%S"), text, flush=True)


def vision_levels(model: Sam3Model, pixels: torch.Tensor) -> torch.Tensor:
    """Returns the vision tower's tokens as float `(B, hidden, tokens, tokens)`."""
    tokens = model.vision_encoder.backbone(pixels).last_hidden_state
    side = round(tokens.shape[1] ** 0.5)
    grid: torch.Tensor = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
    return grid


def train_vision(trainee: Trainee, heads: DenseHeads, stage: Stage) -> None:
    """First stage: shapes, colours and boxes from every token; the heads go on into the second."""
    model = trainee.model
    named = [*model.vision_encoder.named_parameters(), *heads.named_parameters("heads")]
    parameters = [parameter for _, parameter in named]
    optimisers = build_optimisers(named, stage.rate)
    start, step, seen = time.monotonic(), 0, 0.0
    while (progress := shared_progress(start, stage.seconds, trainee.processes)) < 1:
        rate = set_rate(optimisers, stage.rate, progress, floor=0.2)
        batch = trainee.batch(stage.scenes)
        grid = vision_levels(model, batch.pixels)
        neck = model.vision_encoder.neck.fpn_layers
        loss, accuracy = heads.coarse_loss(neck[2](grid), batch)
        some = max(1, stage.scenes // 4)
        loss = loss + 0.5 * heads.fine_loss(
            neck[0](grid[:some]), batch.masks[:some], batch.kinds[:some]
        )
        descend(loss, parameters, optimisers, trainee.processes, clip_norm=_CLIP_NORM)
        step, seen = step + 1, 0.96 * seen + 0.04 * float(accuracy)
        if step % _REPORT_STEPS == 0:
            trainee.say(
                f"vision step {step} {progress:.2f} rate {rate:.1e} "
                f"loss {float(loss.detach()):.3f} shape {seen:.3f}"
            )


class PromptHeads(nn.Module):
    """A throw-away head on the DETR encoder's tokens: is this what the prompt means?

    It makes the encoder use the prompt long before the queries have learned to.
    """

    def __init__(self, hidden: int) -> None:
        """Builds the head for tokens of `hidden` channels."""
        super().__init__()
        self.meant = nn.Linear(hidden, 1)

    def forward(self, encoded: torch.Tensor, meant: torch.Tensor) -> torch.Tensor:
        """Returns the loss of tokens `(N, tokens, hidden)` against coverage `(N, tokens)`."""
        logits = self.meant(F.layer_norm(encoded, encoded.shape[-1:])).squeeze(-1)
        entropy = F.binary_cross_entropy_with_logits(
            logits, meant, pos_weight=logits.new_tensor(3.0)
        )
        probability = logits.sigmoid()
        dice = 1 - (2 * (probability * meant).sum(1) + 1) / (
            (probability**2).sum(1) + (meant**2).sum(1) + 1
        )
        loss: torch.Tensor = entropy + 0.5 * dice.mean()
        return loss


class Aids(nn.Module):
    """The throw-away heads of the second stage."""

    def __init__(self, dense: DenseHeads, hidden: int) -> None:
        """Takes the first stage's heads and adds one for tokens of `hidden` channels."""
        super().__init__()
        self.dense = dense
        self.prompt = PromptHeads(hidden)


def train_all(trainee: Trainee, heads: DenseHeads, stage: Stage) -> dict[str, torch.Tensor]:
    """Second stage: the whole detector.

    Args:
        trainee: The model after the first stage.
        heads: The first stage's heads, an aid whose weight decays.
        stage: Length, rate and breadth.

    Returns:
        The averaged weights.
    """
    model, tokenizer = trainee.model, build_tokenizer()
    aids = Aids(heads, HIDDEN).to(trainee.device)
    named = [
        (name, value)
        for name, value in model.named_parameters()
        if not name.startswith("geometry_encoder")
    ]
    named += list(aids.named_parameters("heads"))
    parameters = [parameter for _, parameter in named]
    optimisers = build_optimisers(named, stage.rate)
    average = MovingAverage(list(model.named_parameters()), decay=0.998)
    start, saved, step, seen = time.monotonic(), time.monotonic(), 0, np.zeros(3)
    while (progress := shared_progress(start, stage.seconds, trainee.processes)) < 1:
        rate = set_rate(optimisers, stage.rate, progress)
        batch = trainee.batch(stage.scenes)
        questions = ask(batch, tokenizer, stage.prompts, trainee.rng)
        loss, parts = _detection_loss(
            model, batch, questions, aids, masks=stage.masks, progress=progress
        )
        descend(loss, parameters, optimisers, trainee.processes, clip_norm=_CLIP_NORM)
        average.update()
        step, seen = step + 1, 0.97 * seen + 0.03 * np.array(parts)
        if step % _REPORT_STEPS == 0:
            shown = " ".join(f"{value / (1 - 0.97**step):.3f}" for value in seen)
            trainee.say(
                f"all step {step} {progress:.3f} rate {rate:.1e} decoder/masks/aids {shown}"
            )
        if trainee.rank == 0 and time.monotonic() - saved > _SAVE_SECONDS:
            save_state(average.state(), trainee.work / "sam3-average.safetensors")
            saved = time.monotonic()
    return average.state()


def _detection_loss(
    model: Sam3Model,
    batch: SceneBatch,
    questions: Questions,
    aids: Aids,
    *,
    masks: int,
    progress: float,
) -> tuple[torch.Tensor, tuple[float, float, float]]:
    """Sums the second stage's losses; also returns their parts (decoder, masks, aids)."""
    vision = model.get_vision_features(batch.pixels)
    levels = tuple(vision.fpn_hidden_states[:3])
    position = vision.fpn_position_encoding[2][:1]
    text = model.get_text_features(
        input_ids=questions.ids, attention_mask=questions.mask
    ).pooler_output
    outputs = forward_pairs(
        model, levels, position, text, questions.mask, image_of_pair=questions.image_of_pair
    )
    decoder, matches = decoder_losses(
        outputs.logits, outputs.boxes, outputs.presence, questions.targets
    )
    mask = _mask_loss(model, batch, questions, outputs, matches, count=masks)
    fading = max(0.0, 1 - progress / 0.6)
    side = levels[-1].shape[-1]
    cover = F.adaptive_avg_pool2d(batch.masks, side).flatten(2)[questions.image_of_pair]
    meant = (cover * questions.targets.wanted[..., None]).sum(1).clamp(max=1)
    aid = (0.3 + 1.2 * fading) * aids.prompt(outputs.encoded, meant)
    aid = aid + (0.1 + 0.5 * fading) * aids.dense.coarse_loss(levels[2], batch)[0]
    return decoder + mask + aid, (
        float(decoder.detach()),
        float(mask.detach()),
        float(aid.detach()),
    )


def _mask_loss(
    model: Sam3Model,
    batch: SceneBatch,
    questions: Questions,
    outputs: PairOutputs,
    matches: Matches,
    *,
    count: int,
) -> torch.Tensor:
    """Trains masks of matched queries, and semantic maps, of at most `count` pairs."""
    pairs = torch.unique(matches.pair)
    pairs = pairs[torch.randperm(len(pairs), device=pairs.device)[:count]]
    images = questions.image_of_pair[pairs]
    pixels, queries, semantic = decode_masks(model, outputs, pairs, images)
    row_of_pair = torch.full((len(questions.ids),), -1, device=pairs.device)
    row_of_pair[pairs] = torch.arange(len(pairs), device=pairs.device)
    rows = row_of_pair[matches.pair]
    chosen = rows >= 0
    rows, query, item = rows[chosen], matches.query[chosen], matches.item[chosen]
    logits = torch.einsum("mc,mchw->mhw", queries[rows, query], pixels[rows])
    entropy, dice = mask_losses(logits, batch.masks[images[rows], item])
    meant = (
        (batch.masks[images] * questions.targets.wanted[pairs][..., None, None]).sum(1).clamp(max=1)
    )
    semantic_entropy, semantic_dice = mask_losses(semantic, meant)
    return 6 * entropy + 2 * dice + 0.5 * (semantic_entropy + semantic_dice)


def save_state(state: dict[str, torch.Tensor], path: Path) -> None:
    """Writes weights so that a reader never sees half a file."""
    partial = path.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in state.items()}, partial)
    partial.rename(path)


def load_state(model: nn.Module, path: Path) -> None:
    """Loads weights which `save_state` wrote."""
    model.load_state_dict(load_file(path), strict=False)
