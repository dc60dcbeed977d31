"""The bucket store behind a proxy that hurts one request after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from services.faulty_s3 import Fault, FaultyS3, faulty_s3
from services.s3_server import S3Server

from maskpool import rle
from maskpool.domain import Found, Instance, Job, JobFailure, JobResult, Klass, new_id
from maskpool.errors import CorruptObject, ImageError, Unreachable
from maskpool.ports import ObjectStore
from maskpool.settings import Settings
from maskpool.spec import BatchSpec
from maskpool.spec_prompt import Prompt
from storage.images.fetch import Fetcher
from storage.objects import keys, masks, open_store, s3
from workers.image.annotate import Annotator
from workers.leases import Holding
from workers.outcomes import Outage

DATA = bytes(range(256)) * 40

#: What a client cannot tell from bad luck, and so simply tries again.
PASSING = sorted(
    set(Fault)
    - {Fault.WRONG_CLOCK, Fault.SLOW, Fault.SILENT, Fault.TRUNCATED_UPLOAD, Fault.FLIPPED_BYTE}
)


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    monkeypatch.setattr(s3, "_READ_SECONDS", 0.3)
    with faulty_s3(s3_server.endpoint_url, seed=1) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: FaultyS3, s3_server: S3Server) -> ObjectStore:
    return open_store(f"s3://{s3_server.create_bucket()}/pool", endpoint_url=proxy.url)


class Times:
    """Says of the first few requests that they are meant."""

    def __init__(self, times: int, method: str = "") -> None:
        self.left = times
        self.method = method

    def __call__(self, method: str, _path: str) -> bool:
        if self.left == 0 or self.method not in ("", method):
            return False
        self.left -= 1
        return True


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(proxy: FaultyS3, store: ObjectStore, fault: Fault) -> None:
    with proxy.hurting({fault: 1.0}, only=Times(2)):
        store.put("a", DATA)
    with proxy.hurting({fault: 1.0}, only=Times(2, "GET")):
        assert store.get("a") == DATA

    assert proxy.injected[fault] >= 2
    assert [(info.key, info.size) for info in store.list("")] == [("a", len(DATA))]


def test_a_lost_reply_costs_the_same_upload_again(proxy: FaultyS3, store: ObjectStore) -> None:
    with proxy.hurting({Fault.LOST_REPLY: 1.0}, only=Times(1)):
        store.put("a", DATA)

    assert [one.method for one in proxy.asked] == ["PUT", "PUT"]
    assert store.get("a") == DATA


def test_an_upload_that_lost_its_end_is_no_object(proxy: FaultyS3, store: ObjectStore) -> None:
    with (
        proxy.hurting({Fault.TRUNCATED_UPLOAD: 1.0}),
        pytest.raises(Unreachable, match="did not arrive whole"),
    ):
        store.put("a", DATA)

    assert store.size("a") is None


def test_nor_is_a_file(
    proxy: FaultyS3, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A part of 16 MiB takes its time through the proxy on a busy machine.
    monkeypatch.setattr(s3, "_READ_SECONDS", 20.0)
    store = open_store(f"s3://{s3_server.create_bucket()}/pool", endpoint_url=proxy.url)
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(DATA)
    large.write_bytes(bytes(17 * 1024 * 1024))

    for path in (small, large):
        with (
            proxy.hurting({Fault.TRUNCATED_UPLOAD: 1.0}, only=Times(1, "PUT")),
            pytest.raises(Unreachable, match="did not arrive whole"),
        ):
            store.put_file(path.name, path)
    store.put_file("large", large)

    assert store.size("small") is None
    assert store.size("large") == large.stat().st_size


def test_an_image_that_lost_its_end_on_its_way_is_not_called_damaged(
    proxy: FaultyS3, store: ObjectStore
) -> None:
    store.put("uploads/a.png", DATA)
    fetcher = Fetcher(store, Settings(s3_endpoint_url=proxy.url))

    with proxy.hurting({Fault.TRUNCATED_REPLY: 1.0}), pytest.raises(Unreachable):
        fetcher.fetch(store.uri("uploads/a.png"))
    with pytest.raises(ImageError):  # it is none, but that is another matter
        fetcher.fetch(store.uri("uploads/a.png"))


def test_masks_that_changed_on_their_way_are_told(proxy: FaultyS3, store: ObjectStore) -> None:
    batch_id, mask = new_id(), np.ones((4, 6), np.bool_)
    found = Found(0, 0.9, (0.0, 0.0, 6.0, 4.0), rle.encode(mask))
    results = [JobResult(seq, 6, 4, (Instance(found, 24, 0.0),), f"{seq:064x}") for seq in range(3)]
    content = masks.encode_chunk(
        batch_id, new_id(), "demo", [Prompt(text="a")], [(f"{one.seq}.png", one) for one in results]
    )
    store.put(keys.mask_object(batch_id, content.masks_key), content.data)

    with proxy.hurting({Fault.FLIPPED_BYTE: 1.0}):
        for _ in range(20):  # wherever the byte is
            with pytest.raises(CorruptObject):
                masks.read_chunk(store, batch_id, content.masks_key)
            with pytest.raises(CorruptObject):
                masks.read_job(store, batch_id, content.masks_key, *content.spans[1])
    assert len(list(masks.read_chunk(store, batch_id, content.masks_key).records())) == 3


def test_an_image_is_charged_only_while_the_store_answers(
    proxy: FaultyS3, store: ObjectStore
) -> None:
    key, spec = "uploads/a.png", BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}]})
    store.put(key, DATA)
    fetcher = Fetcher(store, Settings(s3_endpoint_url=proxy.url))
    annotator = Annotator(fetcher, engine=None, store=store)
    job, holding = Job(0, key, store.uri(key)), Holding(new_id(), time.monotonic() + 60)

    with proxy.hurting({Fault.SLOW_DOWN: 1.0}):
        away = annotator.annotate(job, spec, holding, Klass.BULK)
    with proxy.hurting({Fault.SLOW_DOWN: 1.0}, only=lambda _, path: path.endswith(key)):
        alone = annotator.annotate(job, spec, holding, Klass.BULK)

    assert isinstance(away, Outage)
    assert isinstance(alone, JobFailure)
    assert alone.transient
    assert "SlowDown" in away.error
    assert "SlowDown" in alone.error


def test_a_server_that_never_answers_is_given_up(proxy: FaultyS3, store: ObjectStore) -> None:
    store.put("a", DATA)
    before = len(proxy.asked)
    with proxy.hurting({Fault.SILENT: 1.0}):
        for method in (lambda: store.put("b", DATA), lambda: store.get("a")):
            with pytest.raises(Unreachable, match="ReadTimeoutError"):
                method()
    assert proxy.count(since=before) == 2 * s3._TRIES, "three tries each, and no more"


def test_one_call_ends_before_its_worker_is_taken_for_stalled() -> None:
    longest = s3._TRIES * max(s3._READ_SECONDS, s3._CONNECT_SECONDS) + sum(
        2**number for number in range(s3._TRIES - 1)
    )
    assert s3._BODY_SECONDS + s3._READ_SECONDS + longest < Settings().stall_seconds
