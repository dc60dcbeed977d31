"""The corpus of broken images through the decoder, one after the other, in this process."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile import whole as hostile_whole
from hostile.images import MAX_ASPECT, MAX_PIXELS, HostileImage, corpus
from hostile.jpeg2000 import fine_precincts, jp2_says
from hostile.jpegs import many_scans
from hostile.pngs import png_of, zeros
from hostile.tiffs import doubled, signed_tile
from hostile.whole import png_chunk, tiff
from PIL import Image as Pillow

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images import decode_budget
from storage.images.decode import decode

SETTINGS = Settings(max_image_pixels=MAX_PIXELS, max_aspect=MAX_ASPECT)

#: Of this thread; a loaded machine does not stretch it. Nothing in the corpus needs a third.
MAX_SECONDS = 6.0

#: An address of Python's memory, or an object as Python shows it.
INSIDES = re.compile(r"0x[0-9a-f]{4,}|<[\w.]+ |object at|Traceback|tempfile|/site-packages/")


@pytest.fixture(scope="module")
def files() -> list[HostileImage]:
    return list(corpus())


def test_the_corpus_is_large_named_and_always_the_same(files: list[HostileImage]) -> None:
    assert len(files) >= 2_000
    assert len({file.name for file in files}) == len(files)
    again = [file.data for file, _ in zip(corpus(), range(300), strict=False)]
    assert again == [file.data for file in files[:300]]
    assert sum(file.readable is True for file in files) >= 100
    assert sum(file.readable is False for file in files) >= 100


def test_every_file_is_read_or_refused_with_a_sentence(files: list[HostileImage]) -> None:
    ends: Counter[bool] = Counter()
    wrong = []
    for file in files:
        began = time.thread_time()
        read, sentence = _outcome(file)
        seconds = time.thread_time() - began
        ends[read] += 1
        if file.readable not in {read, None}:
            wrong.append((file.name, "read" if read else sentence))
        if not read and not _is_fit_for_people(sentence):
            wrong.append((file.name, f"says {sentence!r}"))
        if seconds > MAX_SECONDS:
            wrong.append((file.name, f"took {seconds:.1f} s"))
    assert wrong == []
    assert min(ends.values()) > 500, "a corpus of which all or nothing is read proves nothing"


def _outcome(file: HostileImage) -> tuple[bool, str]:
    try:
        pixels = decode(file.data, SETTINGS)
    except ImageError as error:
        return False, str(error)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
    return True, ""


def _is_fit_for_people(sentence: str) -> bool:
    return 10 <= len(sentence) < 500 and sentence.isprintable() and not INSIDES.search(sentence)


@pytest.mark.parametrize("name", ["png-interlaced", "tiff-tiles", "tiff-rows", "ppm-plain"])
def test_files_made_by_hand_hold_the_picture(name: str) -> None:
    data = next(data for one, _, data in hostile_whole.whole_files() if one == name)
    assert np.array_equal(decode(data, SETTINGS), hostile_whole.pixels())


# What each of these asked for, before it was refused, stands beside it.


def test_a_jpeg_of_endless_scans_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 scans of a 100-megapixel frame, 40 KB, take five seconds; 10,000 take three minutes."""
    monkeypatch.setattr(decode_budget, "_SECONDS", 0.05)
    monkeypatch.setattr(decode_budget, "_SECONDS_A_MEGAPIXEL", 0.01)
    with pytest.raises(ImageError, match="takes too long to decode for its size"):
        decode(many_scans(1_100, 1_100, 15_000), SETTINGS)
    assert decode(many_scans(64, 64, 3), SETTINGS).shape == (64, 64, 3)


