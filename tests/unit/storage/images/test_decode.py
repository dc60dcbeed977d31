"""Every kind of image file people have, generated here, and the pixels that must come out."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageOps

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images.decode import decode

SETTINGS = Settings()

PHOTOS = Path(__file__).resolve().parents[5] / "shared" / "photos"

Pixels = npt.NDArray[np.uint8]


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(width: int = 24, height: int = 16) -> Pixels:
    """No two corners, rows or columns alike."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 10 % 256, y * 15 % 256, (x + y) * 6 % 256], axis=2).astype(np.uint8)


def read(data: bytes, settings: Settings = SETTINGS) -> Pixels:
    image = decode(data, settings)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous
    assert image.flags.writeable
    return image


def about(image: Pixels, expected: object, tolerance: int) -> None:
    difference = np.abs(image.astype(int) - np.asarray(expected).astype(int))
    assert difference.max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_deflate"}),
        ("WEBP", {"lossless": True}),
        ("JPEG2000", {"irreversible": False}),
    ],
)
def test_rgb_comes_out_as_it_went_in(kind: str, options: dict[str, object]) -> None:
    pixels = picture()
    assert np.array_equal(read(saved(Pillow.fromarray(pixels), kind, **options)), pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_kinds_come_close(kind: str) -> None:
    y, x = np.mgrid[:64, :96]
    smooth = np.stack([x * 2, y * 3, x + y], axis=2).astype(np.uint8)
    about(read(saved(Pillow.fromarray(smooth), kind, quality=95)), smooth, 12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    image = Pillow.fromarray(np.kron(picture(6, 4), np.ones((16, 16, 1), np.uint8)))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = saved(image, kind, exif=exif, **options)

    tagged = image.copy()
    tagged.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(tagged))
    assert expected.shape[:2] == ((64, 96) if orientation < 5 else (96, 64))
    shown = read(data)
    assert shown.shape == expected.shape
    about(shown[8::16, 8::16], expected[8::16, 8::16], 6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_orientation_that_is_none_is_upright(orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    pixels = picture()
    assert np.array_equal(read(saved(Pillow.fromarray(pixels), "PNG", exif=exif)), pixels)


def test_broken_exif_is_upright() -> None:
    pixels = picture()
    data = saved(Pillow.fromarray(pixels), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert np.array_equal(read(data), pixels)


CMYK = np.array(
    [[[255, 0, 0, 0], [0, 255, 0, 0]], [[0, 0, 255, 0], [0, 0, 0, 255]], [[0, 0, 0, 0]] * 2],
    dtype=np.uint8,
)
INKS = [
    [[0, 255, 255], [255, 0, 255]],  # cyan, magenta
    [[255, 255, 0], [0, 0, 0]],  # yellow, black
    [[255, 255, 255], [255, 255, 255]],  # paper
]


def in_blocks(pixels: object, size: int = 16) -> Pixels:
    return np.kron(np.asarray(pixels, np.uint8), np.ones((size, size, 1), np.uint8))


def test_cmyk_without_a_profile_is_what_the_inks_say() -> None:
    image = Pillow.fromarray(CMYK, "CMYK")
    assert read(saved(image, "TIFF")).tolist() == INKS


def test_cmyk_of_adobes_jpeg_is_turned_round() -> None:
    image = Pillow.fromarray(in_blocks(CMYK), "CMYK")
    data = saved(image, "JPEG", quality=95)
    assert b"Adobe" in data[:200]  # stored inverted, as Photoshop does
    about(read(data)[8::16, 8::16], INKS, 4)


def strange_profile() -> bytes:
    """A CMYK profile whose black is black, whose cyan is red and whose other inks are white.

    One lut8 tag (ICC.1:2001-04, 6.5.8): 4 inputs, 2 grid points an axis, Lab outputs.
    """
    identity = bytes(range(256))
    # L*, a* + 128, b* + 128 in eight bits each; the last input, black, varies fastest.
    black, red, white = (0, 128, 128), (136, 208, 195), (255, 128, 128)
    corners = (black if corner & 1 else red if corner & 8 else white for corner in range(16))
    grid = b"".join(bytes(corner) for corner in corners)
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + grid + identity * 3
    text = b"test\0"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {
        b"desc": desc,
        b"cprt": b"text\0\0\0\0" + text,
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": lut,
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">2I", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_goes_through_its_profile(kind: str) -> None:
    image = Pillow.fromarray(in_blocks(CMYK), "CMYK")
    options = {"quality": 95} if kind == "JPEG" else {}
    shown = read(saved(image, kind, icc_profile=strange_profile(), **options))[8::16, 8::16]

    about(shown[0, 0], [255, 0, 0], 12)
    about(shown[1, 1], [0, 0, 0], 8)
    for y, x in ((0, 1), (1, 0), (2, 0), (2, 1)):
        about(shown[y, x], [255, 255, 255], 8)


def test_a_broken_profile_is_passed_over() -> None:
    image = Pillow.fromarray(CMYK, "CMYK")
    assert read(saved(image, "TIFF", icc_profile=b"no profile")).tolist() == INKS


DEEP = np.array([[0, 1, 128, 129], [255, 256, 257, 32768], [32767, 65407, 65534, 65535]], np.uint16)
SHALLOW = [[0, 0, 0, 1], [1, 1, 1, 128], [127, 255, 255, 255]]  # value / 257, rounded to nearest


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    shown = read(saved(Pillow.fromarray(DEEP), kind))
    for channel in range(3):
        about(shown[:, :, channel], SHALLOW, 1 if kind == "PPM" else 0)


def test_16_bit_tiff_of_either_byte_order() -> None:
    shown = read(saved(Pillow.frombytes("I;16B", (4, 3), DEEP.astype(">u2").tobytes()), "TIFF"))
    assert shown[:, :, 0].tolist() == SHALLOW


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunk(part[:4], part[4:]) for part in extra)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_png_is_scaled() -> None:
    values = [(0, 32768, 65535), (65535, 0, 4369)]
    rows = b"\0" + b"".join(struct.pack(">3H", *pixel) for pixel in values)
    about(read(png(2, 1, 16, 2, rows)), [[[0, 128, 255], [255, 0, 17]]], 0)


def test_16_bit_grey_with_alpha_lies_on_white() -> None:
    rows = b"\0" + struct.pack(">8H", 0, 65535, 0, 0, 65535, 65535, 32768, 65535)
    about(read(png(4, 1, 16, 4, rows)), [[[0] * 3, [255] * 3, [255] * 3, [128] * 3]], 0)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.array([[0.0, 1.0]], np.float32), "floating point numbers"),
        (np.array([[0, 70000]], np.int32), "32-bit integers"),
    ],
)
def test_numbers_without_a_range_are_refused(values: npt.NDArray[np.generic], what: str) -> None:
    with pytest.raises(ImageError, match=f"{what}, whose range it does not tell"):
        decode(saved(Pillow.fromarray(values), "TIFF"), SETTINGS)


def test_an_unusual_colour_space_is_refused() -> None:
    with pytest.raises(ImageError, match="colour mode 'LAB'"):
        decode(saved(Pillow.new("LAB", (4, 4)), "TIFF"), SETTINGS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_lies_on_white(kind: str) -> None:
    rgba = np.array(
        [[[255, 0, 0, 255], [10, 20, 30, 0], [0, 0, 0, 51], [0, 100, 200, 128]]], np.uint8
    )
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    shown = read(saved(Pillow.fromarray(rgba), kind, **options))
    about(shown, [[[255, 0, 0], [255, 255, 255], [204, 204, 204], [127, 177, 227]]], 1)


def test_grey_with_alpha_lies_on_white() -> None:
    la = np.array([[[0, 255], [0, 0], [100, 51]]], np.uint8)
    shown = read(saved(Pillow.fromarray(la, "LA"), "PNG"))
    about(shown, [[[0] * 3, [255] * 3, [224] * 3]], 1)


@pytest.mark.parametrize("transparent", [0, b"\x00\xff\x33"])
def test_a_palette_with_alpha_lies_on_white(transparent: int | bytes) -> None:
    image = Pillow.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    shown = read(saved(image, "PNG", transparency=transparent))
    third = [0, 0, 255] if transparent == 0 else [204, 204, 255]
    about(shown, [[[255, 255, 255], [0, 255, 0], third]], 1)


def test_a_plain_palette_shows_its_colours() -> None:
    image = Pillow.new("P", (2, 1))
    image.putpalette([1, 2, 3, 250, 251, 252])
    image.putdata([1, 0])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert read(saved(image, kind)).tolist() == [[[250, 251, 252], [1, 2, 3]]]


def test_a_colour_marked_transparent_lies_on_white() -> None:
    rows = b"\0" + bytes([9, 9, 9, 1, 2, 3])
    key = b"tRNS" + struct.pack(">3H", 9, 9, 9)
    assert read(png(2, 1, 8, 2, rows, key)).tolist() == [[[255] * 3, [1, 2, 3]]]


def test_grey_and_bilevel() -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    for kind in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        assert read(saved(Pillow.fromarray(grey), kind)).tolist() == [
            [[0] * 3, [100] * 3, [255] * 3]
        ]
    bits = Pillow.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "group4"}), ("PPM", {})):
        assert read(saved(bits, kind, **options)).tolist() == [[[0] * 3, [255] * 3, [255] * 3]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_of_many_is_taken(kind: str) -> None:
    red, blue = (Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(red, kind, save_all=True, append_images=[blue], **options)
    assert Pillow.open(io.BytesIO(data)).n_frames == 2
    about(read(data), np.broadcast_to([255, 0, 0], (8, 8, 3)), 0)


def test_pictures_of_a_stereo_camera_give_the_first() -> None:
    red, blue = (Pillow.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    data = saved(red, "MPO", save_all=True, append_images=[blue])
    about(read(data), np.broadcast_to([254, 0, 0], (16, 16, 3)), 2)


# What cannot be used.


def test_zero_bytes() -> None:
    with pytest.raises(ImageError, match=r"the file is empty \(0 bytes\)"):
        decode(b"", SETTINGS)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"hello world", "it is not an image of a kind that is read"),
        (b"\0" * 1000, "it is not an image"),
        (b"%PDF-1.7 ...", "it is a PDF"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "it is a web page"),
        (b"<HTML><body>404", "it is a web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawings are not read"),
        (b"PK\x03\x04....", "it is a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL images are not read"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL images are not read"),
        (b"P7\nWIDTH 1\n", "PAM images are not read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "the HEIC file is damaged"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode(data, SETTINGS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_is_never_half_an_image(kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Pillow.fromarray(noise), kind)
    with pytest.raises(ImageError):
        decode(data[: int(len(data) * share)], SETTINGS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_cut_file_is_called_so(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Pillow.fromarray(noise), kind)
    with pytest.raises(ImageError, match="the file is cut off"):
        decode(data[: len(data) // 2], SETTINGS)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png(60_000, 60_000, 1, 0, b"")

    def explode(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    with pytest.raises(ImageError, match="60,000×60,000 pixels, more than the 100,000,000 allowed"):
        decode(bomb, SETTINGS)


def test_the_pixel_limit_is_exact() -> None:
    data = saved(Pillow.new("RGB", (10, 10)), "PNG")
    assert read(data, Settings(max_image_pixels=100)).shape == (10, 10, 3)
    with pytest.raises(ImageError, match="MASKPOOL_MAX_IMAGE_PIXELS"):
        decode(data, Settings(max_image_pixels=99))


@pytest.mark.parametrize("size", [(51, 1), (1, 51)])
def test_an_absurd_aspect_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="more than 50 to 1"):
        decode(saved(Pillow.new("RGB", size), "PNG"), SETTINGS)
    assert read(saved(Pillow.new("RGB", (50, 1)), "PNG")).shape == (1, 50, 3)


@hypothesis_settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    keep=st.floats(0, 1),
)
def test_damaged_bytes_give_an_image_or_an_image_error(
    kind: str, damage: list[tuple[float, int]], keep: float
) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    try:
        read(bytes(data[: int(keep * len(data)) + 1]), Settings(max_image_pixels=1_000_000))
    except ImageError as error:
        assert str(error)  # noqa: PT017 - only where one is raised


WHOLE = {
    kind: saved(Pillow.fromarray(picture()), kind)
    for kind in ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF"]
}


def test_pillows_warnings_do_not_leak_from_any_thread() -> None:
    exif = saved(Pillow.fromarray(picture()), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0 cut")
    palette = Pillow.new("P", (3, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6, 7, 8, 9])
    samples = [exif, saved(palette, "PNG", transparency=b"\0\x80\xff")]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for data in samples * 10:
                read(data)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert caught == []


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
def test_photographs_come_out_as_pillow_shows_them() -> None:
    for path in sorted(PHOTOS.glob("*.jpg"))[:6]:
        with Pillow.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(read(path.read_bytes()), expected)
