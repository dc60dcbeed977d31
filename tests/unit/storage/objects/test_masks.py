from __future__ import annotations

import base64
import dataclasses
import itertools
import random
from pathlib import Path
from uuid import UUID

import numpy as np
import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskpool import rle
from maskpool.domain import Found, Instance, JobResult, PromptScores
from maskpool.errors import CorruptObject, NotFound
from maskpool.ports import ObjectStore
from maskpool.spec_prompt import Prompt
from maskpool.tiling.record import Tiled, Why
from storage.objects import keys, masks, open_store

BATCH = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
CHUNK = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
PROMPTS = (
    Prompt(text="yellow school bus"),
    Prompt.model_validate({"name": "Kegel", "text": "cone", "not": ["barrel"]}),
)
SHA = "ab" * 32

#: ``encode(one_job())``, written before masks knew negatives, contenders and objects.
OLD_KEY = "01890a5d-ac96-774b-bcce-b302099a8058-3af8d04cb492b112"
OLD_OBJECT = (
    "KLUv/WTQAM0IANbSOyeANep9RmIkdqMiIUK7Gbt2T7CNJLt8QtxMhZG+PT2I3SDOMoM+pwcwADAAMADXR6qh72FDkbq+"
    "YRqCHactreCQfs8hztA0yMF5jEAMNwehtO+lN9ldlX0VJ3k1448FLa9P9hz2dbE77KgHuopPsyexn7Eprq6XC0eAMUpP"
    "EhoRwnZ8P7GefyT2clpUvKxXpknavq/4ZL+Kp6ym6x1/f2AWlqSiI6am62E/pWhq6YrYSxOaGtdHFkFicBDAzT4A2ZOd"
    "aYWCwKtFVFgTfFdmSdreYng1I14ZZc998fVpiUFb0mhLFG3Jktg7MAemwKILDgD46LYVQxMAWbAMi6490AgDdPCxnISb"
    "qljqrEyrr25ChIJvB+cZP+TcRg=="
)

unit = st.floats(0, 1)
thousandths = st.integers(0, 1000).map(lambda value: value / 1000)


@st.composite
def results(draw: st.DrawFn, seq: int) -> JobResult:
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    instances = []
    for _ in range(draw(st.integers(0, 4))):
        bits = draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
        mask = np.array(bits, dtype=np.bool_).reshape(height, width)
        box = tuple(draw(st.lists(st.floats(0, 1e4), min_size=4, max_size=4)))
        found = Found(
            draw(st.integers(0, 1)),
            draw(unit),
            box,
            rle.encode(mask),
            object_index=draw(st.none() | st.integers(0, 999)),
            predicted_iou=draw(st.none() | unit),
        )
        instances.append(
            Instance(
                found=found,
                area=int(mask.sum()),
                overlap=draw(unit),
                clip_score=draw(st.none() | unit),
                against=draw(st.none() | unit),
                against_text=draw(st.none() | st.just("barrel")),
                contended=draw(st.none() | unit),
                contender=draw(st.none() | st.integers(0, 9)),
            )
        )
    pairs = st.tuples(thousandths, thousandths).map(lambda pair: PromptScores(*pair))
    scores = draw(st.just(()) | st.tuples(pairs, pairs))
    return JobResult(seq, width, height, tuple(instances), SHA, scores)


@st.composite
def chunks(draw: st.DrawFn) -> list[tuple[str, JobResult]]:
    seqs = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=5, unique=True))
    names = st.text(st.characters(codec="utf-8"), max_size=20)
    return [(draw(names), draw(results(seq))) for seq in seqs]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(tmp_path.as_uri())


def encode(jobs: list[tuple[str, JobResult]]) -> masks.ChunkObject:
    return masks.encode_chunk(BATCH, CHUNK, "demo", PROMPTS, jobs)


def one_job() -> list[tuple[str, JobResult]]:
    mask = np.zeros((6, 8), dtype=np.bool_)
    mask[1:4, 2:7] = True
    found = Found(1, 0.75, (2.0, 1.0, 7.0, 4.0), rle.encode(mask))
    result = JobResult(7, 8, 6, (Instance(found, 15, 0.25, 0.5),), SHA)
    return [("a/ü.jpg", result)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs=chunks())
def test_what_was_encoded_is_read(store: ObjectStore, jobs: list[tuple[str, JobResult]]) -> None:
    made = encode(jobs)
    store.put(keys.mask_object(BATCH, made.masks_key), made.data)

    chunk = masks.read_chunk(store, BATCH, made.masks_key)
    records = [stored.record for stored in chunk.records()]

    assert [(record.name, _result(record)) for record in records] == jobs
    assert all(record.model == "demo" and record.prompts == PROMPTS for record in records)
    for record in records:
        span = made.spans[record.seq]
        assert masks.read_job(store, BATCH, made.masks_key, *span) == record == chunk.job(*span)
    assert encode(jobs) == made
    assert sum(length for _, length in made.spans.values()) == len(made.data)


