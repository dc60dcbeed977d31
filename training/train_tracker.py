"""Trains the demo tracker over the frozen detector: neck, prompt encoder and mask decoder."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import Sam3TrackerModel

from training.clicks import Prompts, click_inside, correct, jitter
from training.network import IMAGE_SIZE
from training.optimiser import (
    MovingAverage,
    Named,
    build_optimisers,
    descend,
    set_rate,
    shared_progress,
)
from training.scene_pool import ScenePool
from training.tracker_losses import CoarseAid, candidate_loss
from training.train_sam3 import save_state

Rng = np.random.Generator

_CLIP_NORM = 1.0
_REPORT_STEPS = 50
_DECAY = 0.998

#: How a step begins, and how often.
_BEGINNINGS = {"click": 0.55, "box": 0.25, "box and click": 0.2}
#: Decoder passes a step: at first, and least and most later on.
_FIRST_PASSES, _PASSES, _FIRST_SHARE = 2, (2, 4), 0.25
_SAVE_SECONDS = 120
#: Share of passes that train the one mask of `multimask_output=False`.
_SINGLE = 0.15
_DEEP = 0.4
#: Share of the time in which the throw-away head is of any weight.
_AIDED = 0.5
#: Standard deviation of an untrained neck's levels.
_LOUDNESS = 0.5


@dataclass(frozen=True, slots=True)
class Course:
    """How long, how fast and how broad the training is, for each process."""

    #: Seconds on the clock.
    seconds: float
    #: Peak learning rate.
    rate: float
    #: Scenes a step.
    scenes: int
    device: torch.device
    rank: int = 0
    #: How many processes train together.
    processes: int = 1
    #: Where the averaged weights are kept every two minutes.
    snapshot: Path | None = None
    #: Whether the tracker is untrained: then a throw-away head helps, and passes are few at first.
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """`N` objects of a few scenes."""

    #: int64 `(N,)`, the scene of each object.
    scene: torch.Tensor
    #: float `(N, grid, grid)`, 0-1.
    masks: torch.Tensor
    #: float `(N, 4)`, xyxy in pixels of the model's input.
    boxes: torch.Tensor


def embed(tracker: Sam3TrackerModel, tokens: torch.Tensor) -> list[torch.Tensor]:
    """Turns a backbone's states into what the mask decoder reads.

    As `Sam3TrackerModel.forward` does with pixels, without the neck's fourth level, which it drops.

    Args:
        tracker: The model.
        tokens: float `(B, tokens, tokens, hidden)`.

    Returns:
        Three levels, finest first, each float `(B, channels, height, width)`.
    """
    layers = tracker.vision_encoder.neck.fpn_layers
    fine, middle, coarse = (layers[level](tokens.permute(0, 3, 1, 2)) for level in range(3))
    decoder = tracker.mask_decoder
    return [decoder.conv_s0(fine), decoder.conv_s1(middle), coarse]


@torch.no_grad()
def balance(tracker: Sam3TrackerModel, tokens: torch.Tensor) -> None:
    """Scales an untrained neck, so that positions are heard beside what is seen.

    The detector's neck, from which it starts, has levels up to five times as loud as the unit
    waves that tell the mask decoder where things are.

    Args:
        tracker: The model.
        tokens: float `(B, tokens, tokens, hidden)` of a few scenes.
    """
    for layer in tracker.vision_encoder.neck.fpn_layers[:3]:
        loudness = layer(tokens.permute(0, 3, 1, 2)).std()
        layer.proj2.weight.mul_(_LOUDNESS / loudness)
        layer.proj2.bias.mul_(_LOUDNESS / loudness)


def decode(
    tracker: Sam3TrackerModel,
    embeddings: list[torch.Tensor],
    prompts: Prompts,
    *,
    candidates: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs prompt encoder and mask decoder.

    Args:
        tracker: The model.
        embeddings: What `embed` returned, one row an object.
        prompts: One of a kind for every object.
        candidates: Three masks an object; else one.

    Returns:
        Mask logits float `(N, C, grid, grid)` and guessed IoU float `(N, C)`.
    """
    points, labels, boxes = prompts.points, prompts.labels, prompts.boxes
    output = tracker(
        image_embeddings=embeddings,
        input_points=None if points is None else points[:, None],
        input_labels=None if labels is None else labels[:, None],
        input_boxes=None if boxes is None else boxes[:, None],
        multimask_output=candidates,
    )
    return output.pred_masks[:, 0], output.iou_scores[:, 0]


def take_rows(pool: ScenePool, scenes: npt.NDArray[np.int64], device: torch.device) -> Rows:
    """Reads all objects of some scenes of the pool."""
    kinds = pool.kinds[scenes]
    places, objects = np.nonzero(kinds[..., 0] >= 0)
    masks = torch.from_numpy(pool.masks[scenes[places], objects]).float().div_(255)
    boxes = torch.from_numpy(pool.boxes[scenes[places], objects]) * IMAGE_SIZE
    return Rows(torch.from_numpy(places).to(device), masks.to(device), boxes.to(device))


