"""What other readers make of our generators' files: truth and decoder are not wrong together.

OpenCV agrees on 8 bits, and tifffile gives a TIFF's own numbers. Where they are known to be wrong
themselves they are not asked: OpenCV on alpha, on CMYK and on grey with further samples.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import tifffile
from hostile.layouts.bmps import BmpLayout, bmp_file
from hostile.layouts.cell import HEIGHT, WIDTH, numbers
from hostile.layouts.tiffs import (
    BLACK_IS_ZERO,
    DEFLATE,
    NONE,
    PACKBITS,
    RGB,
    WHITE_IS_ZERO,
    Layout,
    tiff_file,
)

from maskpool.settings import Settings
from storage.images.decode import decode

SETTINGS = Settings()
RANDOM = np.random.default_rng(7)


def opencv(data: bytes) -> np.ndarray:
    """RGB of 8 bits, as OpenCV shows a picture."""
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    return shown[:, :, ::-1]


def apart(data: bytes) -> int:
    return int(np.abs(decode(data, SETTINGS).astype(int) - opencv(data)).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [NONE, DEFLATE, PACKBITS])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [(), (0,)])
def test_opencv_sees_the_same_colours(
    order: str, planar: bool, compression: int, bits: int, extra: tuple[int, ...]
) -> None:
    samples = 3 + len(extra)
    layout = Layout(
        photometric=RGB,
        bits=bits,
        samples=samples,
        extra=extra,
        planar=planar,
        compression=compression,
        order=order,
    )
    assert apart(tiff_file(numbers(samples, (1 << bits) - 1), layout)) <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_opencv_ignores_a_fourth_band_without_a_meaning(bits: int) -> None:
    layout = Layout(photometric=RGB, bits=bits, samples=4)
    assert apart(tiff_file(numbers(4, (1 << bits) - 1), layout)) <= 1


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_opencv_sees_the_same_greys(photometric: int, bits: int) -> None:
    layout = Layout(photometric=photometric, bits=bits, samples=1)
    assert apart(tiff_file(numbers(1, (1 << bits) - 1), layout)) <= 1


@pytest.mark.parametrize("masks", [(), (0xFF0000, 0xFF00, 0xFF)])
def test_opencv_sees_the_same_bmp(masks: tuple[int, ...]) -> None:
    values = RANDOM.integers(0, 1 << 24, (HEIGHT, WIDTH))
    assert apart(bmp_file(values, BmpLayout(bits=32, masks=masks))) == 0


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
@pytest.mark.parametrize(("samples", "bits"), [(1, 8), (1, 16), (3, 8), (3, 16), (4, 16)])
def test_tifffile_reads_the_numbers_that_were_written(
    order: str, planar: bool, compression: int, samples: int, bits: int
) -> None:
    values = numbers(samples, (1 << bits) - 1)
    layout = Layout(
        photometric=RGB if samples > 1 else BLACK_IS_ZERO,
        bits=bits,
        samples=samples,
        extra=(0,) * (samples - 3),
        planar=planar,
        compression=compression,
        order=order,
    )
    found = tifffile.imread(io.BytesIO(tiff_file(values, layout)))
    if planar and samples > 1:
        found = np.moveaxis(found, 0, -1)
    assert np.array_equal(found.reshape(values.shape), values)
