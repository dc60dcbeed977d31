"""The use cases that command line, API and page share: called as functions, without any of them."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from services.plain_pool import PlainPool, a_result

from maskpool.domain import BatchState, JobResult
from maskpool.errors import Conflict, NotFound, SourceError, SpecError
from maskpool.reading import ReadingChanges
from maskpool.spec import BatchSpec
from maskpool.spec_file import asked as asked_for
from producer import batches, submit
from producer.contending import Contending, contending
from producer.export import export
from producer.pool import Pool, why_idle
from producer.stretches import sample
from producer.submission import prepare


def state(pool: Pool, batch_id: UUID) -> BatchState:
    return batches.progress(pool, batch_id).state


def test_a_batch_is_moved_though_the_broker_is_away(
    pool: Pool,
    work: PlainPool,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    batch_id = work.submit(3)
    for change, expected in (
        (batches.pause, BatchState.PAUSED),
        (batches.resume, BatchState.ACTIVE),
        (batches.cancel, BatchState.CANCELLED),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert change(pool, str(batch_id)) == batch_id
        assert state(pool, batch_id) == expected
        assert "the dispatcher will notice by itself" in caplog.text
    assert capfd.readouterr() == ("", "")
    with pytest.raises(Conflict):
        batches.resume(pool, str(batch_id))
    with pytest.raises(NotFound):
        batches.pause(pool, "nowhere")


def test_a_batch_is_watched_to_its_end_and_counted(pool: Pool, work: PlainPool) -> None:
    batch_id = work.submit(3)
    work.drain()
    [(progress, pace)] = list(batches.watch(pool, batch_id))
    assert (progress.state, progress.done, pace) == (BatchState.DONE, 3, (None, None))
    assert batches.count_instances(pool, batch_id) == {"a": 3, "b": 3}
    assert [one.batch_id for one in batches.recent(pool, limit=5, owner="ann")] == [batch_id]
    assert batches.recent(pool, limit=5, owner="ben") == []
    with pytest.raises(Conflict, match="only failed jobs"):
        batches.retry_failed(pool, str(batch_id))


def test_prompts_that_often_contend_are_named(pool: Pool, work: PlainPool) -> None:
    batch_id = work.submit(3)
    assert contending(pool, batch_id) == []
    work.drain()
    assert contending(pool, batch_id) == [Contending("a", "b", 3)]


def test_a_rare_pair_is_not_named(pool: Pool, work: PlainPool) -> None:
    """One image in twelve has two prompts on one object."""

    def look(seq: int) -> JobResult:
        usual = a_result(seq)
        alone = [replace(one, contended=None, contender=None) for one in usual.instances]
        return replace(usual, instances=tuple(alone)) if seq else usual

    work.look = look
    batch_id = work.submit(12)
    work.drain()
    assert contending(pool, batch_id) == []


def test_of_a_large_batch_a_sample_is_looked_at(
    pool: Pool, work: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.stretches._STRETCHES", 3)
    monkeypatch.setattr("producer.stretches._STRETCH", 2)
    batch_id = work.submit(11)
    work.drain()
    assert sample(6) == [range(6)]
    assert sample(11) == [range(2), range(4, 6), range(9, 11)]
    assert contending(pool, batch_id) == [Contending("a", "b", 6, 6)]


def test_categories_of_objects_are_counted_where_they_are(
    pool: Pool, work: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class may be named as a prompt is; of thousands of classes only those found are shown."""
    monkeypatch.setattr(BatchSpec, "categories", ("a", "b", "car", "bus", "a"))

    def look(seq: int) -> JobResult:
        usual = a_result(seq)
        [first, *_] = usual.instances
        objects = [
            replace(first, found=replace(first.found, prompt_index=index, object_index=place))
            for place, index in enumerate((3, 4))
        ]
        return replace(usual, instances=(*usual.instances, *objects))

    work.look = look
    batch_id = work.submit(2)
    work.drain()
    assert batches.count_instances(pool, batch_id) == {"a": 4, "b": 2, "bus": 2}


