"""Whole image files of every kind and shape that people have: what the broken ones are made of."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageCms

#: Large enough for blocks, tiles and passes to differ, small enough for thousands of files.
WIDTH, HEIGHT = 48, 40

Pixels = npt.NDArray[np.uint8]

#: Name, suffix, bytes, and whether it must be read or must be refused; None: either is right.
Bomb = tuple[str, str, bytes, bool | None]

#: What ``save`` calls each kind, and how it is told to.
_SAVED: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("jpeg-rgb", "jpg", "RGB", {"quality": 90}),
    ("jpeg-fine", "jpg", "RGB", {"quality": 95, "subsampling": 0}),
    ("jpeg-grey", "jpeg", "L", {}),
    ("jpeg-cmyk", "jpg", "CMYK", {}),
    ("jpeg-progressive", "jpg", "RGB", {"progressive": True}),
    ("jpeg-restarts", "jpg", "RGB", {"restart_marker_rows": 1}),
    ("jpeg-turned", "jpg", "RGB", {"exif": "turned"}),
    ("jpeg-profile", "jpg", "RGB", {"icc_profile": "srgb"}),
    ("png-rgb", "png", "RGB", {}),
    ("png-grey", "png", "L", {}),
    ("png-bits", "png", "1", {}),
    ("png-deep", "png", "I;16", {}),
    ("png-palette", "png", "P", {}),
    ("png-palette-alpha", "png", "P", {"transparency": b"\x00\x80\xff"}),
    ("png-alpha", "png", "RGBA", {}),
    ("png-grey-alpha", "png", "LA", {}),
    ("png-turned", "png", "RGB", {"exif": "turned"}),
    ("png-profile", "png", "RGB", {"icc_profile": "srgb"}),
    ("png-animated", "png", "RGB", {"save_all": True}),
    ("webp-lossy", "webp", "RGB", {}),
    ("webp-lossless", "webp", "RGB", {"lossless": True}),
    ("webp-alpha", "webp", "RGBA", {}),
    ("webp-animated", "webp", "RGB", {"save_all": True}),
    ("webp-turned", "webp", "RGB", {"exif": "turned"}),
    ("tiff-raw", "tif", "RGB", {}),
    ("tiff-lzw", "tif", "RGB", {"compression": "tiff_lzw"}),
    ("tiff-deflate", "tiff", "RGB", {"compression": "tiff_deflate"}),
    ("tiff-packbits", "tiff", "L", {"compression": "packbits"}),
    ("tiff-jpeg", "tif", "RGB", {"compression": "jpeg"}),
    ("tiff-fax", "tif", "1", {"compression": "group4"}),
    ("tiff-deep", "tif", "I;16", {}),
    ("tiff-cmyk", "tif", "CMYK", {}),
    ("tiff-alpha", "tif", "RGBA", {"compression": "tiff_lzw"}),
    ("tiff-pages", "tif", "RGB", {"save_all": True}),
    ("tiff-big", "tif", "RGB", {"big_tiff": True}),
    ("bmp-rgb", "bmp", "RGB", {}),
    ("bmp-palette", "bmp", "P", {}),
    ("bmp-bits", "bmp", "1", {}),
    ("gif-plain", "gif", "P", {}),
    ("gif-transparent", "gif", "P", {"transparency": 1}),
    ("gif-animated", "gif", "P", {"save_all": True}),
    ("ppm-rgb", "ppm", "RGB", {}),
    ("ppm-grey", "pgm", "L", {}),
    ("ppm-bits", "pnm", "1", {}),
    ("ppm-deep", "pgm", "I;16", {}),
    ("jp2-lossless", "jp2", "RGB", {"irreversible": False}),
    ("jp2-tiles", "jp2", "RGB", {"tile_size": (16, 16)}),
    ("jp2-grey", "jp2", "L", {}),
    ("avif-rgb", "avif", "RGB", {"speed": 10}),
    ("avif-alpha", "avif", "RGBA", {"speed": 10}),
    ("avif-animated", "avif", "RGB", {"speed": 10, "save_all": True}),
    ("mpo-stereo", "jpg", "RGB", {"save_all": True, "format": "MPO"}),
)


def whole_files() -> Iterator[tuple[str, str, bytes]]:
    """Name, suffix and bytes of each; every one of them must be read."""
    for name, suffix, mode, options in _SAVED:
        yield name, suffix, saved(picture(mode), suffix, **options)
    yield "png-interlaced", "png", interlaced_png()
    yield "tiff-tiles", "tif", tiled_tiff()
    yield "tiff-rows", "tif", tiff(tags={278: (3, [7])})
    yield "bmp-runs", "bmp", run_length_bmp()
    yield "ppm-plain", "ppm", plain_ppm()


def pixels() -> Pixels:
    """(HEIGHT, WIDTH, 3), no two corners, rows or columns alike."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 5 % 256, y * 6 % 256, (x * y) % 256], axis=2).astype(np.uint8)


def picture(mode: str = "RGB") -> Pillow.Image:
    """The same picture in any mode."""
    image = Pillow.fromarray(pixels())
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16)
        return Pillow.fromarray(grey * 257)
    if mode == "P":
        return image.quantize(16)
    image = image.convert(mode)
    if mode in {"RGBA", "LA"}:
        image.putalpha(Pillow.fromarray(pixels()[:, :, 2]))
    return image


