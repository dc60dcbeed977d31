"""A clerk in this process: its runner over a real database and a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db import batches, trash
from db.clock import now_ms
from db.models import TaskRow, UploadFileRow, UploadRow, UserRow
from maskpool.domain import new_id
from maskpool.ports import ObjectStore
from maskpool.tasks import TaskKind, TaskState
from producer import tasks
from producer.pool import Pool
from services.plain_pool import PlainPool
from storage.objects import keys


@dataclass
class Office:
    """A pool, its workers' part, and one clerk that does what the test hands it."""

    pool: Pool
    work: PlainPool
    keeper: TaskKeeper

    @property
    def store(self) -> ObjectStore:
        return self.work.store

    def user(self) -> int:
        with self.pool.database.write() as session:
            batches._owner_id(session, "ann")
            return session.scalar(select(UserRow.id).where(UserRow.name == "ann")) or 0

    def ask(self, kind: TaskKind, args: Mapping[str, Any]) -> UUID:
        with self.pool.database.write() as session:
            return tasks.create(session, kind, dict(args))

    def delete(self, batch_id: UUID) -> UUID:
        """Delete a batch, without its day in the trash; the task that clears it away."""
        user_id = self.user()
        with self.pool.database.write() as session:
            trash.put(session, batch_id, user_id)
            return trash.clear_now(session, batch_id)

    def run(self, task_id: UUID) -> str:
        return TaskRunner(self.pool, self.keeper).run(task_id)

    def row(self, task_id: UUID) -> TaskRow:
        return tasks.find(self.pool, task_id)

    def done(self, task_id: UUID) -> dict[str, Any]:
        self.run(task_id)
        row = self.row(task_id)
        assert (row.state, row.error) == (TaskState.DONE, None)
        return row.result or {}

    def failed(self, task_id: UUID) -> str:
        self.run(task_id)
        row = self.row(task_id)
        assert row.state == TaskState.FAILED
        return row.error or ""

    def count(self, *tables: Any) -> list[int]:
        with self.pool.database.read() as session:
            return [session.scalar(select(func.count()).select_from(one)) or 0 for one in tables]

    def upload(self, files: Mapping[str, bytes]) -> UUID:
        upload_id, owner = new_id(), self.user()
        with self.pool.database.write() as session:
            now = session.scalar(select(now_ms())) or 0
            times = {"created_at": now, "expires_at": now + 9_000_000}
            session.add(UploadRow(id=upload_id, user_id=owner, name="up", **times))
            session.flush()
            for name, content in files.items():
                whole = {"size": len(content), "sha256": "0"}
                session.add(UploadFileRow(upload_id=upload_id, name=name, **whole))
        for name, content in files.items():
            self.store.put(keys.upload_object(upload_id, name), content)
        return upload_id


def load_args(*uploads: UUID, **more: Any) -> dict[str, Any]:
    named = [str(one) for one in uploads]
    return {"question": {"prompts": ["bus"]}, "uploads": named, "owner": "ann", **more}


def zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