def begin(rows: Rows, rng: Rng) -> Prompts:
    """Gives every object a first prompt, of one kind for all of them."""
    kind = rng.choice(list(_BEGINNINGS), p=list(_BEGINNINGS.values()))
    prompts = Prompts(boxes=None if kind == "click" else jitter(rows.boxes, IMAGE_SIZE))
    if kind == "box":
        return prompts
    points = click_inside(rows.masks, IMAGE_SIZE, deep=rng.random() < _DEEP / 2)
    return prompts.with_click(points, torch.ones_like(points[:, 0], dtype=torch.long))


def step_loss(
    tracker: Sam3TrackerModel,
    tokens: torch.Tensor,
    rows: Rows,
    rng: Rng,
    *,
    passes: int,
    aid: CoarseAid,
) -> tuple[torch.Tensor, list[float]]:
    """Sums the losses of a first prompt and of the clicks which correct its masks.

    Args:
        tracker: The model.
        tokens: float `(B, tokens, tokens, hidden)`.
        rows: The objects.
        rng: Source of the choices.
        passes: Decoder passes; every one after the first has one more click.
        aid: Watches the tracker's mask decoder.

    Returns:
        The scalar loss and the mean IoU after each pass.
    """
    embeddings = [level[rows.scene] for level in embed(tracker, tokens)]
    prompts, losses, seen = begin(rows, rng), [], []
    for _ in range(passes):
        logits, guesses = decode(tracker, embeddings, prompts, candidates=rng.random() >= _SINGLE)
        loss, best, iou = candidate_loss(logits, guesses, rows.masks)
        losses.append(loss + aid.weight * aid.loss(rows.masks))
        seen.append(float(iou))
        deep = rng.random() < _DEEP
        prompts = prompts.with_click(*correct(best, rows.masks, IMAGE_SIZE, deep=deep))
    return torch.stack(losses).mean(), seen


def trained_parameters(tracker: Sam3TrackerModel) -> Named:
    """Names and returns what is trained.

    Not the backbone, nor what points and boxes in single images never reach: mask prompts, the
    neck's fourth level, the memory's place holder and the score that says if there is an object.
    """
    others = ("backbone", "mask_embed", "fpn_layers.3", "no_memory", "obj_score")
    return [
        (name, weight)
        for name, weight in tracker.named_parameters()
        if not any(other in name for other in others)
    ]


def _plain(name: str) -> str:
    """Renames weights so that each optimiser gets what it is made for.

    `build_optimisers` knows embeddings by the word "token", which attentions bear here, too, and
    last layers by the word "heads".
    """
    last = "proj_out" in name and ("hypernetworks" in name or "iou_prediction" in name)
    return ("heads." if last else "") + name.replace("_to_token", "").replace("_token_to", "")


def train_tracker(
    tracker: Sam3TrackerModel,
    pool: ScenePool,
    features: npt.NDArray[np.float16],
    course: Course,
) -> dict[str, torch.Tensor]:
    """Trains everything of the tracker but its backbone.

    Args:
        tracker: The model; its backbone is neither used nor changed.
        pool: The scenes' ground truth.
        features: float16 `(scenes, tokens, tokens, hidden)`, what the backbone sees of them.
        course: Length, rate and breadth.

    Returns:
        The averaged weights by `Sam3TrackerModel`'s names.
    """
    # Other scenes than the first time, where it goes on.
    rng = np.random.default_rng([2 if course.fresh else 4, course.rank])
    named = trained_parameters(tracker)
    torch.manual_seed(course.rank)
    aid = CoarseAid(tracker.mask_decoder).to(course.device)
    learned = [(_plain(name), weight) for name, weight in named]
    learned += list(aid.named_parameters("heads"))
    parameters = [weight for _, weight in learned]
    optimisers = build_optimisers(learned, course.rate)
    average = MovingAverage(named, _DECAY)
    # The same in all processes, which wait for each other after every step.
    lengths = np.random.default_rng(3)
    start = saved = time.monotonic()
    step, seen = 0, np.zeros(3)
    tracker.train()
    while (progress := shared_progress(start, course.seconds, course.processes)) < 1:
        rate = set_rate(optimisers, course.rate, progress)
        aid.weight = max(0.0, 1 - progress / _AIDED) if course.fresh else 0.0
        scenes = np.sort(rng.integers(0, len(features), course.scenes))
        passes = int(lengths.integers(*_PASSES, endpoint=True))
        passes = _FIRST_PASSES if course.fresh and progress < _FIRST_SHARE else passes
        tokens = torch.from_numpy(features[scenes]).to(course.device).float()
        rows = take_rows(pool, scenes, course.device)
        loss, ious = step_loss(tracker, tokens, rows, rng, passes=passes, aid=aid)
        descend(loss, parameters, optimisers, course.processes, clip_norm=_CLIP_NORM)
        average.update()
        step, seen = (
            step + 1,
            0.98 * seen + 0.02 * np.array([float(loss.detach()), ious[0], ious[-1]]),
        )
        if step % _REPORT_STEPS == 0 and course.rank == 0:
            shown = " ".join(f"{value / (1 - 0.98**step):.3f}" for value in seen)
            print(
                f"{time.strftime('%H:%M:%S')} tracker step {step} {progress:.3f} "
                f"rate {rate:.1e} loss/first/last {shown}",
                flush=True,
            )
        if course.rank == 0 and course.snapshot and time.monotonic() - saved > _SAVE_SECONDS:
            save_state(average.state(), course.snapshot)
            saved = time.monotonic()
    aid.leave()
    tracker.eval()  # type: ignore[no-untyped-call]
    return average.state()