def saved(image: Pillow.Image, suffix: str, **options: Any) -> bytes:
    """A file's bytes as Pillow writes them; words stand for an EXIF block and a profile."""
    if options.get("exif") == "turned":
        options["exif"] = turned(6)
    if options.get("icc_profile") == "srgb":
        options["icc_profile"] = profile()
    if options.get("save_all"):
        options["append_images"] = [image.rotate(90 * turn) for turn in (1, 2, 3)]
    buffer = io.BytesIO()
    kind = options.pop("format", None) or Pillow.registered_extensions()[f".{suffix}"]
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Pillow.Exif:
    """EXIF that says how the camera was held."""
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    return exif


def profile() -> bytes:
    """sRGB's colour profile, without the time at which it was made."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes(12)
    return bytes(data)


def png_chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    """One chunk with the right checksum, and a length that may lie."""
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_head(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """Signature and IHDR."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head)


def png_rows(image: Pixels) -> bytes:
    """Pixels as unfiltered rows."""
    return b"".join(b"\0" + row.tobytes() for row in image)


def interlaced_png() -> bytes:
    """Adam7: seven smaller pictures, one after the other."""
    image = pixels()
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    rows = b"".join(png_rows(image[y::dy, x::dx]) for y, x, dy, dx in (*passes, (1, 0, 2, 1)))
    head = png_head(WIDTH, HEIGHT, interlace=1)
    return head + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def tiff(
    body: bytes | None = None,
    tags: dict[int, tuple[int, list[int]]] | None = None,
    after: int = 0,
) -> bytes:
    """A little-endian TIFF of RGB bytes with one strip; ``tags`` (type, values) replace its own.

    Args:
        body: The strip; None for the picture.
        tags: By number; values of type 3 (16 bits), 4 (32 bits) or 16 (64 bits).
        after: Where the next directory is said to lie; 0 for none.
    """
    strip = pixels().tobytes() if body is None else body
    rows = int((tags or {}).get(278, (3, [HEIGHT]))[1][0])
    strips = -(-HEIGHT // rows)
    step = rows * WIDTH * 3
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [WIDTH]),
        257: (4, [HEIGHT]),
        258: (3, [8, 8, 8]),
        259: (3, [1]),
        262: (3, [2]),
        273: (4, [8 + step * number for number in range(strips)]),
        277: (3, [3]),
        278: (3, [HEIGHT]),
        279: (4, [min(step, len(strip) - step * number) for number in range(strips)]),
    }
    return tiff_of(strip, entries | (tags or {}), after)


def tiff_of(body: bytes, entries: dict[int, tuple[int, list[int]]], after: int = 0) -> bytes:
    """Header, ``body`` from byte 8 on, one directory."""
    codes = {3: "H", 4: "I", 16: "Q"}
    start = 8 + len(body)
    behind = start + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for number, (code, numbers) in sorted(entries.items()):
        packed = struct.pack(f"<{len(numbers)}{codes[code]}", *numbers)
        place = packed.ljust(4, b"\0")
        if len(packed) > 4:
            place = struct.pack("<I", behind + len(values))
            values += packed
        table += struct.pack("<HHI", number, code, len(numbers)) + place
    return b"II*\0" + struct.pack("<I", start) + body + table + struct.pack("<I", after) + values


def tiled_tiff() -> bytes:
    """Tiles of 16 × 16, deflated; those at the lower edge hang over."""
    image = np.zeros((-(-HEIGHT // 16) * 16, WIDTH, 3), np.uint8)
    image[:HEIGHT] = pixels()
    tiles = [
        zlib.compress(image[y : y + 16, x : x + 16].tobytes())
        for y in range(0, HEIGHT, 16)
        for x in range(0, WIDTH, 16)
    ]
    starts = [8 + sum(map(len, tiles[:number])) for number in range(len(tiles))]
    return tiff_of(
        b"".join(tiles),
        {
            256: (4, [WIDTH]),
            257: (4, [HEIGHT]),
            258: (3, [8, 8, 8]),
            259: (3, [8]),
            262: (3, [2]),
            277: (3, [3]),
            322: (3, [16]),
            323: (3, [16]),
            324: (4, starts),
            325: (4, [len(tile) for tile in tiles]),
        },
    )


def bmp_head(  # noqa: PLR0917 - the order of the header
    width: int, height: int, bits: int, compression: int, colours: int, size: int
) -> bytes:
    """File and information header."""
    start = 54 + 4 * colours
    file = b"BM" + struct.pack("<IHHI", start + size, 0, 0, start)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, size, 0, 0, colours, 0
    )
    return file + info


def run_length_bmp() -> bytes:
    """RLE8: each row one run, then the end of the line."""
    rows = b"".join(bytes([WIDTH, row, 0, 0]) for row in range(HEIGHT)) + b"\0\1"
    palette = b"".join(bytes([n, n, n, 0]) for n in range(256))
    return bmp_head(WIDTH, HEIGHT, 8, 1, 256, len(rows)) + palette + rows


def plain_ppm() -> bytes:
    """Numbers as text, with a comment."""
    numbers = " ".join(map(str, pixels().ravel()))
    return f"P3\n# a comment\n{WIDTH} {HEIGHT}\n255\n{numbers}\n".encode()
