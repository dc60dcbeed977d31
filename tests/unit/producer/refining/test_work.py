"""A process that makes masks finer: what it does where memory is short, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from maskpool import rle
from maskpool.errors import ConfigError
from maskpool.fineness import Fineness
from producer.refining import refine, spoken, work
from producer.refining.work import Asked
from storage.images.fetch import FetchedImage

_MASK = np.zeros((40, 60), np.bool_)
_MASK[10:30, 10:40] = True

ASKED = Asked(
    (rle.encode(_MASK), rle.encode(~_MASK)),
    Fineness.HIGH,
    ((2.0, 2.5), (1.0, 1.0)),
    "file:///a.png",
    UUID(int=7),
    "ab",
)


class Pictures:
    """Stands in for the guarded way to images."""

    def fetch(self, uri: str, batch_id: UUID) -> FetchedImage:
        assert (uri, batch_id) == (ASKED.uri, ASKED.batch_id)
        return FetchedImage(np.zeros((40, 60, 3), np.uint8), "ab")


def test_a_picture_that_leaves_no_memory_costs_only_the_last_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*args: Any) -> Any:
        if args[-1] is not None:
            raise MemoryError
        return refine(*args)

    monkeypatch.setattr(work, "refine", short)
    answer = work.refined(ASKED, Pictures())  # type: ignore[arg-type]
    assert {one.taken for one in answer.masks} == {Fineness.MEDIUM}
    assert "MASKPOOL_PICTURE_MEGABYTES" in answer.unseen
    assert not answer.changed


def test_masks_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(work, "refine", short)
    with pytest.raises(ConfigError, match="make its 2 masks finer takes more memory"):
        work.refined(ASKED, Pictures())  # type: ignore[arg-type]


def test_another_picture_is_said_to_be_another_one() -> None:
    answer = work.refined(replace(ASKED, image_sha256="cd"), Pictures())  # type: ignore[arg-type]
    assert answer.changed
    assert answer.unseen


def test_what_is_asked_and_answered_comes_through_json() -> None:
    assert spoken.read_asked(json.loads(json.dumps(spoken.asked_json(ASKED)))) == ASKED
    answer = work.refined(ASKED, Pictures())  # type: ignore[arg-type]
    assert spoken.read_answer(spoken.answer_json(answer)) == answer
