"""Uploads: what somebody brings through the door, begun, found, listed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from db import upload_files, uploads
from db.upload_files import UploadFile
from db.uploads import Upload
from maskpool.errors import Conflict, NotFound, SpecError
from maskpool.tasks import TaskKind
from producer import parts, tasks
from producer.accounts import teams
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right
from producer.pictured import OfUpload
from producer.pool import Pool
from storage.objects import keys

#: Characters of an upload's own name.
_MAX_TITLE = 200


def create(
    pool: Pool,
    caller: Caller,
    *,
    name: str,
    team_id: UUID | None,
    also: Callable[[Session, Upload], None] = lambda *_: None,
) -> Upload:
    """Begin an upload; ``also`` writes in the same transaction.

    Raises:
        SpecError: The name is too long.
        NotFound: The caller is in no such team.
    """
    if len(name) > _MAX_TITLE or "\0" in name:
        raise SpecError(
            "name",
            f"must have at most {_MAX_TITLE} characters and no NUL",
            code="upload.title",
            params={"limit": _MAX_TITLE},
        )
    if team_id is not None and not caller.may(Right.UPLOAD, owner_id=None, team_id=team_id):
        _require_member(caller, team_id)
    if team_id is not None:
        teams.find(pool, str(team_id))  # an admin may for all, but not for one that is not there
    with pool.database.write() as session:
        upload_id = uploads.create(
            session,
            user_id=caller.user_id,
            team_id=team_id,
            name=name,
            days=pool.settings.upload_days,
        )
        found = uploads.find(session, upload_id)
        assert found is not None  # noqa: S101 - made a moment ago, in this transaction
        also(session, found)
    return found


def _require_member(caller: Caller, team_id: UUID) -> None:
    # An annotator brings images of their own for the team, and a viewer none.
    if team_id not in caller.teams:
        raise NotFound(f"there is no team {team_id}, or you are not in it")
    if not caller.may(Right.SUBMIT, owner_id=None, team_id=team_id):
        raise Refused(f"you may not bring images for team {team_id}", code="upload.team")


def find(pool: Pool, caller: Caller, upload_id: UUID, right: Right = Right.READ) -> Upload:
    """An upload that the caller may see, and use in this way.

    Raises:
        NotFound: There is none, or none that the caller may see.
        Refused: The caller may see it, but not this.
    """
    with pool.database.read() as session:
        return find_in(session, caller, upload_id, right)


def find_in(session: Session, caller: Caller, upload_id: UUID, right: Right = Right.READ) -> Upload:
    """As ``find``, within a transaction."""
    return require(caller, uploads.find(session, upload_id), upload_id, right)


def require(caller: Caller, found: Upload | None, upload_id: UUID, right: Right) -> Upload:
    """An upload that was looked for, if the caller may use it in this way; raises as ``find``."""
    if found is not None and _may(caller, right, found):
        return found
    if found is None or not _may(caller, Right.READ, found):
        raise uploads.gone(upload_id)
    raise Refused(
        f"you may see upload {upload_id}, but the right {right!s} does not reach it",
        code="auth.right",
        params={"right": str(right)},
    )


def _may(caller: Caller, right: Right, found: Upload) -> bool:
    return caller.may(right, owner_id=found.user_id, team_id=found.team_id)


def listing(pool: Pool, caller: Caller, *, after: UUID | None, limit: int) -> list[Upload]:
    """Uploads that the caller may see, newest first."""
    with pool.database.read() as session:
        return uploads.listing(
            session,
            user_id=caller.user_id,
            team_ids=caller.teams_for(Right.READ),
            after=after,
            limit=limit,
        )


def files(pool: Pool, upload: Upload, *, after: str, limit: int) -> list[UploadFile]:
    """One page of an upload's files, by name."""
    with pool.database.read() as session:
        return upload_files.files(session, upload.id, after=after, limit=limit)


def remove_file(pool: Pool, upload: Upload, name: str) -> None:
    """Delete a file that no batch uses: of an upload that one uses, one that is not whole yet.

    Raises:
        Conflict: A batch uses the upload, and the file is whole.
        NotFound: There is no such file.
    """
    with pool.database.write() as session:
        # Held from here on, so that nobody notes meanwhile that the file is whole.
        uploads.require(session, upload.id)
        there = upload_files.file(session, upload.id, name)
        if there is None:
            raise NotFound(f"there is no file {name!r} in upload {upload.id}")
        used = (uploads.find(session, upload.id) or upload).used
        if used and there.size is not None:
            sentence = f"a batch uses upload {upload.id}; its files stay as long as that batch"
            raise Conflict(sentence, code="upload.used")
        upload_files.remove(session, upload.id, name)
    parts.forget(pool, upload.id, name)
    if there.sha256 is None:  # an object of its name is of somebody who sends it just now
        return
    pictures = OfUpload(upload.id, name, there.sha256).keys()
    pool.store().delete([keys.upload_object(upload.id, name), *pictures])


def remove(pool: Pool, upload: Upload) -> UUID:
    """Delete an upload: it is gone at once, the clerk clears its files away.

    Returns:
        The task that does so.

    Raises:
        Conflict: A batch uses it.
    """
    if upload.used:
        sentence = f"a batch uses upload {upload.id}; delete that batch first"
        raise Conflict(sentence, code="upload.used")
    with pool.database.write() as session:
        uploads.hide(session, upload.id)
        task_id = tasks.create(
            session,
            TaskKind.DELETE,
            {"upload": str(upload.id)},
            user_id=upload.user_id,
            team_id=upload.team_id,
        )
    pool.wake()
    return task_id
