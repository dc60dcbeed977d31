"""Datasets of batches that are not what their reader would think: unfinished, failed, merged."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from services.plain_pool import SIZE, PlainPool, a_result
from sqlalchemy import update

from db import batches
from db.models import BatchRow, JobRow
from maskpool import rle
from maskpool.domain import Found, Instance, JobResult, JobState
from maskpool.errors import ConfigError, Conflict, NotFound
from maskpool.reading import ReadingChanges
from maskpool.spec import BatchSpec
from producer.export import export
from producer.pool import Pool
from producer.scoring.evaluate import evaluate


def done(work: PlainPool, count: int = 5) -> UUID:
    batch_id = work.submit(count)
    work.drain()
    return batch_id


def fail(work: PlainPool, batch_id: UUID, *seqs: int) -> None:
    with work.database.write() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.batch_id == batch_id, JobRow.seq.in_(seqs))
            .values(state=JobState.FAILED, error="is no image")
        )
        moved = {"failed": len(seqs), "done": BatchRow.done - len(seqs)}
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(**moved))


def info(target: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(target.read_bytes())["info"]
    return found


def test_every_object_has_its_mask_in_the_dataset_and_the_empty_one_is_named(
    pool: Pool, work: PlainPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rule says; the class that is named as a prompt is one category with it."""
    monkeypatch.setattr(BatchSpec, "categories", ("a", "b", "car", "a"))

    def look(seq: int) -> JobResult:
        usual = a_result(seq)
        found = replace(usual.instances[0].found, score=0.1)
        empty = rle.encode(np.zeros(SIZE, np.bool_))
        objects = (
            Instance(replace(found, prompt_index=3, object_index=0), usual.instances[0].area, 0.0),
            Instance(Found(2, 0.1, (0.0, 0.0, 0.0, 0.0), empty, 1, 0.2), 0, 0.0),
        )
        return replace(usual, instances=(*usual.instances, *objects))

    work.look = look
    target = tmp_path / "coco.json"
    written = export(pool, [str(done(work, 2))], target, changes=ReadingChanges(threshold=0.95))
    coco = COCO(target)
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    assert names == {1: "a", 2: "b", 3: "car"}
    masks = [(one["category_id"], one["area"], one["bbox"]) for one in coco.anns.values()]
    assert masks == [(1, 6, [2, 1, 2, 3]), (1, 9, [2, 1, 3, 3])]
    assert coco_masks.area([coco.annToRLE(one) for one in coco.anns.values()]).tolist() == [6, 9]
    assert list(written.notes) == [
        (
            "2 objects gave empty masks, which are not in the dataset: 000.png objects[1], "
            "001.png objects[1]"
        )
    ]
    assert info(target)["empty_mask_objects"] == [
        {"file_name": f"00{seq}.png", "object": 1, "category": "car"} for seq in range(2)
    ]
    [score] = evaluate(target, target, threshold=0.0).by_category[:1]
    assert (score.tp, score.fp, score.fn) == (2, 0, 0)


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_cancelled_batch_is_exported_only_where_that_is_meant(
    pool: Pool, work: PlainPool, tmp_path: Path, rounds: int
) -> None:
    target, batch_id = tmp_path / "coco.json", work.submit(40)
    for _ in range(rounds):
        for message in work.tick():
            work.work(message)
    with pool.database.write() as session:
        batches.cancel(session, batch_id)
    count = 8 * rounds
    with pytest.raises(Conflict, match=f"was cancelled, {40 - count} of its 40 images"):
        export(pool, [str(batch_id)], target)
    assert not target.exists()
    written = export(pool, [str(batch_id)], target, allow_partial=True)
    assert (written.images, written.unfinished, written.failed) == (count, 40 - count, 0)
    assert info(target)["unfinished"] == 40 - count


