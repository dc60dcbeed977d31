"""Which layouts of a TIFF are read, decided by its tags (Adobe, TIFF 6.0, 1992)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image as Pillow
from PIL import ImagePalette, TiffImagePlugin

from maskpool.errors import ImageError

# Pillow's own reader takes planes of anything but 8-bit RGB for something else; libtiff does not.
TiffImagePlugin.READ_LIBTIFF = True

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 258, 259, 262
_SAMPLES, _PLANAR, _PALETTE, _INKS, _EXTRA, _KIND, _DNG = 277, 284, 320, 332, 338, 339, 50_706

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_JPEGS = (6, 7)

#: NewSubfileType: a smaller copy of another picture, or a mask for one.
_PREVIEW, _MASK = 1, 4

_COLOURS = {0: "grey", 1: "grey", 2: "RGB", 3: "a palette", 5: "CMYK", 6: "YCbCr"}


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """What Pillow does not do for a TIFF that it reads.

    Attributes:
        most: The greatest number of a grey sample with more than 8 bits.
        inverted: Such a sample has its white at 0.
        opaque: The file has a fourth sample and does not say that it is alpha.
    """

    most: int
    inverted: bool
    opaque: bool


def check_tiff(image: Pillow.Image, data: bytes) -> TiffLayout:
    """Judge an opened TIFF by its tags, and mend its palette.

    Raises:
        ImageError: Its layout is not read; the sentence says what to save instead.
    """
    tags: Any = getattr(image, "tag_v2", {})
    _refuse_previews(tags, data)
    _refuse_numbers(tags)
    _refuse_colours(tags)
    if image.mode in {"P", "PA"}:
        _mend_palette(image, tags)
    bits = tags.get(_BITS, (1,))[0]
    photometric = tags.get(_PHOTOMETRIC)
    return TiffLayout(
        most=(1 << bits) - 1,
        inverted=photometric == _WHITE_IS_ZERO and bits > 8,
        opaque=photometric == _RGB and not tags.get(_EXTRA),
    )


def why_not_read(data: bytes) -> str:
    """What a TIFF that Pillow has no mode for holds, and what to save instead."""
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:4] == b"+\0" else 8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    _refuse_previews(tags, data)
    _refuse_numbers(tags)
    _refuse_colours(tags)
    bits = tags.get(_BITS, (1,))
    colours = _COLOURS.get(tags.get(_PHOTOMETRIC), f"colours of kind {tags.get(_PHOTOMETRIC)}")
    return (
        f"the TIFF holds {colours} as {tags.get(_SAMPLES, len(bits))} samples of {bits[0]} bits, "
        "a layout that is not read; save it as RGB or grey with 8 or 16 bits"
    )


def _refuse_previews(tags: Any, data: bytes) -> None:  # noqa: ANN401 - a mapping of Pillow's
    if _DNG in tags or data[8:10] == b"CR":
        raise ImageError("it is a camera's raw file; develop it to TIFF, PNG or JPEG")
    if tags.get(_SUBFILE, 0) & (_PREVIEW | _MASK) or tags.get(_OLD_SUBFILE) == 2:
        raise ImageError(
            "the first picture of the TIFF is a small copy or a mask of another; save the large "
            "one alone"
        )


def _refuse_numbers(tags: Any) -> None:  # noqa: ANN401 - as above
    bits, kinds = tags.get(_BITS, (1,)), set(tags.get(_KIND, (_UNSIGNED,)))
    what = ""
    if _FLOAT in kinds:
        what = "floating point numbers"
    elif max(bits) > 16:
        what = f"{max(bits)}-bit integers"
    elif _SIGNED in kinds:
        what = f"signed numbers of {max(bits)} bits"
    elif kinds != {_UNSIGNED}:
        what = "numbers of an unusual kind"
    if what:
        raise ImageError(
            f"the image holds {what}, whose range it does not tell; save it with 8 or 16 bits, "
            "unsigned"
        )
    if bits[0] > 8 and tags.get(_COMPRESSION) in _JPEGS:
        raise ImageError(
            f"the TIFF holds a JPEG of {bits[0]} bits, which is not read; save it with 8 bits"
        )


def _refuse_colours(tags: Any) -> None:  # noqa: ANN401 - as above
    photometric, extra = tags.get(_PHOTOMETRIC), tags.get(_EXTRA, ())
    if photometric is None:
        raise ImageError(
            "the TIFF does not say whether 0 is black or white (PhotometricInterpretation); save "
            "it again"
        )
    if photometric == _CMYK and tags.get(_INKS, 1) != 1:
        raise ImageError("the TIFF holds other inks than CMYK, which are not read; save it as RGB")
    if photometric == _RGB and tags.get(_PLANAR) == 2 and tags.get(_SAMPLES, 3) > 3 and not extra:
        raise ImageError(
            "the TIFF holds planes beside red, green and blue, and does not say what they are "
            "(ExtraSamples); save it as RGB"
        )
    if photometric in {_WHITE_IS_ZERO, _BLACK_IS_ZERO} and tags.get(_PLANAR) == 2 and any(extra):
        raise ImageError(
            "the TIFF holds grey and alpha in separate planes, which are not read; save it with "
            "both interleaved"
        )


def _mend_palette(image: Pillow.Image, tags: Any) -> None:  # noqa: ANN401 - as above
    """Some writers fill palettes with 0…255 where the format wants 0…65535, as libtiff knows."""
    listed = tags.get(_PALETTE, ())
    if listed and max(listed) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(listed))
