"""What a clerk can do: a module for each kind of task."""

from __future__ import annotations

from collections.abc import Mapping

from clerk.work import count, delete, expire, export, load, unpack
from clerk.work.port import Kind
from maskpool.tasks import TaskKind

WORK: Mapping[TaskKind, Kind] = {
    TaskKind.LOAD: load,
    TaskKind.UNPACK: unpack,
    TaskKind.EXPORT: export,
    TaskKind.DELETE: delete,
    TaskKind.EXPIRE: expire,
    TaskKind.COUNT: count,
}
