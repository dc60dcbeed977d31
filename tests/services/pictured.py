"""A batch whose images are there, whose masks lie beside what they show, with specks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import update

from db.models import JobRow
from maskpool import rle
from maskpool.domain import Found, Instance, JobResult
from producer.pool import Pool
from services.plain_pool import PlainPool

SIDE = 128
#: Of the demo's maps, in pixels of such an image.
CELL = (2.0, 2.0)


def disc(off: int) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.asarray(np.hypot(y, x - off) < 40)


def bar() -> npt.NDArray[np.bool_]:
    """So thin that smoothing loses it."""
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[:, 7] = True
    return mask


def specked(off: int) -> npt.NDArray[np.bool_]:
    mask = disc(off)
    mask[2:4, 100:103] = True
    mask[64, 64] = False
    return mask


class Pictured:
    """A batch of images that are there: a disc each; its masks are beside it, with specks."""

    def __init__(self, pool: Pool, work: PlainPool, folder: Path, count: int) -> None:
        folder.mkdir()
        self.paths = [folder / f"{seq}.png" for seq in range(count)]
        for path in self.paths:
            colours = np.where(disc(0)[..., None], (250, 90, 20), (20, 90, 250))
            Image.fromarray(colours.astype(np.uint8)).save(path)
        work.look = self.look
        self.id = self.annotate(work, count)
        self.pool = replace(
            pool, settings=pool.settings.model_copy(update={"source_roots": (folder,)})
        )

    def annotate(self, work: PlainPool, count: int) -> UUID:
        """A batch over the images."""
        batch_id = work.submit(count)
        with work.database.write() as session:
            for seq, path in enumerate(self.paths):
                session.execute(
                    update(JobRow)
                    .where(JobRow.batch_id == batch_id, JobRow.seq == seq)
                    .values(image_uri=path.as_uri())
                )
        work.drain()
        return batch_id

    def look(self, seq: int) -> JobResult:
        masks = [specked(1), bar()]
        boxes = [rle.box_xyxy(rle.to_runs(rle.encode(mask))) for mask in masks]
        instances = tuple(
            Instance(Found(prompt, 0.9, box, rle.encode(mask)), int(mask.sum()), 0.0)
            for prompt, (mask, box) in enumerate(zip(masks, boxes, strict=True))
        )
        digest = hashlib.sha256(self.paths[seq].read_bytes()).hexdigest()
        return JobResult(seq, SIDE, SIDE, instances, digest)
