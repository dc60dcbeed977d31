"""From small maps of probabilities to the RLE of large masks, at the cost of their contours.

The published rule enlarges each map to its image, bilinearly, and takes the pixels above one half.
Along a column of the image the enlarged map is a chain of straight lines between the map's cells,
so where it crosses one half can be computed; between two crossings nothing needs to be looked at.
A mask of twelve megapixels then costs its columns times the map's rows, a tenth of its pixels.

Everything happens on the maps' device, for all masks of one pass together: what comes back to the
host is the text of the RLE.

A *toggle* is a pixel position, in column-major order, at which a mask begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from maskpool.rle import Rle

#: A pixel belongs to the mask where its probability is above this (``mask_threshold``).
_THRESHOLD = 0.5

#: Column-major cells looked at in one go; bounds the memory, 128 MiB for each of a few arrays.
_MAX_CELLS = 1 << 25

#: Groups of five bits that the text of one count has at most.
_GROUPS = 7


@dataclass(frozen=True, slots=True)
class EncodedMask:
    """A mask that is not empty.

    Attributes:
        place: Which of the maps it comes from.
        box_xyxy: Tight, absolute pixels, right and bottom exclusive.
        mask: Of the whole image.
    """

    place: int
    box_xyxy: tuple[float, float, float, float]
    mask: Rle


def masks_to_rle(maps: torch.Tensor, sizes: Sequence[tuple[int, int]]) -> list[EncodedMask]:
    """The masks of maps, in their order; those without a pixel are left out.

    Args:
        maps: Probabilities, float32 (maps, h, w), on any device.
        sizes: ``(height, width)`` of each map's image, pixels.
    """
    turned = maps.transpose(1, 2).contiguous()  # (maps, w, h): column-major, as RLE walks
    spans = _pixel_spans(turned, [width for _, width in sizes])
    found: list[EncodedMask] = []
    for part in _portions(spans[:, 1] - spans[:, 0], turned.shape[2]):
        found += _encode_some(turned, sizes, spans, part)
    return found


def _pixel_spans(turned: torch.Tensor, widths: Sequence[int]) -> npt.NDArray[np.int64]:
    """First pixel column that a mask may touch and the one behind the last, int64 (maps, 2).

    Interpolation between values that are not above the threshold is not above it either, so
    nothing further than one cell from those above can belong to the mask.
    """
    above = (turned > _THRESHOLD).any(dim=2)
    cells = above.shape[1]
    places = torch.arange(cells, device=above.device)
    first = torch.where(above, places, cells).amin(dim=1)
    behind = torch.where(above, places + 1, 0).amax(dim=1)
    ends = torch.stack([first, behind]).cpu().numpy()
    width = np.asarray(widths, dtype=np.int64)
    ratio = width / cells
    start = np.clip(np.floor((ends[0] - 0.5) * ratio - 0.5).astype(np.int64), 0, width)
    stop = np.clip(np.ceil((ends[1] + 0.5) * ratio - 0.5).astype(np.int64) + 1, 0, width)
    stop = np.where(ends[1] > ends[0], stop, start)
    return np.stack([start, stop], axis=1)


def _portions(columns: npt.NDArray[np.int64], cells: int) -> Iterator[range]:
    """Cut the maps into runs that fit into memory, at least one map each."""
    first, taken = 0, 0
    for place, count in enumerate(columns.tolist()):
        if place > first and (taken + count) * cells > _MAX_CELLS:
            yield range(first, place)
            first, taken = place, 0
        taken += count
    if first < len(columns):
        yield range(first, len(columns))


def _encode_some(
    turned: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
    spans: npt.NDArray[np.int64],
    part: range,
) -> list[EncodedMask]:
    device = turned.device
    shape = np.array([sizes[place] for place in part], dtype=np.int64)
    table = np.concatenate([shape, spans[part.start : part.stop]], axis=1)
    height, width, start, stop = torch.from_numpy(table).to(device).unbind(1)
    which, x = _columns(start, stop, int((table[:, 3] - table[:, 2]).sum()))
    values = _enlarged(turned[part.start : part.stop], which, x, width)
    mask, positions = _toggles(values, which, x, height, int(shape.prod(axis=1).max()) + 1)
    counts = torch.bincount(mask, minlength=len(part))
    boxes = _boxes(mask, positions, height, len(part))
    texts = _texts(mask, positions, counts, height * width)
    found = zip(part, counts.tolist(), boxes.tolist(), texts, strict=True)
    return [
        EncodedMask(place, (float(x0), float(y0), float(x1), float(y1)), Rle(sizes[place], text))
        for place, toggles, (x0, y0, x1, y1), text in found
        if toggles
    ]


def _columns(
    start: torch.Tensor, stop: torch.Tensor, total: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """All pixel columns of all masks in a row: whose they are, and where, int64 (columns,) each."""
    lengths = stop - start
    places = torch.arange(len(start), device=start.device)
    which = places.repeat_interleave(lengths, output_size=total)
    before = lengths.cumsum(0) - lengths
    x = torch.arange(total, device=start.device) - (before - start)[which]
    return which, x


def _enlarged(
    turned: torch.Tensor, which: torch.Tensor, x: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    """The maps at the image's columns and the map's own rows, float32 (columns, h)."""
    cells = turned.shape[1]
    # As interpolate(align_corners=False) does: centres on centres, edges repeated.
    scale = (cells / width.double()).float()[which]
    source = ((x + 0.5) * scale - 0.5).clamp_(min=0)
    low = source.long()
    flat = turned.flatten(0, 1)
    row = which * cells
    values = flat.index_select(0, row + low)
    beyond = flat.index_select(0, row + (low + 1).clamp_(max=cells - 1))
    return values.lerp_(beyond, (source - low)[:, None])


def _toggles(
    values: torch.Tensor, which: torch.Tensor, x: torch.Tensor, height: torch.Tensor, beyond: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where masks begin and end.

    Args:
        values: float32 (columns, h).
        which: The mask of each column.
        x: Its place in the image.
        height: Of each mask's image, pixels.
        beyond: More than any position.

    Returns:
        The mask and the position of each toggle, int64 (toggles,), rising.
    """
    above = torch.nn.functional.pad(values > _THRESHOLD, (1, 1))
    column, cell = (above[:, 1:] != above[:, :-1]).nonzero(as_tuple=True)
    mask = which[column]
    tall = height[mask]
    y = _first_rows(values, column, cell, tall)
    position = x[column] * tall + y
    # A column that ends in the mask and a next one that begins in it meet at one position, as do
    # lines that pass between two pixels: what toggles twice does not toggle.
    code = mask * beyond + position
    last = torch.ones_like(code, dtype=torch.bool)
    last[:-1] = code[1:] != code[:-1]
    ends = last.nonzero().squeeze(1)
    odd = torch.diff(ends, prepend=ends.new_full((1,), -1)) % 2 == 1
    kept = ends[odd]
    return mask[kept], position[kept]


