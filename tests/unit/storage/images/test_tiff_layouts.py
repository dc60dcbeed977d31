"""TIFF in every layout: it comes out as its generator's numbers say, or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hostile.layouts.cell import HEIGHT, Pixels, grey, numbers, over_white, to_bytes
from hostile.layouts.tiffs import (
    BLACK_IS_ZERO,
    CMYK,
    DEFLATE,
    FLOAT,
    LZW,
    NONE,
    PACKBITS,
    RGB,
    SIGNED,
    WHITE_IS_ZERO,
    YCBCR,
    ZSTD,
    Layout,
    tiff_file,
)

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images.decode import decode

SETTINGS = Settings()

#: Pillow cuts colours of 16 bits to their high byte before alpha or ink is applied.
TOLERANCE = {8: 1, 16: 3}

BITS = (1, 2, 4, 8, 12, 16, 32)


def containers() -> Iterator[dict[str, object]]:
    for order, planar, compression, (tile, rows) in product(
        "<>", (False, True), (NONE, LZW, DEFLATE, PACKBITS, ZSTD), ((0, HEIGHT), (0, 3), (16, 7))
    ):
        yield {
            "order": order,
            "planar": planar,
            "compression": compression,
            "tile": tile,
            "rows": rows,
        }


def right_or_refused(layout: Layout, data: bytes, truth: Pixels) -> bool:
    """Whether it was read; then it is right."""
    try:
        shown = decode(data, SETTINGS)
    except ImageError as error:
        if "save" not in str(error):
            pytest.fail(f"{layout}: {error}")
        return False
    apart = np.abs(shown.astype(int) - truth).max()
    assert apart <= TOLERANCE.get(layout.bits, 1), (str(layout), apart)
    return True


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", BITS)
def test_grey_is_right_or_refused(photometric: int, bits: int) -> None:
    most = (1 << bits) - 1
    values = numbers(1, most)
    truth = grey(to_bytes(values if photometric else most - values, most))
    read = 0
    for inside in containers():
        layout = Layout(photometric=photometric, bits=bits, samples=1, **inside)  # type: ignore[arg-type]
        read += right_or_refused(layout, tiff_file(values, layout), truth)
    never = bits == 32 or (bits == 12 and photometric == WHITE_IS_ZERO)
    assert (read > 0) is not never


@pytest.mark.parametrize("extra", [(), (0,), (1,), (2,)])
@pytest.mark.parametrize("bits", BITS)
def test_rgb_is_right_or_refused(extra: tuple[int, ...], bits: int) -> None:
    most = (1 << bits) - 1
    values = numbers(3 + len(extra), most)
    if extra == (1,):
        values[:, :, :3] = values[:, :, :3] * values[:, :, 3:] // most
    shown = to_bytes(values, most)
    truth = shown[:, :, :3]
    if any(extra):
        truth = over_white(truth, shown[:, :, 3:], premultiplied=extra == (1,))
    read = 0
    for inside in containers():
        layout = Layout(photometric=RGB, bits=bits, samples=3 + len(extra), extra=extra, **inside)  # type: ignore[arg-type]
        read += right_or_refused(layout, tiff_file(values, layout), truth)
    assert (read > 0) is (bits in {8, 16})


@pytest.mark.parametrize("bits", [8, 16])
def test_a_fourth_band_without_a_meaning_is_no_transparency(bits: int) -> None:
    most = (1 << bits) - 1
    values = numbers(4, most)
    truth = to_bytes(values, most)[:, :, :3]
    read = 0
    for inside in containers():
        layout = Layout(photometric=RGB, bits=bits, samples=4, **inside)  # type: ignore[arg-type]
        read += right_or_refused(layout, tiff_file(values, layout), truth)
    assert read == 30


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_more_is_right_or_refused(photometric: int, extra: int, bits: int) -> None:
    most = (1 << bits) - 1
    values = numbers(2, most)
    if extra == 1:
        values[:, :, :1] = values[:, :, :1] * values[:, :, 1:] // most
    shown = to_bytes(values, most)
    truth = grey(shown[:, :, :1] if photometric else 255 - shown[:, :, :1])
    if extra:
        truth = over_white(truth, shown[:, :, 1:], premultiplied=extra == 1)
    for inside in containers():
        layout = Layout(photometric=photometric, bits=bits, samples=2, extra=(extra,), **inside)  # type: ignore[arg-type]
        right_or_refused(layout, tiff_file(values, layout), truth)


@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_is_right_or_refused(bits: int) -> None:
    most = (1 << bits) - 1
    values = numbers(4, most)
    inks = to_bytes(values, most).astype(int)
    truth = np.rint((255 - inks[:, :, :3]) * (255 - inks[:, :, 3:]) / 255).astype(np.uint8)
    read = 0
    for inside in containers():
        layout = Layout(photometric=CMYK, bits=bits, samples=4, **inside)  # type: ignore[arg-type]
        read += right_or_refused(layout, tiff_file(values, layout), truth)
    assert read == 60


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("bits", "kind", "what"),
    [
        (8, SIGNED, "signed numbers of 8 bits"),
        (16, SIGNED, "signed numbers of 16 bits"),
        (32, SIGNED, "32-bit integers"),
        (32, FLOAT, "floating point numbers"),
    ],
)
def test_numbers_without_a_range_are_named(samples: int, bits: int, kind: int, what: str) -> None:
    values = numbers(samples, 100)
    for inside in containers():
        photometric = RGB if samples == 3 else BLACK_IS_ZERO
        layout = Layout(photometric=photometric, bits=bits, samples=samples, kind=kind, **inside)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=f"holds {what}, whose range it does not tell; save"):
            decode(tiff_file(values, layout), SETTINGS)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turned as TIFF's tag 274 says."""
    if orientation > 4:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in {2, 3, 6, 7} else pixels


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("photometric", [RGB, YCBCR])
def test_it_is_turned_once_whoever_decodes_it(photometric: int, orientation: int) -> None:
    values = numbers(3, 255)
    truth = values.astype(np.uint8)
    if photometric == YCBCR:  # ITU-R BT.601, full range, as TIFF 6.0 has it
        light, blue, red = (values[:, :, channel].astype(float) for channel in range(3))
        red, blue = red - 128, blue - 128
        shown = [
            light + 1.402 * red,
            light - 0.344136 * blue - 0.714136 * red,
            light + 1.772 * blue,
        ]
        truth = np.clip(np.rint(np.stack(shown, axis=2)), 0, 255).astype(np.uint8)
    for compression in (NONE, DEFLATE):
        layout = Layout(
            photometric=photometric,
            orientation=orientation,
            compression=compression,
            more={530: (3, [1, 1])} if photometric == YCBCR else {},
        )
        data = tiff_file(values, layout)
        assert right_or_refused(layout, data, upright(truth, orientation))
