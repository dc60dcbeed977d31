"""The mask object: one for each chunk, a zstd frame for each job; written once, checked when read.

A frame holds one JSON line, so ``zstd -dc`` of an object is JSONL. Every frame carries its size and
a checksum; the object's key carries the SHA-256 of the whole. Rows know where each frame lies, so
one ranged read fetches one job and one read fetches a chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
import zstandard

from maskpool.domain import Instance, JobResult, PromptScores
from maskpool.errors import CorruptObject
from maskpool.ports import ObjectStore
from maskpool.spec_prompt import Prompt
from maskpool.tiling.record import Tiled
from storage.objects import instances, keys

_VERSION = 1

#: The keys of ``JobResult.scores`` and ``JobResult.tiled``, which came later.
_SCORES = "scores"
_TILES = "tiles"

_LEVEL = 3

#: A job's JSON is refused above this: 256 prompts × 200 instances × 2 kB fit four times over.
_MAX_JOB_BYTES = 400 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChunkObject:
    """A mask object that is ready to be stored.

    Attributes:
        data: The object's bytes.
        masks_key: What the jobs' rows keep of its key.
        spans: Offset and length in bytes of each job's frame, by ``seq``.
    """

    data: bytes
    masks_key: str
    spans: dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """What one job found, as stored.

    Attributes:
        seq: Which job of the batch.
        name: The image's path under its source.
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        image_sha256: Hex digest of the image's bytes as fetched.
        model: Alias of the models that ran.
        prompts: What was looked for; ``Found.prompt_index`` points into it.
        instances: Everything found with score ≥ ``SCORE_FLOOR``.
        scores: Of each prompt, to a thousandth; empty in objects that say none.
        tiled: How the image was looked at; None where its batch asked for no tiles.
    """

    seq: int
    name: str
    width: int
    height: int
    image_sha256: str
    model: str
    prompts: tuple[Prompt, ...]
    instances: tuple[Instance, ...]
    scores: tuple[PromptScores, ...] = ()
    tiled: Tiled | None = None

    @property
    def picture(self) -> tuple[int, int, str]:
        """Width, height and digest: what tells the image from another one of its name."""
        return self.width, self.height, self.image_sha256


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One job's masks and where they lie in their object: what the job's row must say."""

    record: MaskRecord
    offset: int
    length: int


class StoredChunk:
    """A mask object that was read whole and checked; jobs are unpacked when asked for.

    Packed, a chunk's masks take little memory. For one thread at a time.
    """

    def __init__(self, data: bytes, batch_id: UUID, place: str) -> None:
        self._data = data
        self._batch_id = batch_id
        self._place = place
        self._unpack = zstandard.ZstdDecompressor()

    def job(self, offset: int, length: int) -> MaskRecord:
        """One job's masks; where they lie is in the job's row.

        Raises:
            CorruptObject: No job lies there.
        """
        frame = self._data[offset : offset + length]
        return _read_frame(frame, self._batch_id, self._place, self._unpack)

    def records(self) -> Iterator[StoredRecord]:
        """All jobs in the object, also those that no row names.

        Raises:
            CorruptObject: It is not made of jobs' frames.
        """
        offset = 0
        for frame in _split(self._data, self._place):
            yield StoredRecord(self.job(offset, len(frame)), offset, len(frame))
            offset += len(frame)


def encode_chunk(
    batch_id: UUID,
    chunk_id: UUID,
    model: str,
    prompts: Sequence[Prompt],
    jobs: Sequence[tuple[str, JobResult]],
) -> ChunkObject:
    """Make the mask object of a chunk; the same input gives the same bytes, and so the same key.

    Args:
        batch_id: The batch of the masks.
        chunk_id: The chunk in hand; its id keeps two workers' objects apart.
        model: Alias of the models that ran.
        prompts: The batch's prompts, in the order of its spec.
        jobs: Name and result of each job that ended DONE, at least one.

    Raises:
        ValueError: There is no job, or a mask is not of its image's size.
    """
    if not jobs:
        msg = "a mask object needs at least one job that ended DONE"
        raise ValueError(msg)
    head = {
        "version": _VERSION,
        "batch": str(batch_id),
        "model": model,
        "prompts": [prompt.dump() for prompt in prompts],
    }
    compressor = zstandard.ZstdCompressor(
        level=_LEVEL, write_checksum=True, write_content_size=True
    )
    frames = bytearray()
    spans = {}
    for name, result in jobs:
        line = orjson.dumps(
            head | _job_json(name, result),
            option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY,
        )
        frame = compressor.compress(line)
        spans[result.seq] = (len(frames), len(frame))
        frames += frame
    data = bytes(frames)
    return ChunkObject(
        data, keys.chunk_masks_key(chunk_id, hashlib.sha256(data).hexdigest()), spans
    )


