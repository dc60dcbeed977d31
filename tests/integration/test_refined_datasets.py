"""Datasets whose masks are made finer on the way, and what they say of it."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks
from services.pictured import CELL, SIDE, Pictured, bar, disc, specked
from services.plain_pool import PlainPool, a_result

from maskpool import failpoints, rle
from maskpool.domain import Found, Instance, JobResult
from maskpool.errors import Unreachable
from maskpool.fineness import Fineness
from maskpool.settings import ModelAlias
from producer.export import export
from producer.pool import Pool
from producer.refining import refine
from producer.results import reader


@pytest.fixture
def batch(pool: Pool, work: PlainPool, tmp_path: Path) -> Pictured:
    return Pictured(pool, work, tmp_path / "images", 3)


def test_each_annotation_is_that_of_its_finer_mask(batch: Pictured, tmp_path: Path) -> None:
    said: list[str] = []
    target = tmp_path / "coco.json"
    written = export(
        batch.pool,
        [str(batch.id)],
        target,
        refine=Fineness.MEDIUM,
        processes=1,
        say=said.append,
    )
    whole = json.loads(target.read_bytes())
    assert len(whole["annotations"]) == 6
    for row, mask in zip(whole["annotations"], [specked(1), bar()] * 3, strict=True):
        made = refine(rle.encode(mask), Fineness.MEDIUM, CELL)
        assert row["segmentation"]["counts"] == made.mask.counts
        assert row["area"] == coco_masks.area(row["segmentation"]) == made.area
        assert row["bbox"] == coco_masks.toBbox(row["segmentation"]).tolist()
    assert whole["info"]["refine"] == {
        "asked": "medium",
        "taken": {"none": 0, "low": 3, "medium": 3, "high": 0},
        "changed_too_much": 3,
    }
    assert [one for one in written.notes if "less fine than medium" in one]
    assert [one for one in said if one.startswith("making about 6 masks of 3 images medium: ")]


def test_what_is_stored_never_changes(batch: Pictured, tmp_path: Path) -> None:
    def stored() -> list[Any]:
        view = reader.view(batch.pool.database, batch.id)
        return list(reader.read_images(batch.pool.database, batch.pool.store(), [view]))

    before = stored()
    plain, finer = tmp_path / "plain.json", tmp_path / "finer.json"
    export(batch.pool, [str(batch.id)], plain)
    export(batch.pool, [str(batch.id)], finer, refine=Fineness.LOW, processes=1)
    assert stored() == before
    assert "refine" not in json.loads(plain.read_bytes())["info"]
    assert plain.read_bytes() != finer.read_bytes()


def test_high_uses_only_pictures_that_are_still_the_same(batch: Pictured, tmp_path: Path) -> None:
    batch.paths[1].unlink()
    Image.fromarray(np.zeros((SIDE, SIDE, 3), dtype=np.uint8)).save(batch.paths[2])
    target = tmp_path / "coco.json"
    written = export(batch.pool, [str(batch.id)], target, refine=Fineness.HIGH, processes=2)
    whole = json.loads(target.read_bytes())
    seen, gone, changed = (
        rle.decode(rle.Rle((SIDE, SIDE), row["segmentation"]["counts"]))
        for row in whole["annotations"][::2]
    )
    medium = rle.decode(refine(rle.encode(specked(1)), Fineness.MEDIUM, CELL).mask)
    assert (gone == medium).all()
    assert (changed == medium).all()
    assert (seen ^ disc(0)).sum() < 0.5 * (medium ^ disc(0)).sum()
    said = whole["info"]["refine"]
    assert said["taken"] == {"none": 0, "low": 3, "medium": 2, "high": 1}
    # The bars; of the other two, medium is all there was to take.
    assert said["changed_too_much"] == 3
    assert said["unseen"] == 2
    assert [one["file_name"] for one in said["unseen_images"]] == ["001.png", "002.png"]
    assert "another one than its masks were drawn on" in said["unseen_images"][1]["reason"]
    assert [one for one in written.notes if "pictures of 2 images could not be used" in one]


def test_an_export_that_was_cut_off_goes_on_and_counts_all(
    batch: Pictured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(name: str, fineness: Fineness, said: list[str]) -> bytes:
        export(
            batch.pool,
            [str(batch.id)],
            tmp_path / name,
            refine=fineness,
            processes=1,
            say=said.append,
        )
        return (tmp_path / name).read_bytes()

    class Cut(Exception):
        pass

    def cut(place: str) -> None:
        if place == "export.kept":
            raise Cut

    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr("producer.formats.parts.STEP", 2)
        patched.setattr(failpoints, "reach", cut)
        with pytest.raises(Cut):
            one("cut.json", Fineness.MEDIUM, said)
    went_on = one("cut.json", Fineness.MEDIUM, said)
    assert "resuming after 2 images" in said
    assert went_on == one("whole.json", Fineness.MEDIUM, [])
    # Parts of another fineness are of no use.
    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", cut)
        with pytest.raises(Cut):
            one("other.json", Fineness.LOW, [])
    said.clear()
    assert one("other.json", Fineness.MEDIUM, said) == went_on
    assert any(sentence.startswith("starting over") for sentence in said)


def test_merged_batches_are_made_finer_each_by_its_own_maps(
    batch: Pictured, work: PlainPool, tmp_path: Path
) -> None:
    work.model = "coarse"
    other = batch.annotate(work, 3)
    coarse = ModelAlias(sam3="x", clip="y", cells=16)
    settings = batch.pool.settings.model_copy(update={"models": {"coarse": coarse}})
    wide = (SIDE / 16, SIDE / 16)
    for ids, cells in (((batch.id, other), (CELL, wide)), ((other, batch.id), (wide, CELL))):
        target = tmp_path / "coco.json"
        export(
            replace(batch.pool, settings=settings),
            [str(one) for one in ids],
            target,
            refine=Fineness.MEDIUM,
            processes=1,
            fresh=True,
        )
        rows = json.loads(target.read_bytes())["annotations"]
        found = [row["segmentation"]["counts"] for row in rows if row["image_id"] == 1]
        mask = rle.encode(specked(1))
        first, _, second, _ = found
        made = [refine(mask, Fineness.MEDIUM, cell).mask.counts for cell in cells]
        assert [first, second] == made
        assert made[0] != made[1]


def test_an_export_goes_on_after_a_process_was_killed(batch: Pictured, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if done == 1:
            for child in multiprocessing.active_children():
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
                killed.append(child.pid)

    def one(name: str, on_image: Callable[[int, int], None]) -> bytes:
        written = export(
            batch.pool,
            [str(batch.id)],
            tmp_path / name,
            refine=Fineness.MEDIUM,
            processes=2,
            on_image=on_image,
        )
        assert written.images == 3
        return (tmp_path / name).read_bytes()

    went_on = one("hurt.json", kill)
    assert killed
    assert went_on == one("whole.json", lambda _done, _total: None)
    assert not multiprocessing.active_children()


def test_an_image_that_ends_each_process_is_named(
    batch: Pictured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def hunt() -> None:
        while not ended.wait(0.01):
            for child in multiprocessing.active_children():
                child.kill()

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        with pytest.raises(Unreachable, match=r"it ended each time at 000\.png"):
            export(
                batch.pool,
                [str(batch.id)],
                tmp_path / "a.json",
                refine=Fineness.MEDIUM,
                processes=1,
            )
    finally:
        ended.set()
        hunter.join()
    assert not (tmp_path / "a.json").exists()


def test_a_picture_that_takes_too_much_memory_is_named(batch: Pictured, tmp_path: Path) -> None:
    large = Image.new("RGB", (9_000, 9_000))
    buffer = io.BytesIO()
    large.save(buffer, "PNG", compress_level=1)
    # Its bytes are not those of before, which nobody finds out: it does not fit.
    batch.paths[1].write_bytes(buffer.getvalue())
    # To read a file takes as much at once as one may have.
    limits = {"picture_megabytes": 192, "max_image_bytes": 8 << 20}
    little = batch.pool.settings.model_copy(update=limits)
    pool = replace(batch.pool, settings=little)
    target = tmp_path / "coco.json"
    export(pool, [str(batch.id)], target, refine=Fineness.HIGH, processes=1)
    said = json.loads(target.read_bytes())["info"]["refine"]
    [one] = said["unseen_images"]
    assert one["file_name"] == "001.png"
    assert "too little memory" in one["reason"]
    assert said["taken"] == {"none": 0, "low": 3, "medium": 1, "high": 2}


def test_masks_of_no_pixel_are_left_out_as_ever(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    def look(seq: int) -> JobResult:
        empty = Found(0, 0.9, (0.0, 0.0, 0.0, 0.0), rle.empty((6, 8)), 0, 0.5)
        return replace(a_result(seq), instances=(Instance(empty, 0, 0.0),))

    work.look = look
    batch_id: UUID = work.submit(1)
    work.drain()
    target = tmp_path / "coco.json"
    written = export(pool, [str(batch_id)], target, refine=Fineness.MEDIUM, processes=1)
    assert (written.annotations, written.empty.count) == (0, 1)
    assert json.loads(target.read_bytes())["info"]["refine"]["changed_too_much"] == 0
