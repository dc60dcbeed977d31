"""HEIC, the pictures of phones: read by ``pi-heif``, an extra that not everybody needs.

Not by ``pillow-heif``, whose wheels bundle an encoder under the GPL. libheif reads the whole file
at once and turns the picture itself, so it cannot be stopped and must not be turned again: it is
bounded by size alone, as WebP and AVIF are, and Pillow is told an orientation of 1.
"""

from __future__ import annotations

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
