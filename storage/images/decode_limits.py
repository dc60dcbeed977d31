"""Refusing images of modest size whose decoding would need far more memory, by their headers.

Tiles, and what a decoder keeps for each part of an image, are memory that a limit on pixels misses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from PIL import Image as Pillow

from maskpool.errors import ImageError

_TILE_WIDTH_TAG, _TILE_HEIGHT_TAG = 322, 323

#: TIFF tags that decide how much memory libtiff takes: sides of image, strips and tiles, samples.
_SIZE_TAGS = frozenset({256, 257, 258, 277, 278, 284, _TILE_WIDTH_TAG, _TILE_HEIGHT_TAG})

_BIG_TIFF = 43

#: OpenJPEG keeps about 11 KB a tile, so 11 bytes a pixel in tiles of this size.
_MIN_TILE_PIXELS = 1024
_FEW_TILES = 64

#: OpenJPEG keeps about 800 bytes a precinct and component. Usual ones have sides of 256 pixels, or
#: of half as many with each resolution.
_MAX_PRECINCTS_A_PIXEL = 2 / 1024

#: More markers than any encoder writes, and few enough to scan quickly.
_MAX_MARKERS = 200_000

_SOC, _SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0x4F, 0x51, 0x52, 0x53, 0x90, 0x93, 0xD9

#: Markers that are followed by a length. Any other marker is refused: no encoder writes it, and we
#: and OpenJPEG might continue at different places after it.
_SEGMENTS = frozenset(
    {
        *(0x50, _SIZ, _COD, _COC, 0x55, 0x57, 0x58, 0x5C, 0x5D, 0x5E, 0x5F),
        *(0x60, 0x61, 0x63, 0x64, 0x74, 0x75, 0x76, 0x77, 0x78),
    }
)


def refuse_over_limits(image: Pillow.Image, data: bytes, max_pixels: int) -> None:
    """Refuse an image whose header asks for too much memory.

    Args:
        image: Opened, not loaded.
        data: The file's bytes.
        max_pixels: Most pixels of an image, and so of one of its tiles.

    Raises:
        ImageError: Decoding it would need more memory than its pixels do.
    """
    if image.format == "TIFF":
        _check_tiff(image, data, max_pixels)
    elif image.format == "JPEG2000":
        _check_jpeg2000(data, max_pixels)


def _check_tiff(image: Pillow.Image, data: bytes, max_pixels: int) -> None:
    """Refuse large tiles, and directories that Pillow and libtiff may read differently.

    They may choose differently between two entries for one tag, and Pillow ignores types of
    values that libtiff accepts.
    """
    read = getattr(image, "tag_v2", {})
    tags = _tiff_tags(data)
    named = set(tags)
    if len(named) < len(tags):
        raise ImageError("the image's header names a TIFF tag twice; save it again")
    if not_read := (named & _SIZE_TAGS).difference(read):
        raise ImageError(
            f"the image's header is damaged: TIFF tag {min(not_read)} is no size; save it again"
        )
    if named.isdisjoint({_TILE_WIDTH_TAG, _TILE_HEIGHT_TAG}):
        return  # in strips, of which none is larger than the image
    width, height = read.get(_TILE_WIDTH_TAG), read.get(_TILE_HEIGHT_TAG)
    if not isinstance(width, int) or not isinstance(height, int):
        raise ImageError("the image's header is damaged: its tiles have no size; save it again")
    if width * height > max_pixels:
        raise ImageError(
            f"its tiles have {width:,}×{height:,} pixels, more than the {max_pixels:,} "
            "allowed (MASKPOOL_MAX_IMAGE_PIXELS)"
        )


def _tiff_tags(data: bytes) -> list[int]:
    """The tag numbers in the directory of the first image, in the file's order."""
    order = "<" if data.startswith(b"II") else ">"
    (kind,) = struct.unpack_from(f"{order}H", data, 2)
    if kind == _BIG_TIFF and order == ">":  # Pillow looks for its directory in another place
        raise ImageError("large TIFF files with the highest byte first are not read; save it again")
    header, counted, entry = (8, "Q", "HHQ8x") if kind == _BIG_TIFF else (4, "H", "HHL4x")
    (start,) = struct.unpack_from(f"{order}{'Q' if kind == _BIG_TIFF else 'L'}", data, header)
    (count,) = struct.unpack_from(f"{order}{counted}", data, start)
    start += struct.calcsize(f"={counted}")
    size = struct.calcsize(f"={entry}")
    whole = min(count, (len(data) - start) // size)
    entries = struct.iter_unpack(f"{order}{entry}", memoryview(data)[start : start + whole * size])
    return [number for number, *_ in entries]


def _check_jpeg2000(data: bytes, max_pixels: int) -> None:
    try:
        for marker, start, length in _markers(data, _codestream(data)):
            if marker == _SIZ:
                _check_tiles(struct.unpack_from(">8I", data, start + 4), max_pixels)
            elif marker == _COD:
                _check_precincts(data[start + 2], data[start + 12 : start + length])
            elif marker == _COC:
                # The component's number has two bytes only where there are more than 256.
                _check_precincts(data[start + 3], data[start + 9 : start + length])
    except (struct.error, IndexError):
        raise ImageError("the file is cut off: its end is missing; copy it again") from None


def _codestream(data: bytes) -> int:
    """The offset of the code stream: 0, or inside the box that holds it."""
    place = 0
    while data[place + 4 : place + 8] != b"jp2c":
        if data[place : place + 2] == bytes([0xFF, _SOC]):
            return place
        (length,) = struct.unpack_from(">I", data, place)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
        if length < 8:
            raise ImageError("the image's header is damaged: a box of JPEG 2000 has no length")
        place += length
    return place + (16 if data[place : place + 4] == b"\0\0\0\1" else 8)


def _markers(data: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Marker, start and length of each segment, in the main header and in those of all tiles."""
    tile_end = 0
    place += 2
    for _ in range(_MAX_MARKERS):
        if place >= len(data):
            return
        marker = data[place + 1] if data[place] == 0xFF else 0
        if marker == _EOC:
            return
        if marker == _SOD:
            place = tile_end
            continue
        if marker != _SOT and marker not in _SEGMENTS:
            raise ImageError("the image is damaged: JPEG 2000 markers are not where they must be")
        (length,) = struct.unpack_from(">H", data, place + 2)
        if marker == _SOT:
            (size,) = struct.unpack_from(">I", data, place + 6)
            tile_end = place + size if size >= 12 else len(data)
        yield marker, place + 2, length
        place += 2 + length
    raise ImageError("the file is in more pieces than an image has; save it again")


def _check_tiles(places: Sequence[int], max_pixels: int) -> None:
    """Check the SIZ marker; Pillow has read the size from a box, which may state another one."""
    right, bottom, left, top, width, height, x, y = places
    if not width or not height:
        raise ImageError("the image's header is damaged: its tiles have no size")
    pixels = (right - left) * (bottom - top)
    if pixels > max_pixels:
        raise ImageError("the image's header is damaged: its parts contradict each other")
    tiles = -(-(right - x) // width) * -(-(bottom - y) // height)
    if tiles > max(_FEW_TILES, pixels // _MIN_TILE_PIXELS):
        raise ImageError(
            f"the image is cut into {tiles:,} tiles of {width}×{height} pixels; save it with "
            "larger ones"
        )


def _check_precincts(style: int, sizes: bytes) -> None:
    """Exponents of width and height, a byte for each resolution, each twice as wide as the last."""
    if not style & 1:
        return  # one for each resolution
    precincts = sum(
        4.0 ** (place - len(sizes) + 1) / (1 << (size & 15) + (size >> 4))
        for place, size in enumerate(sizes)
    )
    if precincts > _MAX_PRECINCTS_A_PIXEL:
        raise ImageError("the image is cut into very many precincts; save it with larger ones")
