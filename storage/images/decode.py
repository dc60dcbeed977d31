"""Bytes of an image file → RGB array, whatever a camera, a scanner or a designer made of it.

Decided here, so that a mask lies where people see the thing:

* upright: the EXIF orientation is applied;
* transparent pixels are laid over white; an image that is transparent everywhere is refused, if it
  has colours that nobody sees, but a BMP's empty alpha is passed over;
* a sample beside red, green and blue is transparency only where the file says so;
* CMYK goes through its embedded profile, or through the plain formula where there is none; the
  inverted CMYK that Adobe writes into JPEG is turned round by Pillow. RGB stays as it is;
* 16-bit grey keeps its whole range: 0…65535 → 0…255. 32-bit integers, signed numbers and floats
  have no range that a file tells, so they are refused rather than guessed;
* the first frame of an animation, the first page of a TIFF.
"""

from __future__ import annotations

import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from maskpool.errors import ImageError
from maskpool.ports import Image
from maskpool.settings import Settings
from storage.images import heif
from storage.images.colours import to_rgb
from storage.images.decode_budget import BudgetedFile
from storage.images.decode_limits import refuse_over_limits
from storage.images.layouts import Layout, layout_of
from storage.images.tiff_layout import why_not_read

#: Makes room for so many bytes.
Take: TypeAlias = Callable[[int], None]

#: The only decoders that read outside bytes; Pillow has more, some of them poorly maintained.
_WANTED = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", heif.FORMAT)

Pillow.init()  # registers the decoders, so that no thread has to
_HAS_HEIC = heif.register()
_FORMATS = tuple(name for name in _WANTED if name in Pillow.OPEN)

#: What Pillow's parsers raise on bytes that are not what they say.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    Pillow.DecompressionBombError,
)

#: First bytes, in lower case, of files that people take for images, and what to tell them.
_LOOKS_LIKE = (
    (b"%pdf", "it is a PDF; export its pages as images"),
    (b"<!doctype", "it is a web page, not an image; the download probably failed"),
    (b"<html", "it is a web page, not an image; the download probably failed"),
    (b"<svg", "SVG drawings are not read; export as PNG"),
    (b"<?xml", "it is XML; if it is an SVG drawing, export it as PNG"),
    (b"8bps", "Photoshop files are not read; export as PNG or JPEG"),
    (b"pk\x03\x04", "it is a ZIP archive; unpack it first"),
    (b"\xff\n", "JPEG XL images are not read; save as PNG or JPEG"),
    (b"\0\0\0\x0cjxl ", "JPEG XL images are not read; save as PNG or JPEG"),
    (b"p7\n", "PAM images are not read; save as PNG"),
    (b"version https://git-lfs", "it is a Git LFS pointer; run 'git lfs pull' first"),
)

_ORIENTATION_TAG = 0x0112

#: Modules whose warnings are silenced: what is wrong with an image becomes an ImageError.
_PILLOW = r"PIL\."

#: First bytes of a TIFF; a large one has 43 for its number.
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0")

#: Reprs of Python objects, such as ``<_io.BytesIO object at 0x7f…>``.
_INSIDES = re.compile(r"<[^<>]*\bat 0x[0-9a-fA-F]+>")

#: Pixels copied out of Pillow at once: at three bytes each they fit into the CPU's cache.
_STRIP_PIXELS = 1 << 18

#: Characters of a decoder's message that our sentence quotes.
_MAX_REASON_CHARS = 200

_quiet_lock = threading.Lock()


