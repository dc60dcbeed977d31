"""BMP, PNG and PNM in every layout: each is right by its generator, or refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hostile.layouts.bmps import HEADS, BmpLayout, bmp_file
from hostile.layouts.cell import HEIGHT, WIDTH, Pixels, grey, numbers, over_white, to_bytes
from hostile.layouts.pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, TYPES, png_file
from hostile.whole import png_chunk

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images.decode import decode

SETTINGS = Settings()
RANDOM = np.random.default_rng(5)
COLOURS = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def apart(data: bytes, truth: Pixels) -> int:
    """The greatest difference to the truth."""
    shown = decode(data, SETTINGS)
    assert shown.shape == truth.shape
    return int(np.abs(shown.astype(int) - truth).max())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("kind", ["colours", "greys", "greys from white", "few greys"])
def test_a_bmp_with_a_palette(head: int, bits: int, kind: str) -> None:
    count = 1 << bits
    palette = grey(np.linspace(0, 255, count).astype(np.uint8).reshape(1, -1, 1))[0]
    if kind == "colours":
        palette = RANDOM.integers(0, 256, (count, 3), dtype=np.uint8)
    elif kind == "greys from white":
        palette = palette[::-1]
    elif kind == "few greys" and bits > 1 and head > 12:
        palette = palette[: count // 2]
    values = RANDOM.integers(0, len(palette), (HEIGHT, WIDTH))
    for top_down in (False,) if head == 12 else (False, True):
        layout = BmpLayout(head=head, bits=bits, palette=palette, top_down=top_down)
        assert apart(bmp_file(values, layout), palette[values]) == 0


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("alpha", [0, 255, "random"])
@pytest.mark.parametrize("top_down", [False, True])
def test_a_bmp_of_colours_has_no_alpha_unless_a_mask_says_so(
    head: int, alpha: int | str, top_down: bool
) -> None:
    if head == 12 and top_down:
        return  # OS/2 knows no such order
    red, green, blue = (COLOURS[:, :, channel].astype(np.int64) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    assert apart(bmp_file(packed, BmpLayout(head=head, top_down=top_down)), COLOURS) == 0
    if head == 12:
        return
    fourth = RANDOM.integers(0, 256, packed.shape) if alpha == "random" else np.int64(alpha)
    deep = packed | fourth << 24
    masks = (0xFF0000, 0xFF00, 0xFF)
    for used in ((), masks):
        layout = BmpLayout(head=head, bits=32, masks=used, top_down=top_down)
        assert apart(bmp_file(deep, layout), COLOURS) == 0


@pytest.mark.parametrize("head", HEADS[1:])
@pytest.mark.parametrize("masks", [(), (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
def test_a_bmp_of_16_bits(head: int, masks: tuple[int, ...]) -> None:
    used = masks or (0x7C00, 0x3E0, 0x1F)
    most = [mask >> (mask & -mask).bit_length() - 1 for mask in used]
    parts = [RANDOM.integers(0, top + 1, (HEIGHT, WIDTH)) for top in most]
    values = sum(part * (mask & -mask) for part, mask in zip(parts, used, strict=True))
    truth = np.stack([part * 255 // top for part, top in zip(parts, most, strict=True)], axis=2)
    layout = BmpLayout(head=head, bits=16, masks=masks)
    # Some readers repeat the high bits below, some fill with zeros.
    assert apart(bmp_file(values, layout), truth.astype(np.uint8)) <= 8


@pytest.mark.parametrize(("bits", "masks"), [(2, ()), (32, (0xFF, 0xFF00, 0xFF0000))])
def test_a_rare_bmp_is_refused_with_a_way_out(bits: int, masks: tuple[int, ...]) -> None:
    palette = np.zeros((4, 3), np.uint8) if bits == 2 else None
    layout = BmpLayout(bits=bits, masks=masks, palette=palette)
    with pytest.raises(ImageError, match="save"):
        decode(bmp_file(RANDOM.integers(0, 4, (HEIGHT, WIDTH)), layout), SETTINGS)


@pytest.mark.parametrize(
    ("colour_type", "depth"),
    [(kind, depth) for kind, (_, depths) in TYPES.items() for depth in depths],
)
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png(colour_type: int, depth: int, interlaced: bool) -> None:
    most = (1 << depth) - 1
    values = numbers(TYPES[colour_type][0], most)
    shown, more = to_bytes(values, most), b""
    if colour_type == PALETTE:
        palette = RANDOM.integers(0, 256, (most + 1, 3), dtype=np.uint8)
        truth, more = palette[values[:, :, 0]], png_chunk(b"PLTE", palette.tobytes())
    else:
        truth = grey(shown[:, :, :1]) if colour_type in {GREY, GREY_ALPHA} else shown[:, :, :3]
    if colour_type in {GREY_ALPHA, RGBA}:
        truth = over_white(truth, shown[:, :, -1:])
    data = png_file(values, colour_type, depth, interlaced=interlaced, more=more)
    assert apart(data, truth) <= (2 if depth == 16 else 1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("short", [False, True])
def test_a_png_whose_palette_is_transparent_in_part(depth: int, short: bool) -> None:
    count = 1 << depth
    values = numbers(1, count - 1)
    palette = RANDOM.integers(0, 256, (count, 3), dtype=np.uint8)
    alpha = RANDOM.integers(0, 256, count)
    if short:
        alpha[1:] = 255  # colours that the chunk does not list
    told = alpha[:1] if short else alpha
    more = png_chunk(b"PLTE", palette.tobytes())
    more += png_chunk(b"tRNS", told.astype(np.uint8).tobytes())
    truth = over_white(palette[values[:, :, 0]], alpha[values].astype(np.uint8))
    assert apart(png_file(values, PALETTE, depth, more=more), truth) <= 1


def test_a_png_colour_that_is_transparent() -> None:
    values = numbers(3, 255)
    key = values[0, 0]
    truth = values.astype(np.uint8)
    truth[(values == key).all(axis=2)] = 255
    more = png_chunk(b"tRNS", key.astype(">u2").tobytes())
    assert apart(png_file(values, RGB, 8, more=more), truth) == 0


@pytest.mark.parametrize("most", [1, 3, 15, 100, 127, 254, 255, 256, 1000, 1023, 4095, 65_535])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pnm_of_any_greatest_number(most: int, binary: bool, channels: int) -> None:
    values = numbers(channels, most)
    shown = to_bytes(values, most)
    kind = {1: 2, 3: 3}[channels] + 3 * binary
    head = f"P{kind}\n# made by a test\n{WIDTH} {HEIGHT}\n{most}\n".encode()
    if binary:
        body = values.astype(">u2" if most > 255 else "u1").tobytes()
    else:
        body = " ".join(map(str, values.reshape(-1))).encode()
    assert apart(head + body, grey(shown) if channels == 1 else shown) <= 1


@pytest.mark.parametrize("binary", [True, False])
def test_a_pbm_has_black_ones(binary: bool) -> None:
    values = numbers(1, 1)
    head = f"P{4 if binary else 1}\n{WIDTH} {HEIGHT}\n".encode()
    bits = values[:, :, 0].astype(np.uint8)
    body = np.packbits(bits, axis=1).tobytes() if binary else " ".join(map(str, bits.flat)).encode()
    assert apart(head + body, grey(((1 - values) * 255).astype(np.uint8))) == 0


def gif(background: int, transparent: int | None) -> bytes:
    """A canvas of WIDTH × HEIGHT of which the first picture covers 5 × 4 pixels at (3, 2)."""
    colours = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    head = b"GIF89a" + struct.pack("<HHBBB", WIDTH, HEIGHT, 0x91, background, 0) + colours
    if transparent is not None:
        head += b"!\xf9\x04" + struct.pack("<BHBB", 1, 0, transparent, 0)
    # LZW of 3 bits a code: the table is cleared before each two pixels, so it never grows.
    codes = [4, 1, 2] * 10 + [5]
    bits = "".join(f"{code:03b}"[::-1] for code in codes)
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    picture = b"," + struct.pack("<HHHHB", 3, 2, 5, 4, 0)
    return head + picture + bytes([2, len(packed)]) + packed + b"\0;"


@pytest.mark.parametrize("background", [0, 3])
@pytest.mark.parametrize("transparent", [None, 0, 2])
def test_where_a_gif_draws_nothing_it_is_white(background: int, transparent: int | None) -> None:
    truth = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    drawn = np.array([[0, 255, 0], [0, 0, 255] if transparent != 2 else [255, 255, 255]])
    truth[2:6, 3:8] = drawn[np.arange(20) % 2].reshape(4, 5, 3)
    assert apart(gif(background, transparent), truth) == 0
