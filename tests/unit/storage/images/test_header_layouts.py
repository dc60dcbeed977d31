"""What a header of BMP, PNG, JPEG or JPEG 2000 says beside Pillow's mode."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hostile.whole import png_chunk, png_head
from PIL import Image as Pillow

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images.decode import decode

SETTINGS = Settings()
COLOURS = np.random.default_rng(3).integers(0, 256, (4, 5, 4), dtype=np.uint8)
HIDDEN = COLOURS * np.array([1, 1, 1, 0], np.uint8)
WHITE = np.full((4, 5, 3), 255)


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bmp(pixels: np.ndarray, head: int, alpha_mask: int, *, top_down: bool = False) -> bytes:
    """32 bits a pixel, blue first, with masks for the colours."""
    height, width = pixels.shape[:2]
    high = -height if top_down else height
    info = struct.pack("<IiiHHIIiiII", head, width, high, 1, 32, 3, 0, 0, 0, 0, 0)
    info += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, alpha_mask)
    info = info.ljust(head, b"\0")
    rows = pixels if top_down else pixels[::-1]
    start = 14 + len(info)
    body = rows[:, :, [2, 1, 0, 3]].tobytes()
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + body


@pytest.mark.parametrize("head", [56, 108, 124])
@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("mask", [0xFF000000, 0])
def test_a_bmp_with_empty_alpha_shows_its_colours(head: int, top_down: bool, mask: int) -> None:
    data = bmp(HIDDEN, head, mask, top_down=top_down)
    assert np.array_equal(decode(data, SETTINGS), COLOURS[:, :, :3])


def test_a_bmp_with_alpha_lies_on_white() -> None:
    pixels = COLOURS.copy()
    pixels[0, 0, 3], pixels[1, 1, 3] = 0, 255
    shown = decode(bmp(pixels, 108, 0xFF000000), SETTINGS)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(shown[1, 1], pixels[1, 1, :3])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colours_that_nobody_sees_are_refused(kind: str) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    with pytest.raises(ImageError, match="transparent everywhere, so it shows nothing; save it"):
        decode(saved(Pillow.fromarray(HIDDEN), kind, **options), SETTINGS)
    empty = np.zeros_like(HIDDEN)
    assert np.array_equal(decode(saved(Pillow.fromarray(empty), kind), SETTINGS), WHITE)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_that_png_calls_transparent_is_white(depth: int) -> None:
    most = (1 << depth) - 1
    values = [0, most // 3, most, most // 2]
    bits = "".join(f"{value:0{depth}b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    for key in values:
        chunks = png_chunk(b"tRNS", struct.pack(">H", key))
        chunks += png_chunk(b"IDAT", zlib.compress(row)) + png_chunk(b"IEND", b"")
        shown = decode(png_head(4, 1, depth, 0) + chunks, SETTINGS)
        wanted = [255 if value == key else round(value * 255 / most) for value in values]
        assert np.abs(shown[0, :, 1].astype(int) - wanted).max() <= 1


def test_a_cmyk_jpeg_that_says_nothing_of_its_inks_is_refused() -> None:
    data = saved(Pillow.new("CMYK", (16, 16)), "JPEG")
    place = data.index(b"\xff\xee")
    (length,) = struct.unpack_from(">H", data, place + 2)
    with pytest.raises(ImageError, match="save it as RGB"):
        decode(data[:place] + data[place + 2 + length :], SETTINGS)


def test_a_fourth_band_of_jpeg_2000_is_alpha_only_where_it_says_so() -> None:
    data = saved(Pillow.fromarray(COLOURS), "JPEG2000", irreversible=False)
    bare = saved(Pillow.fromarray(COLOURS), "JPEG2000", irreversible=False, no_jp2=True)
    assert not np.array_equal(decode(data, SETTINGS), COLOURS[:, :, :3])
    assert np.array_equal(decode(bare, SETTINGS), COLOURS[:, :, :3])
