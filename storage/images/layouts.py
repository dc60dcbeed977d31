"""What a file's own header says about its numbers, where Pillow's mode alone would mislead.

A layout is read where tests over all of them show that it comes out right; any other is refused
with a sentence, since a wrong picture looks like a right one to everybody behind us.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image as Pillow

from maskpool.errors import ImageError
from storage.images.tiff_layout import check_tiff

#: A JPEG 2000's kinds of colour that are read (ISO 15444-1, table I.10; 12 is of part 2).
_CMYK, _SRGB, _GREY, _SYCC = 12, 16, 17, 18

_BITFIELDS = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers that Pillow hands over are to be understood.

    Attributes:
        most: The greatest number of a grey image with more than 8 bits.
        inverted: Such an image has its white at 0.
        opaque: What Pillow takes for alpha is none, or the file says nothing of it.
        blank_alpha: Alpha of 0 everywhere means that its writer left it empty.
        transparent: The grey that is transparent, in the numbers that Pillow hands over.
        covered: Box, xyxy in pixels, of the only part that was drawn; nothing lies elsewhere.
    """

    most: int = 65_535
    inverted: bool = False
    opaque: bool = False
    blank_alpha: bool = False
    transparent: int | None = None
    covered: tuple[int, int, int, int] | None = None


_PLAIN = Layout()


def layout_of(image: Pillow.Image, data: bytes) -> Layout:
    """What Pillow's mode does not tell of an opened image.

    Args:
        image: Opened, not loaded; a TIFF's palette is mended.
        data: The file's bytes.

    Raises:
        ImageError: Its layout is not read; the sentence says what to save instead.
    """
    if image.format == "TIFF":
        told = check_tiff(image, data)
        return Layout(most=told.most, inverted=told.inverted, opaque=told.opaque)
    if image.format == "PNG":
        return _png(image, data)
    if image.format == "BMP":
        return _bmp(image, data)
    if image.format == "JPEG2000":
        return _jpeg2000(image, data)
    if image.format == "GIF":
        # The first picture may be smaller than the animation; Pillow paints the rest in any colour.
        return Layout(covered=next((one.extents for one in getattr(image, "tile", ())), None))
    if image.mode == "CMYK" and "adobe" not in image.info:
        raise ImageError(
            "the JPEG holds CMYK, but not whether 0 is ink or paper (an Adobe marker); save it as "
            "RGB"
        )
    return _PLAIN


def _png(image: Pillow.Image, data: bytes) -> Layout:
    """Transparent colours are told in the file's own bits, which Pillow widens or narrows."""
    key = image.info.get("transparency")
    depth = data[24]
    if image.mode == "RGB" and depth == 16 and key is not None:
        raise ImageError(
            "the PNG marks a colour of 16 bits as transparent, which is not read; save it with 8 "
            "bits, or with an alpha channel"
        )
    if image.mode not in {"L", "I;16"} or not isinstance(key, int):
        return _PLAIN
    return Layout(transparent=key * 255 // ((1 << depth) - 1) if depth < 8 else key)


def _bmp(image: Pillow.Image, data: bytes) -> Layout:
    (head,) = struct.unpack_from("<I", data, 14)
    bits, compression = struct.unpack_from("<HI", data, 28) if head >= 40 else (0, 0)
    masked = compression == _BITFIELDS and head >= 56
    (alpha_mask,) = struct.unpack_from("<I", data, 66) if masked else (0,)
    if bits == 16 and alpha_mask:
        raise ImageError(
            "the BMP has 16 bits a pixel and an alpha mask, which is not read; save it with 24 or "
            "32 bits"
        )
    if bits in {4, 8} and image.mode != {4: "P", 8: "L"}[bits] and image.mode != "P":
        raise ImageError(
            "the BMP has fewer greys in its palette than its bits allow, which is not read; save "
            "it as PNG"
        )
    return Layout(opaque=not alpha_mask, blank_alpha=True)


def _jpeg2000(image: Pillow.Image, data: bytes) -> Layout:
    """Alpha is only what a channel definition calls so; numbers have 8 or more bits each."""
    place = data.find(b"\xff\x4f\xff\x51")
    (channels,) = struct.unpack_from(">H", data, place + 40)
    depths = data[place + 42 : place + 42 + 3 * channels : 3]
    if any(depth & 0x80 for depth in depths):
        raise ImageError(
            "the image holds signed numbers, whose range it does not tell; save it with 8 or 16 "
            "bits, unsigned"
        )
    if any(depth < 7 for depth in depths) and image.mode != "P":
        raise ImageError(
            "the image holds numbers of fewer than 8 bits, which are not read from JPEG 2000; save "
            "it as PNG"
        )
    boxes = data[:place]
    _check_colours(boxes)
    alpha = _alpha_kinds(boxes)
    if 2 in alpha:
        raise ImageError(
            "the colours of this JPEG 2000 are multiplied by their alpha, which is not read; save "
            "it as PNG"
        )
    return Layout(opaque=1 not in alpha)


def _check_colours(boxes: bytes) -> None:
    place = boxes.find(b"colr")
    if place < 0 or boxes[place + 4] != 1:
        return  # a profile, or a bare code stream
    (space,) = struct.unpack_from(">I", boxes, place + 7)
    if space not in {_CMYK, _SRGB, _GREY, _SYCC}:
        raise ImageError(
            f"the JPEG 2000 has colours of kind {space}, which are not read; save it as RGB"
        )


def _alpha_kinds(boxes: bytes) -> set[int]:
    """Kinds of channels, 1 for alpha and 2 for premultiplied alpha (ISO 15444-1, I.5.3.6)."""
    place = boxes.find(b"cdef")
    if place < 0:
        return set()
    (count,) = struct.unpack_from(">H", boxes, place + 4)
    return {kind for _, kind, _ in struct.iter_unpack(">3H", boxes[place + 6 :][: 6 * count])}
