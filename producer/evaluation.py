"""Scoring what was found, as it is stored and, if asked, with its masks made finer beside it.

Figures are those of the stored masks unless somebody asks; what is stored never changes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from maskpool import rle
from maskpool.errors import SourceError, SpecError
from maskpool.fineness import Fineness
from maskpool.reading import ReadingChanges
from producer.export import OnImage, export
from producer.formats.coco.read import CocoFile, CocoMask, read_coco
from producer.pool import Pool
from producer.results.finer import NO_FINER_MASKS, FinerMasks
from producer.scoring.evaluate import compare
from producer.scoring.records import Evaluation


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a comparison gave.

    Attributes:
        stored: The figures of the masks as they are stored.
        finer: Those of finer masks; None where nobody asked.
        made: What became of the masks that were made finer.
        notes: Sentences about what else a reader of the figures must know.
    """

    stored: Evaluation
    finer: Evaluation | None = None
    made: FinerMasks = NO_FINER_MASKS
    notes: tuple[str, ...] = ()


def evaluate_batch(
    pool: Pool,
    reference: str,
    truth: Path,
    *,
    threshold: float | None = None,
    iou: float = 0.5,
    fineness: Fineness = Fineness.NONE,
    say: Callable[[str], None] = lambda _: None,
    on_image: OnImage = lambda _done, _total: None,
) -> Evaluated:
    """Score a batch that is done; what counts is what its export would hold.

    Args:
        pool: Where it is.
        reference: Its id or name.
        truth: COCO instances file with what is there.
        threshold: Least score that counts, instead of the batch's own.
        iou: Least IoU of a match, in (0, 1].
        fineness: How fine its masks are made for figures beside those of the stored ones.
        say: Takes sentences for the user.
        on_image: Called with each image that is made finer.

    Raises:
        MaskpoolError: As ``export`` and ``scoring.evaluate``.
    """
    right, changes = read_coco(truth), ReadingChanges(threshold=threshold)

    def read(folder: Path, level: Fineness) -> tuple[CocoFile, FinerMasks, tuple[str, ...]]:
        target = folder / f"{level.value}.json"
        # The first pass is quick; its sentences and its bar would be those of the second.
        quiet = level is Fineness.NONE
        written = export(
            pool,
            [reference],
            target,
            changes=changes,
            refine=level,
            say=(lambda _: None) if quiet else say,
            on_image=(lambda _done, _total: None) if quiet else on_image,
        )
        read = replace(read_coco(target), path=Path(f"batch {reference}"))
        target.unlink()
        return read, written.finer, tuple(written.notes)

    with tempfile.TemporaryDirectory(prefix="maskpool-") as temporary:
        folder = Path(temporary)
        predicted, _, notes = read(folder, Fineness.NONE)
        # What is in it counts already: by a prompt's own threshold, or as an object.
        stored = compare(predicted, right, threshold=0.0, iou=iou)
        if fineness is Fineness.NONE:
            return Evaluated(stored, notes=notes)
        predicted, made, notes = read(folder, fineness)
    return Evaluated(stored, compare(predicted, right, threshold=0.0, iou=iou), made, notes)


def evaluate_file(
    pred: Path,
    truth: Path,
    *,
    threshold: float,
    iou: float = 0.5,
    fineness: Fineness = Fineness.NONE,
    cells: int | None = None,
    on_image: OnImage = lambda _done, _total: None,
) -> Evaluated:
    """Score a COCO file; see ``scoring.evaluate``.

    Args:
        pred: What was found.
        truth: What is there.
        threshold: Least score that counts, in [0, 1].
        iou: Least IoU of a match, in (0, 1].
        fineness: How fine its masks are made for figures beside those of the file's own; a file
            names no pictures, so ``high`` cannot be had.
        cells: Side of the maps on which its masks were drawn, of whole images.
        on_image: Called with each image whose masks were made finer.

    Raises:
        SourceError: As ``scoring.evaluate``; or the file's masks were made finer already.
        SpecError: Fineness or cells cannot be had of a file.
    """
    if fineness is Fineness.NONE and cells is not None:
        raise SpecError("cells", "says how masks are made finer; it wants refine, too")
    if fineness is Fineness.HIGH:
        reason = "high draws masks to their pictures' edges, and a file of masks has no pictures"
        raise SpecError("refine", f"{reason}; name the batch in place of the file, or say medium")
    if fineness is not Fineness.NONE and cells is None:
        reason = (
            "is not given, and a file does not say on maps of how many cells a side its masks were "
            "drawn; give it, 288 for SAM3 and 64 for demo, or name the batch in place of the file"
        )
        raise SpecError("cells", reason)
    predicted, right = read_coco(pred), read_coco(truth)
    stored = compare(predicted, right, threshold=threshold, iou=iou)
    if cells is None:
        return Evaluated(stored)
    if predicted.refined:
        reason = (
            f"its masks were made finer already ({predicted.refined}); score it as it is, or "
            "export it as it is stored"
        )
        raise SourceError(str(pred), reason)
    finer, made = _made_finer(predicted, right, fineness, cells, on_image)
    found = compare(finer, right, threshold=threshold, iou=iou)
    return Evaluated(stored, found, made, tuple(made.sentences(fineness)))


def _made_finer(
    file: CocoFile, right: CocoFile, fineness: Fineness, cells: int, on_image: OnImage
) -> tuple[CocoFile, FinerMasks]:
    """The masks of a file that the truth has anything to say of, made finer."""
    from producer.refining import refine  # noqa: PLC0415 - takes Pillow

    made, masks = NO_FINER_MASKS, dict(file.masks)
    names = [name for name in file.sizes if name in right.sizes]
    for done, name in enumerate(names, 1):
        height, width = file.sizes[name]
        cell = height / cells, width / cells
        for category in right.categories:
            finer: list[CocoMask] = []
            for one in file.masks.get((name, category), ()):
                new = refine(rle.from_runs(one.runs), fineness, cell)
                finer.append(replace(one, runs=rle.to_runs(new.mask), box_xyxy=new.box))
                made = made.and_those_of(FinerMasks.of([new.taken] if new.area else []))
            masks[name, category] = finer
        on_image(done, len(names))
    return replace(file, masks=masks), made
