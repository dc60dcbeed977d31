"""An instance in a mask object, as JSON and back.

The keys of the first version are always there. Those that came later are there only where they say
something: readers of before pass over them, and what does without them keeps its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from maskpool.domain import Found, Instance
from maskpool.packed_mask import Rle

_Value = TypeVar("_Value")


def to_json(instance: Instance) -> dict[str, Any]:
    """What a mask object says of an instance."""
    found = instance.found
    content = {
        "prompt": found.prompt_index,
        "score": found.score,
        "box_xyxy": found.box_xyxy,
        "area": instance.area,
        "overlap": instance.overlap,
        "clip_score": instance.clip_score,
        "counts": found.mask.counts,
    }
    later = {
        "against": instance.against,
        "against_text": instance.against_text,
        "contended": instance.contended,
        "contender": instance.contender,
        "object_index": found.object_index,
        "predicted_iou": found.predicted_iou,
    }
    return content | {key: value for key, value in later.items() if value is not None}


def from_json(item: dict[str, Any], size: tuple[int, int]) -> Instance:
    """Read it back.

    Args:
        item: One of a job's instances.
        size: ``(height, width)`` of the image, pixels.

    Raises:
        KeyError: Something is missing; ``TypeError`` or ``ValueError`` where it is of a wrong kind.
    """
    x0, y0, x1, y1 = item["box_xyxy"]
    return Instance(
        found=Found(
            prompt_index=int(item["prompt"]),
            score=float(item["score"]),
            box_xyxy=(float(x0), float(y0), float(x1), float(y1)),
            mask=Rle(size, str(item["counts"])),
            object_index=_optional(int, item.get("object_index")),
            predicted_iou=_optional(float, item.get("predicted_iou")),
        ),
        area=int(item["area"]),
        overlap=float(item["overlap"]),
        clip_score=_optional(float, item["clip_score"]),
        against=_optional(float, item.get("against")),
        against_text=_optional(str, item.get("against_text")),
        contended=_optional(float, item.get("contended")),
        contender=_optional(int, item.get("contender")),
    )


def _optional(kind: Callable[[Any], _Value], value: object) -> _Value | None:
    return None if value is None else kind(value)