def read_job(
    store: ObjectStore, batch_id: UUID, masks_key: str, offset: int, length: int
) -> MaskRecord:
    """Read one job's masks with one ranged request; where they lie is in the job's row.

    Raises:
        NotFound: The object is gone.
        CorruptObject: The bytes are not the frame that was written.
    """
    key = keys.mask_object(batch_id, masks_key)
    frame = store.get(key, offset, length)
    if len(frame) != length:
        raise CorruptObject(
            f"{store.uri(key)} ends early: {len(frame)} of {length} bytes from {offset} on"
        )
    place = f"{store.uri(key)} from byte {offset} on"
    return _read_frame(frame, batch_id, place, zstandard.ZstdDecompressor())


def read_chunk(store: ObjectStore, batch_id: UUID, masks_key: str) -> StoredChunk:
    """Read a whole chunk's object with one request and check it against the key's SHA-256.

    Raises:
        NotFound: The object is gone.
        CorruptObject: The bytes are not those that were written.
    """
    key = keys.mask_object(batch_id, masks_key)
    data = store.get(key)
    if not hashlib.sha256(data).hexdigest().startswith(keys.digest_of(masks_key)):
        raise CorruptObject(
            f"{store.uri(key)} is damaged: its bytes do not match the SHA-256 in its key"
        )
    return StoredChunk(data, batch_id, store.uri(key))


def _job_json(name: str, result: JobResult) -> dict[str, Any]:
    size = (result.height, result.width)
    for instance in result.instances:
        if instance.found.mask.size != size:
            msg = f"job {result.seq}: mask of {instance.found.mask.size} in an image of {size}"
            raise ValueError(msg)
    content = {
        "seq": result.seq,
        "name": name,
        "width": result.width,
        "height": result.height,
        "image_sha256": result.image_sha256,
        "instances": [instances.to_json(instance) for instance in result.instances],
    }
    # Readers of before pass over them.
    if result.scores:
        content[_SCORES] = _thousandths(result.scores)
    if result.tiled is not None:
        content[_TILES] = result.tiled.to_json()
    return content


def _thousandths(scores: Sequence[PromptScores]) -> list[int]:
    """Presence and best of each prompt, one after the other."""
    return [round(1000 * one) for pair in scores for one in pair]


def _scores(thousandths: Sequence[int], prompts: int) -> tuple[PromptScores, ...]:
    if not thousandths:
        return ()
    if len(thousandths) != 2 * prompts:
        msg = f"{len(thousandths)} {_SCORES} of {prompts} prompts"
        raise ValueError(msg)
    values = [int(one) / 1000 for one in thousandths]
    return tuple(map(PromptScores, values[::2], values[1::2]))


def _split(data: bytes, place: str) -> list[bytes]:
    """Cut an object whose hash was checked into its frames."""
    frames = []
    while data:
        reader = zstandard.ZstdDecompressor().decompressobj()
        try:
            reader.decompress(data)
        except zstandard.ZstdError as error:
            raise CorruptObject(f"{place} is damaged: {error}") from None
        rest = reader.unused_data
        frames.append(data[: len(data) - len(rest)])
        data = rest
    return frames


def _read_frame(
    frame: bytes, batch_id: UUID, place: str, unpack: zstandard.ZstdDecompressor
) -> MaskRecord:
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > _MAX_JOB_BYTES:  # an unknown size reads as the largest there is
            raise CorruptObject(f"{place} is damaged: a job of {size} bytes is too large")
        line = unpack.decompress(frame, allow_extra_data=False)
        content = orjson.loads(line)
        if content["version"] != _VERSION:
            raise CorruptObject(f"{place} has version {content['version']!r}, known is {_VERSION}")
        if content["batch"] != str(batch_id):
            raise CorruptObject(f"{place} belongs to batch {content['batch']!r}")
        return _record(content)
    except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"{place} is damaged: {type(error).__name__}: {error}") from None


def _record(content: dict[str, Any]) -> MaskRecord:
    size = (int(content["height"]), int(content["width"]))
    prompts = _prompts(orjson.dumps(content["prompts"]))
    return MaskRecord(
        seq=int(content["seq"]),
        name=str(content["name"]),
        width=size[1],
        height=size[0],
        image_sha256=str(content["image_sha256"]),
        model=str(content["model"]),
        prompts=prompts,
        instances=tuple(instances.from_json(item, size) for item in content["instances"]),
        scores=_scores(content.get(_SCORES, ()), len(prompts)),
        tiled=Tiled.from_json(content[_TILES]) if _TILES in content else None,
    )


@lru_cache(64)
def _prompts(text: bytes) -> tuple[Prompt, ...]:
    """Every job of a batch repeats its prompts, and checking them costs more than all its masks."""
    return tuple(Prompt.model_validate(prompt) for prompt in orjson.loads(text))
