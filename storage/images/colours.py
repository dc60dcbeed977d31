"""Pillow's modes → RGB, as people see the picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from maskpool.errors import ImageError
from storage.images.layouts import Layout

_WHITE = (255, 255, 255, 255)

_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def to_rgb(image: Pillow.Image, layout: Layout) -> Pillow.Image:
    """Convert a loaded image to mode RGB; where nothing was drawn it is white.

    Args:
        image: Loaded, in any mode.
        layout: What its file says beside the mode.

    Raises:
        ImageError: Its mode is not read, or it shows nothing.
    """
    shown = _colours(image, layout)
    if layout.covered in (None, (0, 0, *image.size)):
        return shown
    whole = Pillow.new("RGB", image.size, _WHITE[:3])
    whole.paste(shown.crop(layout.covered), layout.covered)
    return whole


def _colours(image: Pillow.Image, layout: Layout) -> Pillow.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _from_deep_grey(image, layout)
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.mode in _ALPHA_MODES or (
        image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info
    ):
        return _over_white(image, layout)
    if image.mode == "RGB":
        return image  # converting would copy it, which for a large photograph costs a tenth
    if image.mode in ("1", "L", "P", "RGBX", "YCbCr"):
        return image.convert("RGB")
    what = {"I": "32-bit integers", "F": "floating point numbers"}.get(image.mode)
    if what:
        raise ImageError(
            f"the image holds {what}, whose range it does not tell; save it with 8 or 16 bits"
        )
    raise ImageError(f"the image has colour mode {image.mode!r}, which is not read; save it as RGB")


def _from_deep_grey(image: Pillow.Image, layout: Layout) -> Pillow.Image:
    values = np.asarray(image).astype(np.uint32)
    if layout.inverted:
        values = layout.most - values
    # Rounded, not cut, so that white stays white and half stays half.
    shown = ((values * 255 + layout.most // 2) // layout.most).astype(np.uint8)
    if layout.transparent is not None:
        shown[values == layout.transparent] = 255
    return Pillow.fromarray(shown).convert("RGB")


def _from_cmyk(image: Pillow.Image) -> Pillow.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile says nothing about colours; the plain formula is the next best
        else:
            if converted is not None:
                return converted
    return image.convert("RGB")


def _over_white(image: Pillow.Image, layout: Layout) -> Pillow.Image:
    if layout.transparent is not None:
        image.info["transparency"] = layout.transparent
    colours = image.convert({"RGBa": "RGBA", "La": "LA"}.get(image.mode, image.mode))
    colours = colours.convert("RGBA")
    if layout.opaque and image.mode in _ALPHA_MODES:
        return colours.convert("RGB")
    if colours.getchannel("A").getextrema() == (0, 0):
        return _without_alpha(colours, layout)
    return Pillow.alpha_composite(Pillow.new("RGBA", colours.size, _WHITE), colours).convert("RGB")


def _without_alpha(colours: Pillow.Image, layout: Layout) -> Pillow.Image:
    """An image that is transparent everywhere: its alpha was left empty, or it is an empty one."""
    shown = colours.convert("RGB")
    if layout.blank_alpha:
        return shown
    if np.ptp(np.asarray(shown), axis=(0, 1)).any():
        raise ImageError(
            "the image is transparent everywhere, so it shows nothing; save it without its alpha "
            "channel"
        )
    return Pillow.new("RGB", colours.size, _WHITE[:3])