def _first_rows(
    values: torch.Tensor, column: torch.Tensor, cell: torch.Tensor, tall: torch.Tensor
) -> torch.Tensor:
    """The first row of pixels behind each crossing; 0 and ``tall`` where it lies at an edge.

    Args:
        values: float32 (columns, h).
        column: Of each crossing.
        cell: The crossing lies before this cell; 0 and h are the image's edges.
        tall: Height of its image, pixels.
    """
    cells = values.shape[1]
    before = values[column, (cell - 1).clamp(min=0)].double()
    behind = values[column, cell.clamp(max=cells - 1)].double()
    inside = (cell > 0) & (cell < cells)
    step = torch.where(inside, behind - before, 1.0)
    source = cell - 1 + (_THRESHOLD - before) / step
    exact = (source + 0.5) * tall / cells - 0.5
    # A pixel on the crossing has one half, which is not above it.
    row = torch.where(step > 0, exact.floor() + 1, exact.ceil()).long()
    row = torch.minimum(row.clamp_(min=0), tall)
    return torch.where(inside, row, torch.where(cell == 0, 0, tall))


def _boxes(
    mask: torch.Tensor, positions: torch.Tensor, height: torch.Tensor, masks: int
) -> torch.Tensor:
    """Tight boxes, xyxy in pixels, int64 (masks, 4); without meaning for masks without toggles."""
    first, behind = positions[0::2], positions[1::2]
    mask, tall = mask[0::2], height[mask[0::2]]
    left, top = first // tall, first % tall
    right, bottom = (behind - 1) // tall, (behind - 1) % tall
    # Such a run holds the foot of a column and the head of the next one.
    wraps = right > left
    top, bottom = torch.where(wraps, 0, top), torch.where(wraps, tall - 1, bottom)
    least = torch.full((2, masks), torch.iinfo(torch.int64).max, device=positions.device)
    most = torch.full((2, masks), -1, device=positions.device)
    index = mask.expand(2, -1)
    least.scatter_reduce_(1, index, torch.stack([left, top]), "amin")
    most.scatter_reduce_(1, index, torch.stack([right, bottom]), "amax")
    return torch.cat([least, most + 1]).T


def _texts(
    mask: torch.Tensor, positions: torch.Tensor, counts: torch.Tensor, pixels: torch.Tensor
) -> list[str]:
    """COCO's text of each mask's runs; ``maskpool.rle`` tells the format.

    Args:
        mask: Of each toggle, rising.
        positions: Of each toggle, rising within its mask.
        counts: Toggles of each mask.
        pixels: Of each mask's image.
    """
    masks, toggles = len(counts), len(positions)
    lengths = counts + 1  # runs: the last goes on to the image's end
    first = lengths.cumsum(0) - lengths
    bounds = torch.empty(toggles + masks, dtype=torch.int64, device=positions.device)
    bounds[torch.arange(toggles, device=mask.device) + mask] = positions
    bounds[first + counts] = pixels
    owner = torch.arange(masks, device=mask.device).repeat_interleave(
        lengths, output_size=toggles + masks
    )
    place = torch.arange(toggles + masks, device=mask.device) - first[owner]
    runs = torch.where(place > 0, torch.diff(bounds, prepend=bounds[:1]), bounds)
    values = runs.clone()
    values[2:] -= torch.where(place[2:] > 2, runs[:-2], 0)
    written = (runs > 0) | (place < counts[owner])  # the last run is left out where it is empty
    text, letters = _characters(values, written, owner, masks)
    ends = letters.cumsum(0).tolist()
    whole = text.cpu().numpy().tobytes().decode("ascii")
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _characters(
    values: torch.Tensor, written: torch.Tensor, owner: torch.Tensor, masks: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The text of all numbers in a row, uint8, and how many characters are each mask's."""
    shifts = 5 * torch.arange(_GROUPS, device=values.device)
    shifted = values[:, None] >> shifts
    groups = shifted & 0x1F
    rest = shifted >> 5
    # A number ends at the first group after which only copies of its sign bit would follow.
    is_last = torch.where((groups & 0x10) != 0, rest == -1, rest == 0)
    length = is_last.int().argmax(dim=1, keepdim=True)
    place = torch.arange(_GROUPS, device=values.device)
    characters = (groups + torch.where(place < length, 0x20, 0) + 0x30).to(torch.uint8)
    used = (place <= length) & written[:, None]
    letters = torch.zeros(masks, dtype=torch.int64, device=values.device)
    letters.index_add_(0, owner, used.sum(dim=1))
    return characters[used], letters
