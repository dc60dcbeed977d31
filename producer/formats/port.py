"""What a format is: one function that streams images into a file or a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from maskpool.fineness import Fineness
from producer.results.empty import NO_EMPTY_MASKS, EmptyMasks
from producer.results.finer import NO_FINER_MASKS, FinerMasks
from producer.results.records import OpenImages


@dataclass(frozen=True, slots=True)
class Counts:
    """What a dataset holds.

    Attributes:
        images: Those without instances, too.
        annotations: Instances.
        empty: Masks without a pixel, which are left out: no training tool knows what to do with
            them.
        finer: What became of masks that were made finer.
    """

    images: int
    annotations: int
    empty: EmptyMasks = NO_EMPTY_MASKS
    finer: FinerMasks = NO_FINER_MASKS


class Exporter(Protocol):
    """Streams images and writes ``target`` whole; goes on where an interrupted one stopped.

    ``producer.formats.parts.unfinished`` does both: into a file with ``Parts.finish``, into a
    folder with ``Parts.finish_folder``.
    """

    def __call__(
        self,
        target: Path,
        categories: Sequence[str],
        images: OpenImages,
        info: Mapping[str, object],
        *,
        fresh: bool = False,
        say: Callable[[str], None] = ...,
        fineness: Fineness = ...,
    ) -> Counts:
        """Write a dataset, whole or not at all, in memory that does not grow with its size.

        Args:
            target: A file or a folder, as the format has it; an older export is replaced at the
                end.
            categories: Names in the order of their ids; those without instances are kept.
            images: In their order; those without instances count (negatives).
            info: About the dataset, e.g. ``{"description": …, "date_created": …}``; what is to be
                said of empty masks is added.
            fresh: Do not go on with what an interrupted export left.
            say: Takes sentences for the user: that it goes on, or where it was interrupted.
            fineness: What was asked of the masks; what became of them is said in ``info``.

        Raises:
            ConfigError: ``target`` is a folder where a file is written, or the other way round.
            Conflict: Another process writes it, or it is a folder that holds other files.
            ValueError: An instance's category is not among ``categories``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format that datasets are written in.

    Attributes:
        write: Writes one.
        default_target: Name of the file or folder where a user names none.
    """

    write: Exporter
    default_target: str
