"""Everything that service can ask of compiled passes, once before, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from maskpool.errors import ConfigError
from workers.models.sam3.passes import IMAGE_SIZES, ROW_SIZES, Detections, Passes

#: Largest relative error of what a compiler made, without and with bf16.
_MAX_ERROR = {False: 1e-3, True: 0.05}


def warm_up(
    compiled: Passes,
    plain: Passes,
    text: torch.Tensor,
    side: int,
    *,
    most_images: int,
    most_rows: int,
) -> None:
    """Run every pass at every size; a compiler that is wrong must not be believed in service.

    Args:
        compiled: Passes that are compiled by this.
        plain: The same as they are written.
        text: Features of any one prompt, (1, tokens, channels).
        side: Of the squares, pixels.
        most_images: In one micro-batch.
        most_rows: In one pass of the detector.

    Raises:
        ConfigError: What was compiled does not compute what was written.
    """
    generator = torch.Generator(text.device).manual_seed(0)
    for count in _needed(IMAGE_SIZES, most_images):
        noise = torch.rand(count, 3, side, side, generator=generator, device=text.device)
        image_features, expected = (one.encode(noise * 2 - 1) for one in (compiled, plain))
        _agree(
            f"{count} images",
            [image_features.cells, *image_features.finer],
            [expected.cells, *expected.finer],
        )
        drawn = (one.fine_features(expected.finer) for one in (compiled, plain))
        _agree(f"fine features of {count} images", *drawn)
    for count in _needed(ROW_SIZES, most_rows):
        images = [row % len(expected.cells) for row in range(count)]
        rows = text.expand(count, -1, -1), text.new_ones(count, text.shape[1], dtype=torch.bool)
        detections, wanted = (one.detect(expected, images, *rows) for one in (compiled, plain))
        _agree(f"{count} prompts", _numbers(detections), _numbers(wanted))
        kept = [(row, 0) for row in range(count)]
        masks = ([one.decode_masks(expected, wanted, kept)] for one in (compiled, plain))
        _agree(f"{count} masks", *masks)


def _numbers(detections: Detections) -> list[torch.Tensor]:
    """What is read of detections; probabilities, since logits near zero have no relative error."""
    return [
        detections.queries,
        detections.cells,
        detections.logits.float().sigmoid(),
        detections.presence.float().sigmoid(),
    ]


def _agree(what: str, mine: Iterable[torch.Tensor], expected: Iterable[torch.Tensor]) -> None:
    for one, other in zip(mine, expected, strict=True):
        error = float((one.float() - other.float()).norm() / other.float().norm())
        if not error <= _MAX_ERROR[torch.is_autocast_enabled(one.device.type)]:
            raise ConfigError(
                f"MASKPOOL_COMPILE: {what}, compiled, are off by {error:.1%} from the models as "
                "they are written; set it to false, and please report it"
            )


def _needed(sizes: Sequence[int], most: int) -> list[int]:
    """The sizes at which up to ``most`` rows run."""
    return [size for before, size in zip((0, *sizes), sizes, strict=False) if before < most]
