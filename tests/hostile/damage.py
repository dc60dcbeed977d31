"""What happens to files: cut off, bits flipped, parts zeroed, doubled, lost, swapped, filled in."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

#: Truncations at every such part of the file.
PARTS = 16

#: Bytes in which a header lies.
_HEAD = 64


def damaged(data: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """What was done, and what is left."""
    for part in range(1, PARTS):
        yield f"cut-{part:02d}of{PARTS}", data[: len(data) * part // PARTS]
    for flips in (1, 8, 64):
        for turn in (1, 2, 3):
            yield f"flipped-{flips}-{turn}", _flipped(data, rng, flips, len(data))
    for flips in (1, 8):
        for turn in (1, 2, 3):
            yield f"head-flipped-{flips}-{turn}", _flipped(data, rng, flips, _HEAD)
    for turn in (1, 2):
        start, end = _span(data, rng)
        yield f"zeroed-{turn}", data[:start] + bytes(end - start) + data[end:]
        yield f"filled-{turn}", data[:start] + b"\xff" * (end - start) + data[end:]
        yield f"doubled-{turn}", data[:end] + data[start:]
        yield f"lost-{turn}", data[:start] + data[end:]
        yield f"inserted-{turn}", data[:start] + rng.randbytes(end - start) + data[start:]
    middle = len(data) // 2
    yield "swapped-halves", data[middle:] + data[:middle]
    yield "swapped-tail", data[:_HEAD] + data[middle:] + data[_HEAD:middle]
    yield "only-the-head", data[:_HEAD]


def shuffled_chunks(png: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """A PNG's chunks in other orders, missing and doubled, each of them whole."""
    chunks = list(_chunks(png))
    for turn in (1, 2, 3):
        mixed = rng.sample(chunks, len(chunks))
        yield f"mixed-{turn}", png[:8] + b"".join(mixed)
    for number, chunk in enumerate(chunks):
        kind = chunk[4:8].decode()
        yield f"without-{number}-{kind}", png[:8] + b"".join(chunks[:number] + chunks[number + 1 :])
        yield (
            f"twice-{number}-{kind}",
            png[:8] + b"".join([*chunks[:number], chunk, *chunks[number:]]),
        )


def _chunks(png: bytes) -> Iterator[bytes]:
    start = 8
    while start < len(png):
        (length,) = struct.unpack_from(">I", png, start)
        yield png[start : start + 12 + length]
        start += 12 + length


def _flipped(data: bytes, rng: random.Random, flips: int, within: int) -> bytes:
    changed = bytearray(data)
    for _ in range(flips):
        changed[rng.randrange(min(within, len(data)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + 1 + rng.randrange(max(1, len(data) // 8)))