def test_what_is_removed_leaves_no_object(pool: Pool, work: PlainPool) -> None:
    batch_id = work.submit(5, objects=True)
    with pytest.raises(Conflict, match="cancel it first"):
        batches.remove(pool, batch_id)
    work.drain()
    assert list(work.store.list(""))
    assert batches.remove(pool, batch_id) == batches.Removed(batch_id, 2)
    assert list(work.store.list("")) == []
    with pytest.raises(NotFound):
        batches.progress(pool, batch_id)


def test_rows_go_before_objects(
    pool: Pool, work: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted between the two, garbage is left and no row points to what is gone."""
    batch_id = work.submit(5)
    work.drain()

    def interrupted(_: Pool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pool, "store", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batches.remove(pool, batch_id)
    with pytest.raises(NotFound):
        batches.progress(pool, batch_id)
    assert list(work.store.list(""))


def test_what_is_missing_is_said(pool: Pool, work: PlainPool) -> None:
    dispatcher, worker = why_idle(pool, "demo")
    assert dispatcher.startswith("no dispatcher was seen yet")
    assert worker.startswith("no living worker serves demo: nothing")
    work.tick()  # announces a worker
    assert [one.model for one in pool.living_workers()] == ["demo"]
    assert why_idle(pool, "demo") == [dispatcher]
    assert "those alive serve demo" in why_idle(pool, "sam3")[1]


def test_a_dataset_is_written_of_batches_that_have_ended(
    pool: Pool, work: PlainPool, tmp_path: Path
) -> None:
    target, batch_id = tmp_path / "coco.json", work.submit(3)
    with pytest.raises(Conflict, match="3 images to go"):
        export(pool, [str(batch_id)], target)
    assert export(pool, [str(batch_id)], target, allow_partial=True).images == 0
    work.drain()
    written = export(pool, [str(batch_id), str(batch_id)], target)
    assert (written.images, written.annotations, written.categories) == (3, 6, ["a", "b"])
    assert (
        export(pool, [str(batch_id)], target, changes=ReadingChanges(max_overlap=1.0)).annotations
        == 6
    )
    assert len(json.loads(target.read_bytes())["images"]) == 3
    with pytest.raises(SpecError, match="there is coco"):
        export(pool, [str(batch_id)], target, form="nonesuch")
    with pytest.raises(NotFound, match="there is no folder"):
        export(pool, [str(batch_id)], tmp_path / "nowhere" / "coco.json")


def test_a_submission_is_refused_for_what_the_workers_would_refuse(
    pool: Pool, tmp_path: Path
) -> None:
    prompts = asked_for(None, ["cone"])
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    closed = pool.settings.model_copy(update={"source_roots": (tmp_path / "elsewhere",)})
    with pytest.raises(SourceError, match=f"maskpool up --root {tmp_path}"):
        prepare(closed, str(tmp_path), prompts)
    with pytest.raises(SourceError, match="'closed'"):
        prepare(pool.settings, "s3://closed/photos", prompts)
    urls = tmp_path / "urls.txt"
    urls.write_text("https://images.org/a.jpg\n")
    of_hosts = closed.model_copy(update={"source_hosts": ("images.org",)})
    assert not prepare(of_hosts, str(urls), prompts).upload, "URLs lie in no folder"

    open_to_all = pool.settings.model_copy(update={"source_roots": (tmp_path,)})
    (tmp_path / "urls.txt").unlink()
    submission = prepare(open_to_all, str(tmp_path), prompts, name="cones", key="k")
    assert (submission.owner, submission.key, submission.upload) == ("ann", "k", False)
    done = submit.submit(pool, submission)
    assert (done.total, done.created) == (1, True)
    assert not submit.submit(pool, submission).created
    assert batches.progress(pool, pool.find("cones")).batch_id == done.batch_id


@pytest.mark.parametrize(("same_paths", "upload"), [(False, True), (True, False)])
def test_local_images_go_to_a_bucket_unless_workers_see_them(
    pool: Pool, tmp_path: Path, same_paths: bool, upload: bool
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    settings = pool.settings.model_copy(update={"store_url": "s3://masks"})
    asked = prepare(settings, str(tmp_path), asked_for(None, ["a"]), same_paths=same_paths)
    assert asked.upload is upload
