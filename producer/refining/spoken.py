"""Masks that are to be made finer, and what became of them, as JSON between two processes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from producer.refining.refine import Refined
from producer.refining.work import Answer, Asked


def asked_json(asked: Asked) -> dict[str, Any]:
    """What is asked, as JSON holds it."""
    return {
        "size": asked.masks[0].size,
        "masks": [mask.counts for mask in asked.masks],
        "fineness": asked.fineness.value,
        "cells": asked.cells,
        "uri": asked.uri,
        "batch": str(asked.batch_id),
        "image_sha256": asked.image_sha256,
    }


def read_asked(said: dict[str, Any]) -> Asked:
    """What ``asked_json`` wrote."""
    height, width = said["size"]
    return Asked(
        tuple(Rle((height, width), counts) for counts in said["masks"]),
        Fineness(said["fineness"]),
        tuple((down, across) for down, across in said["cells"]),
        said["uri"],
        UUID(said["batch"]),
        said["image_sha256"],
    )


def answer_json(answer: Answer) -> bytes:
    """What became of them."""
    return orjson.dumps(
        {
            "masks": [refined_json(one) for one in answer.masks],
            "unseen": answer.unseen,
            "seconds": answer.seconds,
            "changed": answer.changed,
        }
    )


def read_answer(data: bytes) -> Answer:
    """What ``answer_json`` wrote."""
    said = orjson.loads(data)
    masks = [read_refined(one) for one in said["masks"]]
    return Answer(masks, said["unseen"], said["seconds"], said["changed"])


def refined_json(one: Refined) -> list[Any]:
    """One mask."""
    return [one.mask.size, one.mask.counts, one.area, one.box, one.taken.value]


def read_refined(said: list[Any]) -> Refined:
    """What ``refined_json`` wrote."""
    (height, width), counts, area, (left, top, right, bottom), taken = said
    mask = Rle((height, width), counts)
    return Refined(mask, area, (left, top, right, bottom), Fineness(taken))
