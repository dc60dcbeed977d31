"""HEIC files: four encoded pictures of our own, and what can be made of them box by box."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FOLDER = Path(__file__).parent / "heic"

#: Rows and columns of blocks of 8×8 pixels.
_BLOCKS = (4, 6)


def heic(name: str) -> bytes:
    """``plain``, ``alpha``, ``grey``, ``deep`` (10 bits) or ``exif`` (orientation 6 in it)."""
    return (_FOLDER / f"{name}.heic").read_bytes()


def colours() -> npt.NDArray[np.uint8]:
    """RGB (32, 48, 3) of all of them; ``grey`` has the red of it."""
    drawn = np.random.default_rng(11).integers(0, 256, (*_BLOCKS, 3))
    return np.kron(drawn, np.ones((8, 8, 1))).astype(np.uint8)


def alpha() -> npt.NDArray[np.uint8]:
    """Alpha (32, 48, 1) of ``alpha``: 0 or 255; drawn after the colours."""
    random = np.random.default_rng(11)
    random.integers(0, 256, (*_BLOCKS, 3))
    drawn = random.integers(0, 2, (*_BLOCKS, 1)) * 255
    return np.kron(drawn, np.ones((8, 8, 1))).astype(np.uint8)


def turned(data: bytes, quarters: int) -> bytes:
    """The picture with a box ``irot`` (ISO 23008-12, 6.5.10): so many quarters anticlockwise."""
    place = data.index(b"ipma") - 4
    (size,) = struct.unpack_from(">I", data, place)
    box = bytearray(data[place : place + size])
    entry = 16
    while struct.unpack_from(">H", box, entry)[0] != _primary(data):
        entry += 3 + box[entry + 2]
    box[entry + 2] += 1
    box[entry + 2 + box[entry + 2] : entry + 2 + box[entry + 2]] = [0x80 | (_properties(data) + 1)]
    struct.pack_into(">I", box, 0, len(box))
    turn = struct.pack(">I4sB", 9, b"irot", quarters)
    listed = data[:place] + turn + bytes(box) + data[place + size :]
    return _grown(listed, {b"ipco": 9, b"iprp": 10, b"meta": 10}, shift=10)


def sized(data: bytes, width: int, height: int) -> bytes:
    """The picture with other numbers in its header (box ``ispe``)."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


def described(kind: bytes, texts: bytes, size: int | None = None, version: int = 2) -> bytes:
    """``exif`` whose last item (box ``infe``, ISO 14496-12, 8.11.6) has this type and these texts.

    Args:
        kind: Four bytes.
        texts: Name and, for ``mime``, content type, each with a zero behind it.
        size: What the box says of its size; None for the truth.
        version: What the box says of its version.
    """
    data = heic("exif")
    place = data.rindex(b"infe", 0, data.index(b"iprp")) - 4
    (old,) = struct.unpack_from(">I", data, place)
    box = data[place + 4 : place + 8] + bytes([version]) + data[place + 9 : place + 16]
    box += kind + texts
    box = struct.pack(">I", len(box) + 4 if size is None else size) + box
    more = len(box) - old
    return _grown(
        data[:place] + box + data[place + old :], {b"iinf": more, b"meta": more}, shift=more
    )


def branded(data: bytes, major: bytes) -> bytes:
    """The picture under another major brand."""
    return data[:8] + major + data[12:]


def _primary(data: bytes) -> int:
    return int(struct.unpack_from(">H", data, data.index(b"pitm") + 8)[0])


def _properties(data: bytes) -> int:
    place = data.index(b"ipco") - 4
    end = place + struct.unpack_from(">I", data, place)[0]
    place, count = place + 8, 0
    while place < end:
        place += struct.unpack_from(">I", data, place)[0]
        count += 1
    return count


def _grown(data: bytes, boxes: dict[bytes, int], shift: int) -> bytes:
    """Sizes of the boxes around what was put in, and the place of the pixels behind it."""
    changed = bytearray(data)
    for name, more in boxes.items():
        place = data.index(name) - 4
        (size,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", changed, place, size + more)
    place = data.index(b"iloc") + 4
    assert (data[place], data[place + 4], data[place + 5]) == (1, 0x44, 0x40), "fields of 4 bytes"
    (count,) = struct.unpack_from(">H", data, place + 6)
    place += 8
    for _ in range(count):
        method, _, base, extents = struct.unpack_from(">HHIH", data, place + 2)
        if method == 0:  # in the file, and not in the box "idat"
            struct.pack_into(">I", changed, place + 6, base + shift)
        place += 12 + 8 * extents
    return bytes(changed)
