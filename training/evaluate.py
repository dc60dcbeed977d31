"""Measures the demo models on scenes they never saw: `python -m training.evaluate`."""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerBase,
    Sam3Model,
    Sam3TrackerModel,
)

from maskpool.model_aliases import DEMO_MODELS
from training.evaluate_tracker import evaluate_tracker
from training.predict import Found, mask_iou, segment
from training.questions import UNKNOWN_WORDS
from training.scenes import HELD_OUT_SEED, Scene, SceneObject, draw_scene
from training.vocabulary import COLOURS, SHAPES, Phrase, combinations
from workers.models.clip.scorer import crop_for_clip

Rng = np.random.Generator

WEIGHTS = DEMO_MODELS
MATCH_IOU = 0.5
FEW_OBJECTS = 3


@dataclass(slots=True)
class Counts:
    """Hits and misses of instances, and the IoU of each hit."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    ious: list[float] = field(default_factory=list)

    def add(self, found: Found, wanted: list[SceneObject]) -> None:
        """Matches found instances, best first, each to the free object it overlaps most."""
        free = list(wanted)
        for mask in found.masks:
            overlaps = [mask_iou(mask, item.mask) for item in free]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] >= MATCH_IOU:
                self.hits += 1
                self.ious.append(overlaps[best])
                free.pop(best)
            else:
                self.false_alarms += 1
        self.misses += len(free)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.hits / max(1, 2 * self.hits + self.false_alarms + self.misses)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.misses + other.misses,
            self.ious + other.ious,
        )


def present_phrases(scene: Scene) -> list[Phrase]:
    """Returns every phrase true of something in the scene: combinations, shapes, colours."""
    kinds = {(item.colour, item.shape) for item in scene.objects}
    phrases = [Phrase(colour, shape) for colour, shape in sorted(kinds)]
    phrases += [Phrase(None, shape) for shape in sorted({shape for _, shape in kinds})]
    return phrases + [Phrase(colour, None) for colour in sorted({colour for colour, _ in kinds})]


def absent_prompts(scene: Scene, rng: Rng) -> dict[str, list[str]]:
    """Returns prompts which are true of nothing in the scene, by kind, at most two of each.

    "swapped" names a colour and a shape which are both there, but not on one object.
    """
    kinds = {(item.colour, item.shape) for item in scene.objects}
    colours, shapes = {colour for colour, _ in kinds}, {shape for _, shape in kinds}
    free = [phrase for phrase in combinations() if (phrase.colour, phrase.shape) not in kinds]
    choices = {
        "swapped": [p.text for p in free if p.colour in colours and p.shape in shapes],
        "absent shape": [p.text for p in free if p.colour in colours and p.shape not in shapes]
        + [shape for shape in SHAPES if shape not in shapes],
        "absent colour": [p.text for p in free if p.colour not in colours and p.shape in shapes]
        + [Phrase(colour, None).text for colour in COLOURS if colour not in colours],
        "unknown word": list(UNKNOWN_WORDS),
    }
    counts = {"swapped": 2, "absent shape": 2, "absent colour": 1, "unknown word": 1}
    return {
        kind: [str(text) for text in rng.permutation(texts)[: counts[kind]]]
        for kind, texts in choices.items()
        if texts
    }


@dataclass(frozen=True, slots=True)
class Sam3Figures:
    """What is measured of Sam3; shares are 0-1."""

    #: F1 of instances at IoU 0.5 and threshold 0.5, over prompts which are present.
    f1: float
    precision: float
    recall: float
    #: Mean mask IoU of the hits, and the share of hits at 0.75 or better.
    mean_iou: float
    hits_at_iou_75: float
    #: F1 of scenes with up to three objects, and with more.
    f1_few_objects: float
    f1_many_objects: float
    #: F1 when instances found for absent prompts count as false alarms, too.
    f1_with_absent_prompts: float
    #: Share of absent prompts for which nothing is found, and the same by kind.
    absent_rejected: float
    absent_rejected_by_kind: dict[str, float]
    #: How much was measured.
    present_objects: int
    absent_prompts: int


def evaluate_sam3(
    model: Sam3Model,
    tokenizer: PreTrainedTokenizerBase,
    scenes: list[Scene],
    *,
    overlap: float = 0.5,
) -> Sam3Figures:
    """Measures instances and rejections.

    Args:
        model: The model in float32.
        tokenizer: Its tokenizer.
        scenes: Held-out scenes.
        overlap: Mask IoU above which the weaker duplicate is dropped.

    Returns:
        The figures.
    """
    rng = np.random.default_rng(5)
    few, many, nothing = Counts(), Counts(), Counts()
    rejected: dict[str, list[bool]] = defaultdict(list)
    for scene in scenes:
        phrases = present_phrases(scene)
        absent = [
            (kind, text) for kind, texts in absent_prompts(scene, rng).items() for text in texts
        ]
        prompts = [phrase.text for phrase in phrases] + [text for _, text in absent]
        found = segment(model, tokenizer, scene.image, prompts, overlap=overlap)
        counts = few if len(scene.objects) <= FEW_OBJECTS else many
        for phrase, result in zip(phrases, found, strict=False):
            wanted = [item for item in scene.objects if phrase.matches(item.colour, item.shape)]
            counts.add(result, wanted)
        for (kind, _), result in zip(absent, found[len(phrases) :], strict=True):
            rejected[kind].append(len(result.scores) == 0)
            nothing.add(result, [])
    return _figures(few, many, nothing, rejected)


def _figures(
    few: Counts, many: Counts, nothing: Counts, rejected: dict[str, list[bool]]
) -> Sam3Figures:
    """Puts counts of small, of large scenes and of absent prompts together."""
    present = few + many
    flat = [value for values in rejected.values() for value in values]
    return Sam3Figures(
        f1=present.f1,
        precision=present.hits / max(1, present.hits + present.false_alarms),
        recall=present.hits / max(1, present.hits + present.misses),
        mean_iou=_mean(present.ious),
        hits_at_iou_75=_mean([iou >= 0.75 for iou in present.ious]),
        f1_few_objects=few.f1,
        f1_many_objects=many.f1,
        f1_with_absent_prompts=(present + nothing).f1,
        absent_rejected=_mean(flat),
        absent_rejected_by_kind={kind: _mean(values) for kind, values in rejected.items()},
        present_objects=present.hits + present.misses,
        absent_prompts=len(flat),
    )


def _mean(values: Sequence[float]) -> float:
    """Returns the mean, 0 of nothing."""
    return float(np.mean(values)) if values else 0.0


@torch.inference_mode()
def evaluate_clip(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    processor: CLIPImageProcessorPil,
    scenes: list[Scene],
) -> dict[str, float]:
    """Measures how often the best of all combinations is right, on ground-truth crops."""
    phrases = combinations()
    tokens = tokenizer([phrase.text for phrase in phrases], padding=True, return_tensors="pt")
    text = F.normalize(
        model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output,
        dim=-1,
    )
    right = []
    for scene in scenes:
        crops = [crop_for_clip(scene.image, item.box_xyxy) for item in scene.objects]
        pixels = processor(images=crops, return_tensors="pt")["pixel_values"]
        image = F.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
        for item, best in zip(scene.objects, (image @ text.T).argmax(1).tolist(), strict=True):
            right.append(phrases[best] == Phrase(item.colour, item.shape))
    return {"top1": float(np.mean(right)), "crops": len(right), "phrases": len(phrases)}


def measure_latency(
    model: Sam3Model, tokenizer: PreTrainedTokenizerBase, scene: Scene, repeats: int = 15
) -> dict[str, float]:
    """Times one decoded image with 1 and 5 prompts on one thread; medians in milliseconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures = {}
    for count in (1, 5):
        prompts = [phrase.text for phrase in combinations()[::6][:count]]
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            segment(model, tokenizer, scene.image, prompts)
            times.append(1000 * (time.perf_counter() - start))
        figures[f"prompts_{count}_ms"] = float(np.median(times))
    torch.set_num_threads(threads)
    return figures


