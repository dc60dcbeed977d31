"""HEIC: right, turned once, held against its header; where its extra is missing, that is said."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hostile.heics import alpha, branded, colours, described, heic, sized, turned
from hostile.layouts.cell import grey, over_white
from PIL import Image as Pillow
from services.processor_time import is_linear

from maskpool.errors import ImageError
from maskpool.settings import Settings
from storage.images import heif
from storage.images.decode import decode

SETTINGS = Settings()


def apart(data: bytes, truth: np.ndarray) -> int:
    shown = decode(data, SETTINGS)
    assert shown.shape == truth.shape
    return int(np.abs(shown.astype(int) - truth).max())


@pytest.mark.parametrize("name", ["plain", "deep"])
def test_colours_come_out_as_they_went_in(name: str) -> None:
    assert apart(heic(name), colours()) <= 1


def test_grey_and_transparency() -> None:
    assert apart(heic("grey"), grey(colours()[:, :, :1])) <= 2
    assert apart(heic("alpha"), over_white(colours(), alpha())) <= 1


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["plain", "exif"])
def test_it_is_turned_once(quarters: int, name: str) -> None:
    """The box counts; the orientation 6 in the EXIF of ``exif`` is history (ISO 23008-12)."""
    data = turned(heic(name), quarters) if quarters else heic(name)
    assert apart(data, np.rot90(colours(), quarters)) <= 1


@pytest.mark.parametrize("brand", heif.BRANDS)
def test_every_brand_is_read(brand: bytes) -> None:
    assert apart(branded(heic("plain"), brand), colours()) <= 1


@pytest.mark.parametrize("brand", [b"avif", b"mif1", b"msf1"])
def test_avif_stays_avif(brand: bytes) -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(colours()).save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    data = buffer.getvalue()
    with Pillow.open(io.BytesIO(branded(data, brand))) as image:
        assert image.format == "AVIF"
    shown = decode(branded(data, brand), SETTINGS)
    assert np.abs(shown.astype(int) - colours()).mean() < 3


@pytest.mark.parametrize("size", [(47, 32), (16, 16), (4_800, 3_200), (0, 0)])
def test_a_header_that_lies_about_the_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=r"damaged|no pixels"):
        decode(sized(heic("plain"), *size), SETTINGS)


def test_sides_are_judged_before_anything_is_decoded() -> None:
    small = SETTINGS.model_copy(update={"max_image_pixels": 48 * 32 - 1})
    with pytest.raises(ImageError, match="has 48×32 pixels, more than the 1,535 allowed"):
        decode(heic("plain"), small)


@pytest.mark.parametrize("keep", [12, 100, 500, 2_000])
def test_what_is_cut_off_is_refused(keep: int) -> None:
    with pytest.raises(ImageError, match=r"damaged|cut off"):
        decode(heic("plain")[:keep], SETTINGS)


NO_TEXT = [
    described(b"Exi\x80", b"\0"),
    described(b"\xff\xff\xff\xff", b"\0"),
    described(b"E\0\xff\xff", b"\0"),
    described(b"Exi\xc3", b"\xa9\0"),  # text only if the two are read as one
    described(b"mime", b"\0\xff\0"),
    described(b"mime", b"name\0text/\xfe\0"),
    described(b"Exi\x80", b"\0", size=0),
    described(b"Exif", b"long" * 256 + b"\0"),
    described(b"mime", b"\0\xff\0", version=0),
    described(b"mime", b"\0\xff\0", version=1),
]


@pytest.mark.parametrize("data", NO_TEXT, ids=range(len(NO_TEXT)))
def test_an_item_that_crashes_the_decoder_never_reaches_it(data: bytes) -> None:
    """pi-heif 1.4 ends the process with a segmentation fault on most of them."""
    with pytest.raises(ImageError, match="an item's type or name is no text"):
        decode(data, SETTINGS)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [(b"Exif", b"\0"), (b"mime", "Straße\0text/xml\0".encode()), (b"uri ", b"\0a:b\0")],
)
def test_items_with_text_are_no_matter(kind: bytes, texts: bytes) -> None:
    assert apart(described(kind, texts), colours()) <= 1


def test_pixels_that_spell_an_item_are_no_matter() -> None:
    spelt = b"\0\0\0\x18infe\xff\0\0\0\xff\xff\xff\xff", b"\xff\xff\xff\xffinfe\2\0\0\0\xff\xff"
    assert apart(heic("plain") + b"".join(spelt), colours()) <= 1


def test_each_of_a_files_many_items_is_looked_at_once() -> None:
    def judge(count: int) -> None:
        full = b"\0\0\x03\0infe\2\0\0\0" * count + b"\0" * 1_024
        heif.refuse_unsafe_items(heic("plain") + full)

    assert is_linear(judge, 12_500, 100_000)


def test_no_byte_of_the_header_crashes_the_decoder() -> None:
    """Each byte up to the pixels in turn; a crash would end the test run itself."""
    for name in ("alpha", "exif"):
        data = heic(name)
        for place in range(data.index(b"mdat")):
            broken = bytearray(data)
            broken[place] ^= 0x80
            try:
                decode(bytes(broken), SETTINGS)
            except ImageError:
                continue


def test_without_the_extra_the_sentence_names_it() -> None:
    told = (
        "import sys; sys.modules['pi_heif'] = None\n"
        "from maskpool.errors import ImageError\n"
        "from maskpool.settings import Settings\n"
        "from storage.images.decode import decode\n"
        "try: decode(sys.stdin.buffer.read(), Settings())\n"
        "except ImageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], input=heic("plain"), capture_output=True, check=True
    )
    assert "pip install 'maskpool[heic]'" in done.stdout.decode()