def decode(data: bytes, settings: Settings, take: Take | None = None) -> Image:
    """Decode one image file.

    Args:
        data: The file's bytes.
        settings: Its ``max_image_pixels`` and ``max_aspect`` are kept before pixels are decoded.
        take: Called with the bytes of the array before its pixels are decoded; may wait.

    Returns:
        RGB uint8 (height, width, 3), upright, contiguous, writable.

    Raises:
        ImageError: It cannot be used; the sentence is for the person who labels.
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)")
    _keep_quiet()
    try:
        return _decode(data, settings, take)
    except MemoryError:
        raise ImageError(
            "the worker has too little memory to decode it; lower MASKPOOL_MAX_IMAGE_PIXELS or "
            "give the worker more"
        ) from None


def _decode(data: bytes, settings: Settings, take: Take | None) -> Image:
    file = BudgetedFile(data)
    with _open(file, data) as image:
        _check_size(image, settings)
        refuse_over_limits(image, data, settings.max_image_pixels)
        layout = _layout_of(image, data)
        if take is not None:
            take(3 * image.width * image.height)
        file.allow(image.width * image.height)
        size = image.size
        _load(image)
        if image.size != size:  # a decoder of HEIC may find another picture than its header says
            raise ImageError("the image's header is damaged: it gives another size than its pixels")
        try:
            pixels = _pixels(to_rgb(image, layout))
        except _BROKEN as error:
            raise ImageError(f"the image is damaged: {_said(error)}") from None
        return _upright(pixels, _orientation(image))


def _keep_quiet() -> None:
    """Silence Pillow's warnings for good: switching them per image is not safe among threads."""
    # We judge sizes ourselves, from the header; Pillow's own limit would warn first.
    Pillow.MAX_IMAGE_PIXELS = None
    with _quiet_lock:
        if not any(getattr(module, "pattern", "") == _PILLOW for *_, module, _ in warnings.filters):
            warnings.filterwarnings("ignore", module=_PILLOW)


def _open(file: BudgetedFile, data: bytes) -> Pillow.Image:
    if _is_heic(data):
        heif.refuse_unsafe_items(data)
    try:
        return Pillow.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise ImageError(_not_an_image(data)) from None
    except _BROKEN as error:
        raise ImageError(f"the image's header is damaged: {_said(error)}; save it again") from None


def _layout_of(image: Pillow.Image, data: bytes) -> Layout:
    try:
        return layout_of(image, data)
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"the image's header is damaged: {_said(error)}; save it again") from None


def _said(error: Exception) -> str:
    """A decoder's message for people: one short line, without reprs of Python objects."""
    said = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error).encode()
    text = " ".join(_INSIDES.sub("", said.decode(errors="backslashreplace")).split())
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return (
        f"{text[:_MAX_REASON_CHARS]}…"
        if len(text) > _MAX_REASON_CHARS
        else text or type(error).__name__
    )


def _not_an_image(data: bytes) -> str:
    if data.startswith(_TIFFS):
        try:
            return why_not_read(data)
        except ImageError as error:
            return str(error)
        except _BROKEN as error:
            return f"the image's header is damaged: {_said(error)}"
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, hint in _LOOKS_LIKE:
        if start.startswith(magic):
            return hint
    if _is_heic(data):
        return "the HEIC file is damaged; copy it again" if _HAS_HEIC else heif.MISSING
    return f"it is not an image of a kind that is read ({', '.join(_FORMATS)}), or is damaged"


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in heif.BRANDS


def _check_size(image: Pillow.Image, settings: Settings) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"the image has no pixels ({width}×{height})")
    if width * height > settings.max_image_pixels:
        raise ImageError(
            f"the image has {width:,}×{height:,} pixels, more than the "
            f"{settings.max_image_pixels:,} allowed (MASKPOOL_MAX_IMAGE_PIXELS)"
        )
    if max(width, height) > settings.max_aspect * min(width, height):
        raise ImageError(
            f"the image is {width}×{height} pixels: its sides differ by more than "
            f"{settings.max_aspect:g} to 1 (MASKPOOL_MAX_ASPECT)"
        )


def _load(image: Pillow.Image) -> None:
    try:
        image.load()
    except _BROKEN as error:
        if "truncated" in str(error) or isinstance(error, EOFError):
            raise ImageError("the file is cut off: its end is missing; copy it again") from None
        raise ImageError(f"the image is damaged: {_said(error)}") from None


def _pixels(image: Pillow.Image) -> Image:
    """The pixels of an RGB image, copied strip by strip.

    Copied at once, they would be held twice more by Pillow, and new memory costs more than copying.
    """
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        there = np.frombuffer(strip.tobytes(), dtype=np.uint8)
        pixels[top : top + rows] = there.reshape(-1, image.width, 3)
    return pixels


def _orientation(image: Pillow.Image) -> int:
    """EXIF orientation, 1 (upright) where it is missing or unreadable."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _BROKEN:
        return 1


def _upright(pixels: Image, orientation: int) -> Image:
    """Turn the image upright; the eight orientations are those of EXIF 2.3."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
