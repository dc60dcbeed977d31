"""Submit → tick → annotate → fold, on real rows and objects; the segmenter is told what to see."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from services.rows import counts_by_state, instances_of, unfolded_chunks

from db import batches, chunks, instances, jobs, lookup
from db.models import InstanceRow
from db.session import Database
from db.workers import WorkerInfo
from maskpool import rle
from maskpool.domain import BatchState, ChunkMessage, Found, JobState, Klass, new_id
from maskpool.errors import Conflict, LeaseLost, NotFound, SourceError
from maskpool.ports import Answer, Image, ObjectStore, Request
from maskpool.reading_rule import ReadingRule
from maskpool.settings import load_settings
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitted, Submitter
from storage.images.fetch import Fetcher
from storage.objects import masks, open_store
from workers.engine.engine import Engine
from workers.leases import LeaseKeeper
from workers.pipeline import Pipeline


class LeftHalf:
    """Finds the left half of every image for every prompt, twice, the second time less surely."""

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        return [Answer(self._look(request.image, len(request.texts))) for request in requests]

    def _look(self, image: Image, prompts: int) -> list[Found]:
        height, width = image.shape[:2]
        mask = np.zeros((height, width), np.bool_)
        mask[:, : width // 2] = True
        half = rle.encode(mask)
        box = (0.0, 0.0, float(width // 2), float(height))
        return [
            Found(prompt, score, box, half) for prompt in range(prompts) for score in (0.875, 0.25)
        ]

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.arange(len(texts), 0, -1, dtype=np.float32), (len(crops), 1))


@dataclass
class World:
    """One stack without processes: the test is the clock."""

    database: Database
    store: ObjectStore
    images: Path
    engine: Engine
    messages: list[ChunkMessage] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)
    keepers: list[LeaseKeeper] = field(default_factory=list)

    def worker(self, *, lease_seconds: float = 30.0) -> Pipeline:
        info = WorkerInfo(new_id(), "test", "cpu", "demo", threads=3)
        keeper = LeaseKeeper(
            self.database,
            info,
            lease_seconds=lease_seconds,
            heartbeat_seconds=0.05,
            stall_seconds=60,
            rate=lambda: 4.0,
        )
        keeper.start()
        pipeline = Pipeline(
            database=self.database,
            store=self.store,
            fetcher=Fetcher(self.store, load_settings(source_roots=(self.images,))),
            engine=self.engine,
            leases=keeper,
            worker_id=info.id,
            model="demo",
            images_in_work=4,
        )
        self.pipelines.append(pipeline)
        self.keepers.append(keeper)
        return pipeline

    def submit(self, count: int = 10, **changes: object) -> Submitted:
        for number in range(count):
            path = self.images / f"image_{number:03d}.png"
            if not path.exists():
                Pillow.new("RGB", (8, 6), (number, 0, 0)).save(path)
        values = {
            "source": open_source(str(self.images)),
            "spec": BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}, {"text": "b"}]}),
            "owner": "ann",
            "key": str(new_id()),
            **changes,
        }
        return Submitter(self.database, lambda: None).submit(Submission(**values))

    def tick(self) -> None:
        tick(self.database, self.messages.extend)

    def drain(self, pipeline: Pipeline) -> list[str]:
        """Tick and run until nothing is left to do."""
        outcomes = []
        for _ in range(100):
            self.tick()
            if not self.messages:
                break
            while self.messages:
                outcomes.append(pipeline.run(self.messages.pop(0)))
        return outcomes


@pytest.fixture
def world(database_url: str, folder_store_url: str, tmp_path: Path) -> Iterator[World]:
    images = tmp_path / "images"
    images.mkdir()
    fake = LeftHalf()
    with Engine(fake, fake, micro_batch=2) as engine:
        world = World(Database(database_url), open_store(folder_store_url), images, engine)
        yield world
        for pipeline in world.pipelines:
            pipeline.close()
        for keeper in world.keepers:
            keeper.close()
        world.database.close()


def progress_of(world: World, batch_id: object) -> object:
    with world.database.read() as session:
        return lookup.progress(session, batch_id)


def recount(world: World, batch_id: object) -> dict[JobState, int]:
    with world.database.read() as session:
        return counts_by_state(session, batch_id)


def test_every_job_ends_done_and_every_row_points_to_its_masks(world: World) -> None:
    worker = world.worker()
    batch = world.submit(10)
    world.drain(worker)
    progress = progress_of(world, batch.batch_id)
    assert (progress.state, progress.done, progress.failed) == (BatchState.DONE, 10, 0)
    assert recount(world, batch.batch_id) == {JobState.DONE: 10}
    with world.database.read() as session:
        rows = jobs.page(session, batch.batch_id)
        counts = instances.count_by_prompt(session, batch.batch_id, ReadingRule(threshold=0.05))
        strict = instances.count_by_prompt(session, batch.batch_id, ReadingRule(0.05, 0.5))
    assert counts == {0: 20, 1: 20}
    assert strict == {0: 10, 1: 10}, "the second of two equal masks overlaps the first wholly"
    for row in rows:
        record = masks.read_job(
            world.store, batch.batch_id, row.masks_key, row.masks_offset, row.masks_length
        )
        assert (record.seq, record.name) == (row.seq, row.name)
        assert (record.width, record.height) == (row.width, row.height) == (8, 6)
        assert len(record.instances) == row.n_instances == 4
        assert rle.decode(record.instances[0].found.mask)[:, :4].all()
    with world.database.read() as session:
        assert unfolded_chunks(session) == 0


def test_bad_images_fail_alone_with_a_sentence(world: World) -> None:
    (world.images / "zero.jpg").write_bytes(b"")
    (world.images / "text.png").write_text("hello")
    batch = world.submit(5)
    (world.images / "image_003.png").unlink()
    world.drain(world.worker())
    progress = progress_of(world, batch.batch_id)
    assert (progress.state, progress.done, progress.failed) == (BatchState.DONE, 4, 3)
    with world.database.read() as session:
        failed = jobs.page(session, batch.batch_id, states=[JobState.FAILED])
    assert [job.name for job in failed] == ["image_003.png", "text.png", "zero.jpg"]
    assert all(job.error and "Traceback" not in job.error for job in failed)


def test_failed_jobs_can_be_retried(world: World) -> None:
    batch = world.submit(3)
    hidden = (world.images / "image_001.png").rename(world.images.parent / "away.png")
    worker = world.worker()
    world.drain(worker)
    assert progress_of(world, batch.batch_id).failed == 1
    hidden.rename(world.images / "image_001.png")
    with world.database.write() as session:
        assert batches.retry_failed(session, batch.batch_id) == 1
    world.drain(worker)
    progress = progress_of(world, batch.batch_id)
    assert (progress.state, progress.done, progress.failed) == (BatchState.DONE, 3, 0)
    with world.database.write() as session, pytest.raises(Conflict, match="done with 0 failed"):
        batches.retry_failed(session, batch.batch_id)


def test_a_message_delivered_three_times_counts_once(world: World) -> None:
    worker, other = world.worker(), world.worker()
    batch = world.submit(6)
    for _ in range(30):
        world.tick()
        if not world.messages:
            break
        for message in list(world.messages):
            worker.run(message)
            assert other.run(message).startswith("dropped")
            assert worker.run(message).startswith("dropped")
        world.messages.clear()
    assert recount(world, batch.batch_id) == {JobState.DONE: 6}
    assert progress_of(world, batch.batch_id).done == 6


def test_a_lapsed_chunk_goes_to_another_and_the_zombie_writes_nothing(world: World) -> None:
    world.worker()
    batch = world.submit(4)
    world.tick()
    zombie, message = new_id(), world.messages[0]
    with world.database.write() as session:
        taken = chunks.take(session, message.chunk_id, zombie, solo=False, lease_ms=1)
    assert taken is not None
    time.sleep(0.01)  # the lease lapses
    worker = world.worker()
    world.messages.clear()
    world.drain(worker)
    ends = [chunks.Failed(job.seq, "zombie") for job in taken.jobs]
    with pytest.raises(LeaseLost), world.database.write() as session:
        chunks.finish(session, zombie, message.chunk_id, ends, gpu_seconds=1.0)
    assert recount(world, batch.batch_id) == {JobState.DONE: 4}
    with world.database.read() as session:
        assert all(job.solo and job.losses == 0 for job in jobs.page(session, batch.batch_id)[:4])


def test_a_job_that_kills_its_worker_alone_fails_at_the_cap(world: World) -> None:
    world.worker()
    batch = world.submit(1)
    for _ in range(4):
        world.tick()
        for message in world.messages:
            with world.database.write() as session:
                chunks.take(session, message.chunk_id, new_id(), solo=message.solo, lease_ms=1)
        world.messages.clear()
        time.sleep(0.01)  # the lease lapses
    world.tick()
    progress = progress_of(world, batch.batch_id)
    assert (progress.state, progress.failed) == (BatchState.DONE, 1)
    with world.database.read() as session:
        [job] = jobs.page(session, batch.batch_id)
    assert job.losses == 3
    assert "died" in (job.error or "")


def test_pause_takes_queued_work_back_and_resume_goes_on(world: World) -> None:
    worker = world.worker()
    batch = world.submit(8)
    world.tick()
    with world.database.write() as session:
        batches.pause(session, batch.batch_id)
    assert [worker.run(message) for message in world.messages] == ["dropped: not to be had"] * len(
        world.messages
    )
    world.messages.clear()
    world.tick()
    assert world.messages == []
    with world.database.write() as session:
        batches.resume(session, batch.batch_id)
    world.drain(worker)
    assert progress_of(world, batch.batch_id).done == 8


def test_nothing_is_accepted_after_a_cancel(world: World) -> None:
    world.worker()
    batch = world.submit(8)
    world.tick()
    message = world.messages[0]
    me = new_id()
    with world.database.write() as session:
        taken = chunks.take(session, message.chunk_id, me, solo=False, lease_ms=30_000)
    assert taken is not None
    with world.database.write() as session:
        batches.cancel(session, batch.batch_id)
    with world.database.write() as session:
        assert chunks.extend(session, me, [message.chunk_id], lease_ms=30_000) == {}
    with pytest.raises(LeaseLost), world.database.write() as session:
        chunks.finish(session, me, message.chunk_id, [], gpu_seconds=0)
    assert recount(world, batch.batch_id) == {JobState.CANCELLED: 8}
    world.tick()
    assert progress_of(world, batch.batch_id).state == BatchState.CANCELLED


def test_one_key_is_one_batch(world: World) -> None:
    first = world.submit(5, key="k")
    again = world.submit(5, key="k")
    assert (again.batch_id, again.created, again.total) == (first.batch_id, False, 5)
    other = BatchSpec.read({"model": "demo", "prompts": [{"text": "c"}]})
    with pytest.raises(Conflict, match="another spec"):
        world.submit(5, key="k", spec=other)


def test_an_interrupted_submit_resumes_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BLOCK_POSTGRES", "BLOCK_SQLITE"):
        monkeypatch.setattr(jobs, name, 3)
    load = jobs.load_block
    calls = []

    def fail_third(*args: object) -> bool:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return load(*args)

    monkeypatch.setattr(jobs, "load_block", fail_third)
    with pytest.raises(KeyboardInterrupt):
        world.submit(10, key="k")
    with world.database.read() as session:
        [half] = lookup.recent(session, limit=5)
    assert (half.state, half.loaded) == (BatchState.LOADING, 6)
    monkeypatch.setattr(jobs, "load_block", load)
    whole = world.submit(10, key="k")
    assert (whole.batch_id, whole.total, whole.created) == (half.batch_id, 10, True)
    with world.database.read() as session:
        names = [job.name for job in jobs.page(session, whole.batch_id)]
    assert names == [f"image_{number:03d}.png" for number in range(10)]


def test_a_source_that_changed_is_not_resumed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Submitter, "_refuse_duplicates", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        world.submit(4, key="k")
    monkeypatch.undo()
    (world.images / "image_000.png").unlink()
    with pytest.raises(SourceError, match="changed since"):
        Submitter(world.database, lambda: None).submit(
            Submission(
                source=open_source(str(world.images)),
                spec=BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}, {"text": "b"}]}),
                owner="ann",
                key="k",
            )
        )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_duplicate_names_are_refused_and_leave_nothing(world: World, tmp_path: Path) -> None:
    world.submit(2)
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,name\nimages/image_000.png,x\nimages/image_001.png,x\n")
    with pytest.raises(SourceError, match=r"'x' appears more than once: line 2, line 3"):
        world.submit(0, source=open_source(str(manifest)), key="dup")
    with world.database.read() as session:
        assert len(lookup.recent(session, limit=10)) == 1


def test_a_source_that_breaks_off_leaves_nothing(world: World, tmp_path: Path) -> None:
    world.submit(2)
    manifest = tmp_path / "list.jsonl"
    manifest.write_text('{"uri": "images/image_000.png"}\n{"uri": \n')
    with pytest.raises(SourceError, match="line 2"):
        world.submit(0, source=open_source(str(manifest)), key="broken")
    with world.database.read() as session:
        assert len(lookup.recent(session, limit=10)) == 1


def test_an_empty_source_is_refused(world: World) -> None:
    with pytest.raises(SourceError, match="no image"):
        world.submit(0)


def test_negative_texts_count_against_what_they_find_and_get_a_clip_score(world: World) -> None:
    prompts = [{"text": "cone", "not": ["barrel"]}, {"text": "b"}]
    spec = BatchSpec.read({"version": 2, "model": "demo", "prompts": prompts, "verify": True})
    batch = world.submit(1, spec=spec)
    world.drain(world.worker())
    everything = ReadingRule(0.05, max_against=1.0)
    with world.database.read() as session:
        rows = instances_of(session, batch.batch_id, [0], everything)
        default = instances_of(session, batch.batch_id, [0], ReadingRule(0.05))
        [job] = jobs.page(session, batch.batch_id)
        record = masks.read_job(
            world.store, batch.batch_id, job.masks_key, job.masks_offset, job.masks_length
        )
    by_prompt = {row.prompt_index: row.clip_score for row in rows}
    assert by_prompt == {0: pytest.approx(1 / (1 + np.exp(-1))), 1: None}
    assert [(row.prompt_index, row.against) for row in rows] == [
        *[(0, 0.875), (0, 0.875), (1, None), (1, None)]
    ], "the barrel's own masks are not stored"
    assert [row.prompt_index for row in default] == [1, 1]
    # Of two prompts that found the same half equally well, the first one is better.
    assert [(row.contended, row.contender) for row in rows] == [
        *[(None, None), (1.0, 2), (1.0, 0), (1.0, 0)]
    ]
    assert [one.against_text for one in record.instances] == ["barrel", "barrel", None, None]
    assert [one.contender for one in record.instances] == [row.contender for row in rows]


def test_in_version_1_negatives_are_for_clip_alone(world: World) -> None:
    spec = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone", "not": ["barrel"]}]})
    batch = world.submit(1, spec=spec)
    world.drain(world.worker())
    with world.database.read() as session:
        rows = instances_of(session, batch.batch_id, [0], ReadingRule(0.05))
    clip = pytest.approx(1 / (1 + np.exp(-1)))
    assert [(row.clip_score, row.against) for row in rows] == [(clip, None)] * 2


def test_interactive_batches_are_dispatched_beside_a_full_window(world: World) -> None:
    world.worker()
    world.submit(10)
    world.tick()
    bulk = len(world.messages)
    world.submit(1, klass=Klass.NOW)
    world.tick()
    assert {message.klass for message in world.messages[bulk:]} == {Klass.NOW}


def test_a_removed_batch_leaves_no_row(world: World) -> None:
    batch = world.submit(3)
    with world.database.write() as session, pytest.raises(Conflict, match="cancel it first"):
        batches.remove(session, batch.batch_id)
    world.drain(world.worker())
    with world.database.write() as session:
        batches.remove(session, batch.batch_id)
    with world.database.read() as session:
        assert session.query(InstanceRow).count() == 0
        with pytest.raises(NotFound):
            lookup.progress(session, batch.batch_id)


@pytest.mark.parametrize("everything", [True, False])
def test_a_message_that_was_lost_is_sent_again(world: World, *, everything: bool) -> None:
    world.worker()
    world.submit(2)
    world.tick()
    lost = world.messages.copy()
    world.messages.clear()
    tick(world.database, world.messages.extend, broker_forgot=everything)
    assert world.messages == (lost if everything else [])
