"""Colours of categories and their instances, the same in overlays and on the contact sheet."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from zlib import crc32

Rgb = tuple[int, int, int]

#: Lightness and chroma of OKLCH at which every hue is about equally loud and fits sRGB.
_LIGHTNESS, _CHROMA = 0.72, 0.17

#: Fewer slots than this would put the hues of two or three categories at arbitrary places.
_MIN_SLOTS = 6

#: Fractions of the golden ratio lie far from their predecessors, however many there are.
_GOLDEN = (math.sqrt(5) - 1) / 2


def palette(
    categories: Iterable[str], chosen: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Rgb]:
    """A colour for each category, by its name: the order of the names makes no difference.

    Every name prefers a hue by its hash and yields to the next free one, so that two categories of
    one batch never share a hue.

    Args:
        categories: All of the batch.
        chosen: Colours that people chose, by category, as ``#rrggbb``.
    """
    names = sorted(set(categories))
    slots = max(len(names), _MIN_SLOTS)
    taken: dict[int, str] = {}
    for name in names:
        slot = crc32(name.encode("utf-8", "replace")) % slots
        while slot in taken:
            slot = (slot + 1) % slots
        taken[slot] = name
    return {
        name: _rgb(chosen[name]) if name in chosen else _oklch(_LIGHTNESS, _CHROMA, slot / slots)
        for slot, name in taken.items()
    }


def variant(base: Rgb, rank: int, categories: int) -> Rgb:
    """A shade of a category's colour for its ``rank``-th instance, from 0.

    Neighbouring ranks differ clearly; the fewer categories share the wheel, the more so.
    """
    if rank == 0:
        return base
    place = (rank * _GOLDEN) % 1.0 - 0.5
    hue, light, saturation = colorsys.rgb_to_hls(*(value / 255 for value in base))
    hue += place * 0.55 / max(categories, 3)
    light = min(0.82, max(0.4, light + 0.22 * ((rank * _GOLDEN * 2) % 1.0 - 0.5)))
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, light, saturation)
    return (round(red * 255), round(green * 255), round(blue * 255))


def css(colour: Rgb) -> str:
    """As ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _rgb(written: str) -> Rgb:
    """From ``#rrggbb``."""
    red, green, blue = bytes.fromhex(written[1:])
    return (red, green, blue)


def _oklch(lightness: float, chroma: float, turn: float) -> Rgb:
    """OKLCH to sRGB, clipped; the matrices are those of Ottosson's Oklab."""
    a, b = chroma * math.cos(math.tau * turn), chroma * math.sin(math.tau * turn)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _gamma(linear: float) -> int:
    linear = min(1.0, max(0.0, linear))
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * value)
