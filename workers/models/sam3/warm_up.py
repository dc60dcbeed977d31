"""Everything that service can ask of compiled passes, once before, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from maskpool.errors import ConfigError
from workers.models.sam3.passes import IMAGE_SIZES, ROW_SIZES, Answers, Passes

#: Largest relative error of what a compiler made, without and with bf16.
_MOST_ERROR = {False: 1e-3, True: 0.05}


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
        most_rows: In one pass of the head.

    Raises:
        ConfigError: What was compiled does not compute what was written.
    """
    generator = torch.Generator(text.device).manual_seed(0)
    for count in _needed(IMAGE_SIZES, most_images):
        noise = torch.rand(count, 3, side, side, generator=generator, device=text.device)
        seen, expected = (one.see(noise * 2 - 1) for one in (compiled, plain))
        _agree(f"{count} images", [seen.cells, *seen.finer], [expected.cells, *expected.finer])
        drawn = (one.outlines(expected.finer) for one in (compiled, plain))
        _agree(f"outlines of {count} images", *drawn)
    for count in _needed(ROW_SIZES, most_rows):
        images = [row % len(expected.cells) for row in range(count)]
        rows = text.expand(count, -1, -1), text.new_ones(count, text.shape[1], dtype=torch.bool)
        answers, wanted = (one.ask(expected, images, *rows) for one in (compiled, plain))
        _agree(f"{count} prompts", _numbers(answers), _numbers(wanted))
        kept = [(row, 0) for row in range(count)]
        masks = ([one.draw(expected, wanted, kept)] for one in (compiled, plain))
        _agree(f"{count} masks", *masks)


def _numbers(answers: Answers) -> list[torch.Tensor]:
    """What is read of answers. Logits near zero have no relative error, their probabilities do."""
    return [
        answers.queries,
        answers.cells,
        answers.logits.float().sigmoid(),
        answers.presence.float().sigmoid(),
    ]


def _agree(what: str, mine: Iterable[torch.Tensor], expected: Iterable[torch.Tensor]) -> None:
    for one, other in zip(mine, expected, strict=True):
        error = float((one.float() - other.float()).norm() / other.float().norm())
        if not error <= _MOST_ERROR[torch.is_autocast_enabled(one.device.type)]:
            raise ConfigError(
                f"MASKPOOL_COMPILE: {what}, compiled, are off by {error:.1%} from the models as "
                "they are written; set it to false, and please report it"
            )


def _needed(sizes: Sequence[int], most: int) -> list[int]:
    """The sizes at which up to ``most`` rows run."""
    return [size for before, size in zip((0, *sizes), sizes, strict=False) if before < most]