def _result(record: masks.MaskRecord) -> JobResult:
    size = record.width, record.height
    return JobResult(record.seq, *size, record.instances, record.image_sha256, record.scores)


def test_an_object_is_jsonl_that_any_tool_reads() -> None:
    made = encode([*one_job(), ("b", JobResult(8, 8, 6, (), SHA))])

    with zstandard.ZstdDecompressor().stream_reader(made.data, read_across_frames=True) as reader:
        lines = reader.read().splitlines()

    first, second = (orjson.loads(line) for line in lines)
    assert first == {
        "version": 1,
        "batch": str(BATCH),
        "model": "demo",
        "prompts": [
            {"name": "yellow school bus", "text": "yellow school bus", "not": []},
            {"name": "Kegel", "text": "cone", "not": ["barrel"]},
        ],
        "seq": 7,
        "name": "a/ü.jpg",
        "width": 8,
        "height": 6,
        "image_sha256": SHA,
        "instances": [
            {
                "prompt": 1,
                "score": 0.75,
                "box_xyxy": [2.0, 1.0, 7.0, 4.0],
                "area": 15,
                "overlap": 0.25,
                "clip_score": 0.5,
                "counts": one_job()[0][1].instances[0].found.mask.counts,
            }
        ],
    }
    assert second["instances"] == []


def test_what_says_nothing_new_keeps_its_bytes_and_what_was_stored_before_is_read(
    store: ObjectStore,
) -> None:
    """An object of before the later keys, as it was written then."""
    old = base64.b64decode(OLD_OBJECT)
    made = encode(one_job())
    store.put(keys.mask_object(BATCH, OLD_KEY), old)

    [record] = [stored.record for stored in masks.read_chunk(store, BATCH, OLD_KEY).records()]

    assert [(record.name, _result(record))] == one_job()
    assert zstandard.decompress(made.data) == zstandard.decompress(old)


def test_an_empty_mask_of_an_object_is_stored(store: ObjectStore) -> None:
    empty = Found(2, 0.5, (0.0, 0.0, 0.0, 0.0), rle.encode(np.zeros((6, 8), np.bool_)), 0, 0.25)
    jobs = [("a", JobResult(7, 8, 6, (Instance(empty, 0, 0.0),), SHA))]
    made = encode(jobs)
    store.put(keys.mask_object(BATCH, made.masks_key), made.data)

    assert _result(masks.read_job(store, BATCH, made.masks_key, *made.spans[7])) == jobs[0][1]


def test_every_flipped_byte_of_an_object_is_detected(store: ObjectStore, tmp_path: Path) -> None:
    made = encode(one_job())
    span = made.spans[7]
    whole = masks.read_job(store_with(store, made, made.data), BATCH, made.masks_key, *span)
    path = tmp_path / keys.mask_object(BATCH, made.masks_key)
    unnoticed = 0
    # One bit of each byte, and all bits of the first frame's header.
    flips = [(place, place % 8) for place in range(len(made.data))]
    for place, bit in [*flips, *itertools.product(range(16), range(8))]:
        data = bytearray(made.data)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        with pytest.raises(CorruptObject, match="SHA-256"):
            masks.read_chunk(store, BATCH, made.masks_key)
        try:
            record = masks.read_job(store, BATCH, made.masks_key, *span)
        except CorruptObject:
            continue
        # Some bits mean nothing to zstd; then what is read must be what was written.
        assert record == whole
        unnoticed += 1
    assert unnoticed <= 4


def store_with(store: ObjectStore, made: masks.ChunkObject, data: bytes) -> ObjectStore:
    store.put(keys.mask_object(BATCH, made.masks_key), data)
    return store


def test_an_object_that_is_cut_is_detected(store: ObjectStore) -> None:
    jobs = [*one_job(), ("b", JobResult(8, 8, 6, (), SHA))]
    made = encode(jobs)
    for end in random.Random(3).sample(range(len(made.data)), 40):
        store_with(store, made, made.data[:end])
        with pytest.raises(CorruptObject, match="SHA-256"):
            masks.read_chunk(store, BATCH, made.masks_key)
        with pytest.raises(CorruptObject, match="ends early"):
            masks.read_job(store, BATCH, made.masks_key, *made.spans[8])


@pytest.mark.parametrize("shift", [(0, -1), (0, 1), (1, 0), (-1, 0), (1, -1)])
def test_a_span_that_is_not_the_frames_is_detected(
    store: ObjectStore, shift: tuple[int, int]
) -> None:
    made = encode(
        [*one_job(), ("b", JobResult(8, 8, 6, (), SHA)), ("c", JobResult(9, 8, 6, (), SHA))]
    )
    store_with(store, made, made.data)
    offset, length = made.spans[8]
    with pytest.raises(CorruptObject):
        masks.read_job(store, BATCH, made.masks_key, offset + shift[0], length + shift[1])
    with pytest.raises(CorruptObject, match="is damaged"):
        masks.read_chunk(store, BATCH, made.masks_key).job(offset + shift[0], length + shift[1])