def test_a_header_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow joins EXIF segments one by one: 65 MB of them take 18 seconds."""
    monkeypatch.setattr(decode_budget, "_SECONDS", 0.0)
    with pytest.raises(ImageError, match="takes too long to decode for its size"):
        decode(hostile_whole.saved(hostile_whole.picture(), "jpg"), SETTINGS)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif"])
def test_a_file_in_too_many_pieces_is_given_up(suffix: str) -> None:
    """Pillow remembers every piece: 256 MB of empty ones would be 5 GB and a minute."""
    whole = hostile_whole.saved(hostile_whole.picture("P" if suffix == "gif" else "RGB"), suffix)
    start, piece = {
        "jpg": (2, b"\xff\xfe\0\2"),
        "png": (33, png_chunk(b"prVt", b"")),
        "gif": (13 + 3 * 2 ** ((whole[10] & 7) + 1), b"!\xfe\1x\0"),
    }[suffix]
    assert decode(whole[:start] + piece * 1_000 + whole[start:], SETTINGS).size
    with pytest.raises(ImageError, match="in more pieces than an image has"):
        decode(whole[:start] + piece * 100_000 + whole[start:], SETTINGS)


def test_pieces_behind_the_pixels_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_budget, "_MORE_READS", 1_000)
    monkeypatch.setattr(decode_budget, "_READS_A_PIXEL", 0)
    whole = hostile_whole.saved(hostile_whole.picture(), "png")
    assert decode(whole, SETTINGS).size
    with pytest.raises(ImageError, match="in more pieces than an image has"):
        decode(whole[:-12] + png_chunk(b"prVt", b"") * 1_000 + whole[-12:], SETTINGS)


def test_a_tiff_tile_beyond_the_limit_is_refused() -> None:
    """40 × 48 pixels, a tile of 16,000 × 16,000: 0.7 MB of file, 730 MB of memory."""
    body = zeros(2_001 * 2_000 * 3)

    def with_tile(width: int, height: int) -> bytes:
        tags = {322: (4, [width]), 323: (4, [height]), 324: (4, [8]), 325: (4, [len(body)])}
        return tiff(body, {**tags, 259: (3, [8])})

    with pytest.raises(ImageError, match="its tiles have 2,016×2,000 pixels, more than"):
        decode(with_tile(2_016, 2_000), SETTINGS)
    assert decode(with_tile(2_000, 2_000), SETTINGS).size


@pytest.mark.parametrize("first", [True, False])
def test_a_tiff_whose_readers_would_differ_is_refused(first: bool) -> None:
    """The same tile, in a kind of number that libtiff alone reads: 0.3 MB, 730 MB of memory."""
    side = struct.pack("<HHII", 322, 4, 1, 16_000)
    with pytest.raises(ImageError, match="names a TIFF tag twice; save it again"):
        decode(doubled(hostile_whole.tiled_tiff(), [side], first=first), SETTINGS)
    with pytest.raises(ImageError, match="TIFF tag 322 is no size"):
        decode(signed_tile(16_000), SETTINGS)


def test_usual_directories_of_tiffs_are_read() -> None:
    for big in (False, True):
        data = hostile_whole.saved(hostile_whole.picture(), "tif", big_tiff=big)
        assert np.array_equal(decode(data, SETTINGS), hostile_whole.pixels())
    highest_first = hostile_whole.saved(hostile_whole.picture("I;16B"), "tif")
    assert highest_first.startswith(b"MM\0*")
    assert decode(highest_first, SETTINGS).shape == (40, 48, 3)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        # 2 KB of file, 750 MB of memory.
        (jp2_says(tile=1, size=(1_000, 65)), r"cut into 65,000 tiles of 1×1 pixels"),
        # 260 bytes a pixel and component.
        (fine_precincts(256, 1), "very many precincts"),
        (fine_precincts(256, 4), "very many precincts"),
        (jp2_says(stream=(8_000, 8_000)), "its parts contradict each other"),
    ],
)
def test_a_costly_jpeg_2000_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode(data, SETTINGS)


def test_a_common_jpeg_2000_is_read() -> None:
    image = hostile_whole.picture().resize((600, 500))
    for options in ({"tile_size": (128, 128)}, {"precinct_size": (64, 64)}, {"mct": 0}):
        assert decode(hostile_whole.saved(image, "jp2", **options), SETTINGS).shape == (500, 600, 3)
    assert decode(fine_precincts(256, 15), SETTINGS).shape == (256, 256, 3)
    raw = hostile_whole.saved(image, "j2k", format="JPEG2000", no_jp2=True)
    assert raw.startswith(b"\xff\x4f\xff\x51")
    assert decode(raw, SETTINGS).shape == (500, 600, 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("cannot identify image file <_io.BytesIO object at 0x7f00aa>"), "identify image"),
        (ValueError(b"Token too long \xff\0"), r"Token too long \\xff\\x00"),
        (ValueError("two\nlines\x1b[31m"), r"two lines\\x1b\[31m$"),
        (ValueError("x" * 5_000), r"x{200}…$"),
        (KeyError(), "KeyError$"),
    ],
)
def test_what_a_parser_says_is_made_fit_for_people(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    with pytest.raises(ImageError, match=f"^the image is damaged: .*{said}") as caught:
        decode(_failing_in_load(monkeypatch, error), SETTINGS)
    assert _is_fit_for_people(str(caught.value))


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="too little memory to decode it; lower MASKPOOL_MAX_IMA"):
        decode(_failing_in_load(monkeypatch, MemoryError()), SETTINGS)


def _failing_in_load(monkeypatch: pytest.MonkeyPatch, error: Exception) -> bytes:
    def fail(*_: object) -> None:
        raise error

    data = hostile_whole.saved(hostile_whole.picture(), "png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    return data


#: Run in a process of its own, whose memory nobody else has used before.
_MEASURE = """
import re, sys
from maskpool.settings import Settings
from storage.images.decode import decode
data = open(sys.argv[1], "rb").read()
def kib(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = kib()
height, width = decode(data, Settings()).shape[:2]
print((kib() - before) * 1024 / (height * width))
"""

#: What one image may cost: the widest that a format and its conversion were measured at is 18,
#: WebP's, which keeps two canvases beside the picture.
BYTES_A_PIXEL = 20


def _large_png(colour: int, depth: int, bytes_a_pixel: int) -> Callable[[], bytes]:
    row = 1 + 65_535 * bytes_a_pixel

    def made() -> bytes:  # by the test: whatever runs at import, each of several processes runs
        pixels = png_chunk(b"IDAT", zeros(1_311 * row))
        return png_of(65_535, 1_311, pixels, depth=depth, colour=colour)

    return made


def _large(kind: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    return lambda: hostile_whole.saved(Pillow.new(mode, (6_000, 4_000)), kind, **options)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    "made",
    [
        pytest.param(_large_png(2, 8, 3), id="png of 65,535 × 1,311"),
        pytest.param(_large("png", "RGBA"), id="png with alpha"),
        pytest.param(_large("png", "I;16"), id="png of 16 bits"),
        pytest.param(_large("jpg", progressive=True), id="progressive jpeg"),
        pytest.param(_large("jpg", "CMYK"), id="cmyk jpeg"),
        pytest.param(_large("webp", quality=10, method=0), id="webp"),
        pytest.param(_large("jp2"), id="jpeg 2000"),
        pytest.param(_large("avif", speed=10), id="avif"),
        pytest.param(_large("tif", compression="tiff_lzw"), id="tiff"),
    ],
)
def test_memory_of_a_large_image_is_in_proportion(
    made: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "large"
    path.write_bytes(made())
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, path], capture_output=True, text=True, check=True
    )
    assert 6 < float(done.stdout) < BYTES_A_PIXEL