def test_a_batch_that_was_cancelled_while_it_was_loaded_counts_what_was_loaded(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    batch_id = work.submit(7, activate=False)
    with pytest.raises(Conflict, match="is loading, 7 images to go"):
        export(pool, [str(batch_id)], tmp_path / "coco.json")
    with pool.database.write() as session:
        batches.cancel(session, batch_id)
    with pytest.raises(Conflict, match="was cancelled, 7 of its 7 images"):
        export(pool, [str(batch_id)], tmp_path / "coco.json")


def test_images_that_failed_are_counted_and_named(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    target, batch_id, good = tmp_path / "coco.json", done(work), done(work)
    fail(work, batch_id, 1, 3)
    written = export(pool, [str(batch_id)], target)
    assert (written.images, written.failed, written.unfinished) == (3, 2, 0)
    assert [one.name for one in written.failures] == ["001.png", "003.png"]
    assert info(target)["failed"] == 2
    assert info(target)["failed_images"] == [
        {"file_name": "001.png", "error": "is no image"},
        {"file_name": "003.png", "error": "is no image"},
    ]
    assert export(pool, [str(good)], target).failed == 0
    assert "failed" not in info(target)


def test_of_merged_batches_what_a_reader_would_not_guess_is_said(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    first, second = done(work, 5), done(work, 7)
    fail(work, first, 2)
    names = [str(first), str(second)]
    merged = export(pool, names, tmp_path / "coco.json")
    assert (merged.images, merged.failed) == (7, 1)
    incomplete, doubled = merged.notes
    assert incomplete.startswith("3 images are not in every batch")
    assert doubled.startswith("two batches looked for a, b in the same images")


def test_a_batch_by_two_names_is_one_batch(pool: Pool, work: PlainPool, tmp_path: Path) -> None:
    batch_id = done(work)
    names = [str(batch_id), batch_id.hex[-8:], "plain", str(batch_id).upper()]
    written = export(pool, names, tmp_path / "coco.json")
    assert (written.images, written.annotations, written.notes) == (5, 10, [])


def test_different_pictures_of_one_name_are_not_merged(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    first, second = done(work), done(work)
    with work.database.write() as session:  # the names of two images are exchanged
        for seq, name in ((1, "-"), (3, "001.png"), (1, "003.png")):
            session.execute(
                update(JobRow).where(JobRow.batch_id == second, JobRow.seq == seq).values(name=name)
            )
    target = tmp_path / "coco.json"
    with pytest.raises(Conflict, match=rf"001\.png is another picture in batch {second}"):
        export(pool, [str(first), str(second)], target)
    assert not target.exists()
    assert export(pool, [str(second)], target).images == 5, "each on its own is what it was"


@pytest.mark.parametrize("before", ["", "old"])
@pytest.mark.parametrize("hops", [1, 2])
def test_of_a_link_the_target_is_written(
    pool: Pool, work: PlainPool, tmp_path: Path, before: str, hops: int
) -> None:
    real, link = tmp_path / "deep" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    if before:
        real.write_text(before)
        real.chmod(0o600)
    place = Path("deep/real.json")
    for number in range(1, hops):
        (tmp_path / f"hop{number}").symlink_to(place)
        place = Path(f"hop{number}")
    link.symlink_to(place)
    written = export(pool, [str(done(work))], link)
    assert link.is_symlink()
    assert written.target == real
    assert len(json.loads(real.read_bytes())["images"]) == 5
    assert [path.name for path in real.parent.iterdir()] == ["real.json"]
    if before:
        assert stat.S_IMODE(real.stat().st_mode) == 0o600, "who may read it is not our business"


def test_a_pipe_gets_the_whole_dataset(pool: Pool, work: PlainPool, tmp_path: Path) -> None:
    pipe, target, batch_id = tmp_path / "pipe", tmp_path / "coco.json", str(done(work))
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    written = export(pool, [batch_id], pipe)
    reader.join()
    export(pool, [batch_id], target)
    assert got == [target.read_bytes()]
    assert (written.target, pipe.is_fifo()) == (pipe, True)
    stream = BytesIO()
    export(pool, [batch_id], Path("-"), stream=stream)
    assert stream.getvalue() == target.read_bytes()


@pytest.mark.parametrize(
    "name", ["/dev/null", "loop", "file/coco.json", "gone/coco.json", "final.json"]
)
def test_what_cannot_be_written_is_refused_and_stays(
    pool: Pool, work: PlainPool, tmp_path: Path, name: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "final.json").write_text("mine")
    (tmp_path / "final.json").chmod(0o444)
    batch_id = str(done(work))
    with pytest.raises((ConfigError, NotFound)):
        export(pool, [batch_id], tmp_path / name)
    with pytest.raises(ConfigError, match="link is a device or a socket"):
        export(pool, [batch_id], tmp_path / "link")
    assert [path.name for path in tmp_path.glob("*.json")] == ["final.json"]
    assert (tmp_path / "final.json").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"
    assert Path("/dev/null").is_char_device()
