"""Stored masks made finer for whoever looks at them: in a child process, and kept."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from services.people import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import update

from db.models import BatchRow
from maskpool import rle
from maskpool.domain import Found, Instance, JobResult
from maskpool.errors import ImageError
from maskpool.fineness import Fineness
from maskpool.picture_sizes import fitted
from maskpool.rle_scaling import scaled
from maskpool.settings import load_settings
from producer import outlines
from producer.pictures import Pictures
from producer.refining import refine
from producer.refining.work import Asked
from storage.objects import keys

#: Of an image that is a little larger than its view: height, width; a cell of the demo's map.
SIZE = (1_536, 2_560)
CELL = (SIZE[0] / 64, SIZE[1] / 64)


def disc(off: int = 0) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.asarray(np.hypot(y - 700, x - 1_200 - off) < 400)


def specked() -> npt.NDArray[np.bool_]:
    mask = disc(3)
    mask[20:24, 20:24] = True
    mask[700, 1_200] = False
    return mask


def bar() -> npt.NDArray[np.bool_]:
    """So thin that smoothing loses it."""
    mask = np.zeros(SIZE, np.bool_)
    mask[:, 30:34] = True
    return mask


#: The third does not count.
MASKS = [rle.encode(specked()), rle.encode(bar()), rle.encode(disc(60))]


def photograph() -> bytes:
    colours = np.where(disc()[..., None], (250, 90, 20), (20, 90, 250)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


PHOTOGRAPH = photograph()


def look(seq: int) -> JobResult:
    instances = tuple(
        Instance(
            Found(0, score, rle.box_xyxy(rle.to_runs(mask)), mask), rle.to_runs(mask).area, 0.0
        )
        for mask, score in zip(MASKS, (0.9, 0.8, 0.2), strict=True)
    )
    return JobResult(seq, SIZE[1], SIZE[0], instances, hashlib.sha256(PHOTOGRAPH).hexdigest())


@dataclass
class Asking:
    """An image that was asked about, as a prediction and as an image of a batch."""

    door: Door
    prediction: str
    batch: UUID

    def get(self, path: str, status: int = 200, **query: str) -> Any:
        answer = self.door.client.get(path, params=query, headers=self.door.as_("ann"))
        assert answer.status_code == status, answer.text
        return answer

    @property
    def image(self) -> str:
        return f"/api/v1/batches/{self.batch}/images/0"

    def kept(self) -> list[str]:
        store = self.door.pool.store()
        return [one.key for one in store.list(keys.thumbs_prefix(self.batch))]

    def upload_key(self) -> str:
        [key] = [one.key for one in self.door.pool.store().list(keys.UPLOADS)]
        return key


@pytest.fixture
def asking(sqlite_url: str, folder_store_url: str) -> Iterator[Asking]:
    settings = load_settings(
        database_url=sqlite_url,
        store_url=folder_store_url,
        redis_url="redis://127.0.0.1:1/0",
        picture_processes=1,
    )
    with open_door(settings) as door:
        headers = door.as_("ann")
        upload = door.client.post("/api/v1/uploads", json={}, headers=headers).json()["id"]
        url = f"/api/v1/uploads/{upload}/files/a.png"
        assert door.client.put(url, content=PHOTOGRAPH, headers=headers).status_code == 201
        body = {"upload": upload, "file": "a.png", "prompts": [{"text": "a"}, {"text": "b"}]}
        answer = door.client.post("/api/v1/predict?wait=0", json=body, headers=headers)
        PlainPool(door.pool.database, door.pool.store(), look=look).drain()
        link = str(answer.json()["link"])
        yield Asking(door, link, UUID(link.rpartition("/")[2].partition(".")[0]))


def as_batch(asking: Asking) -> None:
    with asking.door.pool.database.write() as session:  # as if it were no scratch batch
        session.execute(update(BatchRow).values(scratch=False))


def test_masks_come_finer_at_the_scale_of_the_view(asking: Asking) -> None:
    raw = asking.get(asking.prediction, which="stored").json()["result"]
    assert (raw["refined"], raw["instances"][0]["refined"]) == (None, None)
    query = {"which": "stored", "scale": "view", "refine": "medium"}
    told = asking.get(asking.prediction, **query).json()["result"]
    made = [refine(mask, Fineness.MEDIUM, CELL) for mask in MASKS]
    view = fitted(SIZE[1], SIZE[0], 2_048)[::-1]
    for one, wanted, before in zip(told["instances"], made, raw["instances"], strict=True):
        assert one["segmentation"]["counts"] == scaled(wanted.mask, view).counts
        assert (one["area"], tuple(one["box_xyxy"])) == (wanted.area, wanted.box)
        assert (one["refined"], one["score"]) == (wanted.taken, before["score"])
        assert one["counts"] == before["counts"]
    assert [one["refined"] for one in told["instances"]] == ["medium", "low", "medium"]
    assert told["refined"] == {
        "asked": "medium",
        "masks": 3,
        "changed_too_much": 1,
        "unseen": None,
    }
    # What is stored stays.
    assert asking.get(asking.prediction, which="stored").json()["result"] == raw


def test_what_was_made_is_kept_and_only_what_is_wanted_is_made(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    plain = Pictures.refine

    def noted(self: Pictures, what: Asked, granted: Any) -> Any:
        asked.append(len(what.masks))
        return plain(self, what, granted)

    monkeypatch.setattr(Pictures, "refine", noted)
    as_batch(asking)
    query = {"refine": "low", "scale": "view"}
    [one] = asking.get(asking.image, only="1", **query).json()["instances"]
    assert one["ordinal"] == 1
    counting = asking.get(asking.image, **query).json()["instances"]
    assert [one["ordinal"] for one in counting] == [0, 1]
    assert counting[1] == one
    assert asked == [1, 1]
    # The same masks at another scale, as a download wants them, are here.
    full = asking.get(asking.image, refine="low").json()["instances"]
    assert full[0]["segmentation"]["size"] == list(SIZE)
    assert asked == [1, 1]
    assert asking.kept() == [keys.finer_object(asking.batch, 0, "low")]
    # Another result of the image has finer masks of its own.
    monkeypatch.setattr(outlines, "_version", lambda _pool, _image: ["another"])
    asking.get(asking.image, **query)
    assert asked == [1, 1, 2]


def test_high_says_when_its_picture_is_gone_or_another_one(asking: Asking) -> None:
    as_batch(asking)
    query = {"refine": "high", "only": "0"}
    seen = asking.get(asking.image, **query).json()
    assert seen["refined"]["unseen"] is None
    assert seen["instances"][0]["refined"] == "high"
    store, key = asking.door.pool.store(), asking.upload_key()
    other = io.BytesIO()
    Image.new("RGB", SIZE[::-1]).save(other, "PNG", compress_level=1)
    store.put(key, other.getvalue())
    # The first was made of the right picture.
    assert asking.get(asking.image, **query).json() == seen
    changed = asking.get(asking.image, refine="high", which="stored").json()
    assert changed["refined"]["unseen"] == {
        "changed": True,
        "sentence": "the image is another one than its masks were drawn on",
    }
    assert [one["refined"] for one in changed["instances"]] == ["high", "low", "medium"]
    assert changed["refined"]["changed_too_much"] == 1
    refused = asking.get(f"{asking.image}/masks/2.png", 409, refine="high").json()
    assert refused["code"] == "refine.unseen"
    assert "another one" in refused["detail"]
    store.delete([key])
    gone = asking.get(asking.image, refine="high", which="stored").json()["refined"]["unseen"]
    assert not gone["changed"]
    assert "there is no file" in gone["sentence"]
    # It came back.
    store.put(key, PHOTOGRAPH)
    back = asking.get(asking.image, refine="high", which="stored").json()
    assert back["refined"]["unseen"] is None
    assert [one["refined"] for one in back["instances"]] == ["high", "low", "high"]


def test_a_mask_as_a_picture_and_as_rings_is_the_finer_one(asking: Asking) -> None:
    as_batch(asking)
    wanted = refine(MASKS[0], Fineness.MEDIUM, CELL)
    answer = asking.get(f"{asking.image}/masks/0.png", refine="medium")
    assert answer.headers["refined"] == "medium"
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert (drawn == rle.decode(wanted.mask)).all()
    plain = asking.get(f"{asking.image}/masks/0.png")
    assert "refined" not in plain.headers
    assert (np.asarray(Image.open(io.BytesIO(plain.content))) == specked()).all()
    rings = asking.get(asking.image, masks="polygon", refine="medium", only="0").json()
    assert len(rings["instances"][0]["polygons"]) == 1
    asking.get(f"{asking.image}/masks/3.png", 404, refine="low")
    asking.get(asking.image, 422, refine="fine")
    asking.get(asking.image, 422, only="1;2")


def test_masks_go_with_their_batch(asking: Asking) -> None:
    assert asking.get(asking.prediction, refine="low").json()["result"]["refined"]["masks"] == 2
    for name in ("eve", "nobody"):
        headers = asking.door.as_(name)
        answer = asking.door.client.get(
            asking.prediction, params={"refine": "low"}, headers=headers
        )
        assert answer.status_code in (401, 404)
    prefix = keys.thumbs_prefix(asking.batch)
    assert asking.kept()[0].startswith(prefix)


def test_a_process_that_is_killed_or_too_slow_is_said(asking: Asking) -> None:
    """Whoever serves goes on serving."""
    as_batch(asking)
    pictures: Pictures = asking.door.client.app.state.pictures  # type: ignore[attr-defined]
    asking.get(asking.image, refine="low", only="0")
    [child] = pictures._all
    os.kill(child._process.pid, signal.SIGSTOP)

    answered: list[int] = []

    def kill() -> None:
        time.sleep(0.2)
        # Who waits for a child holds nobody else up.
        answered.append(asking.door.client.get("/healthz").status_code)
        os.kill(child._process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    refused = asking.get(asking.image, 422, refine="medium").json()
    killer.join()
    assert answered == [204]
    assert "ended the process that tried" in refused["detail"]
    pictures._deadline = 0.0
    late = asking.get(asking.image, 422, refine="medium").json()
    assert "2 masks cannot be made medium in time" in late["detail"]
    pictures._deadline = 20.0
    asking.get(asking.image, refine="medium")


def test_a_request_larger_than_a_pipe_holds_comes_through(asking: Asking) -> None:
    pictures: Pictures = asking.door.client.app.state.pictures  # type: ignore[attr-defined]
    noise = rle.encode(np.random.default_rng(1).random((400, 400)) < 0.5)
    asked = Asked([noise] * 40, Fineness.LOW, [(1.0, 1.0)] * 40, "", asking.batch, "")
    made = pictures.refine(asked, None)
    assert {one.mask for one in made.masks} == {refine(noise, Fineness.LOW, (1.0, 1.0)).mask}
    with pytest.raises(ImageError, match="too much for one answer"):
        pictures.refine(
            Asked([noise] * 400, Fineness.NONE, [(1.0, 1.0)] * 400, "", asking.batch, ""), None
        )
