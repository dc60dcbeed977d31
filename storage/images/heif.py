"""HEIC, the pictures of phones: read by ``pi-heif``, an extra that not everybody needs.

Not by ``pillow-heif``, whose wheels bundle an encoder under the GPL. libheif reads the whole file
at once and turns the picture itself, so it cannot be stopped and must not be turned again: it is
bounded by size alone, as WebP and AVIF are, and Pillow is told an orientation of 1.
"""

from __future__ import annotations

import re
import struct

from maskpool.errors import ImageError

#: What Pillow calls the format.
FORMAT = "HEIF"

#: Major brands (ISO 23008-12, annex B) of pictures, collections and sequences coded as HEVC;
#: ``mif1`` and ``msf1`` stand for any coding, AVIF's as well.
BRANDS = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
)

#: Newest version of a box ``infe``.
_MAX_ITEM_VERSION = 3

#: Its bytes: header, numbers and one text; more than a name and a content type take, and few enough
#: to be read quickly where a file is full of such boxes, one inside the other.
_MIN_ITEM_BYTES, _MAX_ITEM_BYTES = 17, 1_024

#: What is said where the extra is missing.
MISSING = (
    "HEIC images need an extra on the workers, pip install 'maskpool[heic]'; or save it as JPEG or "
    "PNG"
)


def register() -> bool:
    """Teach Pillow HEIC, the main picture alone; False where the extra is not installed."""
    try:
        from pi_heif import register_heif_opener  # noqa: PLC0415 - an extra
    except ImportError:
        return False
    # Workers decode several images side by side already.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def refuse_unsafe_items(data: bytes) -> None:
    """Refuse items whose text is not UTF-8: pi-heif 1.4 crashes the whole process on them.

    Every box ``infe`` (ISO 14496-12, 8.11.6) is looked at, wherever it lies, so that we miss none
    that libheif finds. Pixels look like one by chance in less than one file of a million: name,
    version and size would all have to fit.

    Args:
        data: The file's bytes, of one of ``BRANDS``.

    Raises:
        ImageError: The type, name or content type of an item is not UTF-8, or too long.
    """
    for found in re.finditer(b"infe", data):
        start = found.end()
        (size,) = struct.unpack_from(">I", data, start - 8)
        version, end = int.from_bytes(data[start : start + 1]), start - 8 + size
        if version > _MAX_ITEM_VERSION or end > len(data):
            continue  # libheif refuses it too
        # Versions 0 and 1 have no type; then these four bytes are the start of the texts.
        kind = start + (10 if version == _MAX_ITEM_VERSION else 8)
        if (  # a size of 0 or 1 says that the end lies elsewhere, which no encoder writes here
            not _MIN_ITEM_BYTES <= size <= _MAX_ITEM_BYTES
            or not _is_text(data[kind : kind + 4])
            or not _is_text(data[kind + 4 : end])
        ):
            raise ImageError(
                "the HEIC file is damaged: an item's type or name is no text; save it again"
            )


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