def evaluate(folder: Path, scene_count: int) -> dict[str, object]:
    """Measures the models of a folder which holds `sam3/` and `clip/`."""
    scenes = [draw_scene(HELD_OUT_SEED + index) for index in range(scene_count)]
    sam3 = Sam3Model.from_pretrained(folder / "sam3", dtype=torch.float32)
    sam3_tokenizer = AutoTokenizer.from_pretrained(folder / "sam3")
    tracker = Sam3TrackerModel.from_pretrained(folder / "sam3", dtype=torch.float32)
    clip = CLIPModel.from_pretrained(folder / "clip", dtype=torch.float32)
    processor = CLIPImageProcessorPil.from_pretrained(folder / "clip")
    return {
        "scenes": scene_count,
        "sam3": asdict(evaluate_sam3(sam3, sam3_tokenizer, scenes)),
        "sam3_without_suppression": asdict(
            evaluate_sam3(sam3, sam3_tokenizer, scenes, overlap=1.0)
        ),
        "tracker": asdict(evaluate_tracker(sam3, tracker, scenes)),
        "clip": evaluate_clip(
            clip, AutoTokenizer.from_pretrained(folder / "clip"), processor, scenes
        ),
        "latency": measure_latency(sam3, sam3_tokenizer, scenes[0]),
    }


def main() -> None:
    """Reads the flags and prints the figures."""
    parser = argparse.ArgumentParser(description="Measures the demo models on held-out scenes.")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="folder which holds sam3/ and clip/"
    )
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_args()
    figures = evaluate(flags.weights, flags.scenes)
    print(json.dumps(figures, indent=2) if flags.json else "\n".join(_lines(figures)))


def _lines(figures: dict[str, object], prefix: str = "") -> list[str]:
    """Turns nested figures into aligned lines."""
    lines: list[str] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name} / ")
        else:
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            lines.append(f"{prefix + name:<55}{shown:>10}")
    return lines


if __name__ == "__main__":
    main()
