"""``unpack``: take the images of an uploaded archive out of it."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from sqlalchemy.orm import Session

from clerk.work.port import Finished, Work
from db.tasks import TakenTask
from maskpool.strict import Strict
from producer.archives.unpack import unpack
from storage.objects import keys


class UnpackArgs(Strict):
    """Which archive.

    Attributes:
        upload: It is a file of this upload.
        name: Under this name.
    """

    upload: UUID
    name: str


def do(work: Work) -> Finished:
    """See ``Kind.do``. Another clerk starts over: the same names get the same bytes."""
    args = UnpackArgs.read(work.task.args)
    unpacked = unpack(
        work.pool,
        args.upload,
        args.name,
        fence=work.fence,
        on_file=lambda done, total: work.step(done=done, total=total),
    )
    archive = keys.upload_object(args.upload, args.name)
    # Only then: if this clerk died before its end was written, the next one needs the archive.
    return Finished(asdict(unpacked), lambda: work.pool.store().delete([archive]))


def undo(session: Session, task: TakenTask) -> None:
    """What came out stays until the upload goes: its user may see and use it."""
