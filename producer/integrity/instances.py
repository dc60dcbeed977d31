"""Comparing the instances of one job: its rows, its record, and what each says of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from db.models import InstanceRow, JobRow
from maskpool import rle
from maskpool.domain import Instance
from maskpool.text import counted
from storage.objects.masks import MaskRecord


def difference(
    job: JobRow, record: MaskRecord, rows: Sequence[InstanceRow], categories: int
) -> str:
    """The first thing that is wrong with a job's instances; empty where nothing is.

    Args:
        job: Its row.
        record: What its mask object holds.
        rows: Of its instances, in order.
        categories: How many the batch has: prompts, and classes of objects.
    """
    count = len(record.instances)
    if job.n_instances != count or len(rows) != count:
        return (
            f"its object holds {counted(count, 'instance')}, its row says {job.n_instances}, "
            f"and there {'is' if len(rows) == 1 else 'are'} {counted(len(rows), 'row')} of them"
        )
    for ordinal, (instance, row) in enumerate(zip(record.instances, rows, strict=True)):
        there, here = _of_object(ordinal, instance), _of_row(row)
        if there != here:
            names = [name for name in there if there[name] != here[name]]
            parts = [f"{name} {here[name]} instead of {there[name]}" for name in names]
            return f"instance {ordinal} has in its row {', '.join(parts)}"
        fault = _fault(instance, len(record.prompts), categories) or _rival_fault(record, ordinal)
        if fault:
            return f"instance {ordinal} {fault}"
    return ""


def _of_object(ordinal: int, instance: Instance) -> dict[str, object]:
    x0, y0, x1, y1 = instance.found.box_xyxy
    return {
        "ordinal": ordinal,
        "prompt": instance.found.prompt_index,
        "box": (int(x0), int(y0), int(x1 - x0), int(y1 - y0)),
        "area": instance.area,
        "score": _single(instance.found.score),
        "overlap": _single(instance.overlap),
        "clip_score": _single(instance.clip_score),
        "against": _single(instance.against),
        "contended": _single(instance.contended),
        "contender": instance.contender,
        "object_index": instance.found.object_index,
        "predicted_iou": _single(instance.found.predicted_iou),
    }


def _of_row(row: InstanceRow) -> dict[str, object]:
    return {
        "ordinal": row.ordinal,
        "prompt": row.prompt_index,
        "box": (row.x, row.y, row.w, row.h),
        "area": row.area,
        "score": _single(row.score),
        "overlap": _single(row.overlap),
        "clip_score": _single(row.clip_score),
        "against": _single(row.against),
        "contended": _single(row.contended),
        "contender": row.contender,
        "object_index": row.object_index,
        "predicted_iou": _single(row.predicted_iou),
    }


def _single(value: float | None) -> float | None:
    """Rows keep single precision (SQLite keeps what it is given), objects what JSON says."""
    return None if value is None else float(np.float32(value))


def _fault(instance: Instance, prompts: int, categories: int) -> str:
    """What is wrong with an instance by itself; empty where nothing is."""
    index = instance.found.prompt_index
    if instance.found.object_index is None and not 0 <= index < prompts:
        return f"is of prompt {index}, and there are {prompts}"
    if instance.found.object_index is not None and not prompts <= index < categories:
        return f"is an object of category {index}, and those are {prompts} to {categories - 1}"
    if (instance.against is None) != (instance.against_text is None):
        return "has a negative without its strength, or the strength without its negative"
    try:
        area = rle.area(instance.found.mask)
    except ValueError as error:
        return f"has a mask that cannot be read: {error}"
    return "" if area == instance.area else f"has {area} pixels, not {instance.area}"


def _rival_fault(record: MaskRecord, ordinal: int) -> str:
    """What is wrong with the contender of an instance; empty where nothing is."""
    instance = record.instances[ordinal]
    contender = instance.contender
    if (contender is None) != (instance.contended is None):
        return "has a contender without a figure, or a figure without a contender"
    if contender is None:
        return ""
    if not 0 <= contender < len(record.instances):
        return f"is contended by instance {contender}, which is not there"
    one, rival = instance.found, record.instances[contender].found
    if rival.object_index is not None or rival.prompt_index == one.prompt_index:
        return f"is contended by instance {contender}, which is no other prompt's"
    better = (-rival.score, contender) < (-one.score, ordinal)
    return "" if better else f"is contended by instance {contender}, which is not better"