def frame(line: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(line)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "damaged"),
        (b"[]", "TypeError"),
        (b"{}", "'version'"),
        (b'{"version": 2}', "version 2, known is 1"),
        (b'{"version": 1, "batch": "other"}', "belongs to batch 'other'"),
        (f'{{"version": 1, "batch": "{BATCH}"}}'.encode(), "'height'"),
        (b"not json", "JSONDecodeError"),
    ],
)
def test_a_frame_with_other_content_is_refused(
    store: ObjectStore, line: bytes, sentence: str
) -> None:
    data = frame(line)
    masks_key = keys.chunk_masks_key(CHUNK, "00" * 32)
    store.put(keys.mask_object(BATCH, masks_key), data)
    with pytest.raises(CorruptObject, match=sentence):
        masks.read_job(store, BATCH, masks_key, 0, len(data))


def test_a_small_frame_that_unpacks_to_too_much_is_refused(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "_MAX_JOB_BYTES", 1_000_000)
    masks_key = keys.chunk_masks_key(CHUNK, "00" * 32)
    for data in (frame(bytes(1_000_001)), frame(bytes(1_000_001), write_content_size=False)):
        store.put(keys.mask_object(BATCH, masks_key), data)
        with pytest.raises(CorruptObject, match="too large"):
            masks.read_job(store, BATCH, masks_key, 0, len(data))


def test_an_object_that_is_gone_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        masks.read_job(store, BATCH, "never", 0, 10)
    with pytest.raises(NotFound):
        masks.read_chunk(store, BATCH, "never")


def test_a_chunk_without_a_job_or_with_a_wrong_mask_is_a_bug() -> None:
    with pytest.raises(ValueError, match="at least one"):
        encode([])
    name, result = one_job()[0]
    with pytest.raises(ValueError, match="job 7"):
        encode([(name, dataclasses.replace(result, width=9))])


def test_scores_are_a_key_that_readers_of_before_pass_over() -> None:
    [(name, without)] = one_job()
    scores = (PromptScores(0.0204, 0.0117), PromptScores(0.9996, 0.75))
    told = [line_of([(name, dataclasses.replace(without, scores=one))]) for one in (scores, ())]
    assert told[0].pop("scores") == [20, 12, 1000, 750]
    assert told[0] == told[1]


def test_scores_of_another_number_of_prompts_are_refused(store: ObjectStore) -> None:
    [(name, result)] = one_job()
    made = encode([(name, dataclasses.replace(result, scores=(PromptScores(0.1, 0.2),)))])
    store.put(keys.mask_object(BATCH, made.masks_key), made.data)
    with pytest.raises(CorruptObject, match="2 scores of 2 prompts"):
        masks.read_chunk(store, BATCH, made.masks_key).job(*made.spans[7])


def test_a_million_images_say_their_scores_in_a_tenth_of_a_gigabyte() -> None:
    chance = random.Random(5)
    prompts = [Prompt(text=f"thing {number}") for number in range(10)]
    [(name, result)] = one_job()

    def size(seq: int, *, says: bool) -> int:
        pairs = [PromptScores(chance.random(), chance.random()) for _ in prompts]
        scores = tuple(pairs) if says else ()
        job = (name, dataclasses.replace(result, seq=seq, scores=scores))
        return len(masks.encode_chunk(BATCH, CHUNK, "demo", prompts, [job]).data)

    more = sum(size(seq, says=True) - size(seq, says=False) for seq in range(100))
    assert more / 100 <= 100


def line_of(jobs: list[tuple[str, JobResult]]) -> dict[str, object]:
    line = zstandard.ZstdDecompressor().decompress(encode(jobs).data)
    found: dict[str, object] = orjson.loads(line)
    return found


def test_how_an_image_was_looked_at_is_a_key_that_readers_of_before_pass_over(
    store: ObjectStore,
) -> None:
    [(name, without)] = one_job()
    tiled = Tiled(Why.LARGE, 320, 0.25, 40, left_out=3)
    told = line_of([(name, dataclasses.replace(without, tiled=tiled))])
    assert told.pop("tiles") == tiled.to_json()
    made = encode([(name, dataclasses.replace(without, tiled=tiled))])
    store.put(keys.mask_object(BATCH, made.masks_key), made.data)
    read = masks.read_job(store, BATCH, made.masks_key, *made.spans[without.seq])
    assert read.tiled == tiled
    assert told == line_of(one_job())
