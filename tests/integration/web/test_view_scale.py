"""Masks at the scale of the view: they lie on the picture that the page shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from services.people import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import update

from db.models import BatchRow
from maskpool import rle
from maskpool.domain import Found, Instance, JobResult
from maskpool.settings import load_settings

#: Of an image that is larger than a view: height, width; and of its view.
SIZE, VIEW = (1_501, 2_500), (1_230, 2_048)


def large(seq: int) -> JobResult:
    mask = np.zeros(SIZE, np.bool_)
    mask[100:1_101, 7:2_400] = True
    found = Found(0, 0.9, (7.0, 100.0, 2_400.0, 1_101.0), rle.encode(mask))
    return JobResult(seq, SIZE[1], SIZE[0], (Instance(found, int(mask.sum()), 0.0),), "0" * 64)


@pytest.fixture
def door(sqlite_url: str, folder_store_url: str) -> Iterator[Door]:
    settings = load_settings(
        database_url=sqlite_url,
        store_url=folder_store_url,
        redis_url="redis://127.0.0.1:1/0",
        picture_processes=1,
    )
    with open_door(settings) as door:
        yield door


@pytest.fixture
def asked(door: Door) -> str:
    """An image that somebody asked about, and what was found in it."""
    headers = door.as_("ann")
    upload = door.client.post("/api/v1/uploads", json={}, headers=headers).json()["id"]
    buffer = io.BytesIO()
    Image.new("1", SIZE[::-1]).save(buffer, "PNG")
    url = f"/api/v1/uploads/{upload}/files/a.png"
    assert door.client.put(url, content=buffer.getvalue(), headers=headers).status_code == 201
    body = {"upload": upload, "file": "a.png", "prompts": [{"text": "a"}, {"text": "b"}]}
    answer = door.client.post("/api/v1/predict?wait=0", json=body, headers=headers)
    PlainPool(door.pool.database, door.pool.store(), look=large).drain()
    return str(answer.json()["link"])


def get(door: Door, path: str, **query: str) -> Any:
    answer = door.client.get(path, params=query, headers=door.as_("ann"))
    assert answer.status_code == 200, answer.text
    return answer


def test_masks_are_written_at_the_scale_of_the_view(door: Door, asked: str) -> None:
    prediction, _, seq = asked.rpartition("/")[2].partition(".")
    image = f"/api/v1/batches/{UUID(prediction)}/images/{seq}"
    whole = get(door, asked).json()["result"]
    view = get(door, asked, scale="view").json()["result"]
    assert (whole["mask_width"], whole["mask_height"]) == SIZE[::-1]
    assert (view["mask_width"], view["mask_height"]) == VIEW[::-1]
    [one], [other] = whole["instances"], view["instances"]
    large_mask, small = one.pop("segmentation"), other.pop("segmentation")
    assert one == other, "boxes and areas stay in the image's own pixels"
    assert large_mask["size"] == list(SIZE)
    full = Image.fromarray(rle.decode(rle.Rle(SIZE, large_mask["counts"])))
    plain = np.asarray(full.resize(VIEW[::-1], Image.Resampling.NEAREST))
    assert rle.Rle(tuple(small["size"]), small["counts"]) == rle.encode(plain)
    with door.pool.database.write() as session:  # as if it were no scratch batch
        session.execute(update(BatchRow).values(scratch=False))
    shown = get(door, image, scale="view").json()
    assert shown["instances"] == [other | {"segmentation": small}]
    assert Image.open(io.BytesIO(get(door, f"{image}/view").content)).size == VIEW[::-1]
    tiny = get(door, image, scale="thumbnail").json()
    assert tiny["instances"][0]["segmentation"]["size"] == [192, 320]
    assert Image.open(io.BytesIO(get(door, f"{image}/thumbnail").content)).size == (320, 192)
    [ring] = get(door, image, scale="view", masks="polygon").json()["instances"][0]["polygons"]
    assert max(x for x, _ in ring) <= VIEW[1]
    none = get(door, image, scale="view", masks="none").json()
    assert none["instances"][0]["segmentation"] is None
    assert none["mask_width"] == VIEW[1]


def test_no_other_scale_is_known(door: Door, asked: str) -> None:
    answer = door.client.get(asked, params={"scale": "0.5"}, headers=door.as_("ann"))
    assert answer.status_code == 422
