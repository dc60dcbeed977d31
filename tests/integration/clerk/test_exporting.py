"""Data sets as files in the store; on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services.clerk_office import Office

from db import seen
from maskpool.domain import new_id
from maskpool.tasks import TaskKind
from storage.objects import keys


def test_a_batch_becomes_a_file_in_the_store(office: Office) -> None:
    batch_id = office.work.submit(12)
    asked = {"batches": [str(batch_id)], "threshold": 0.5}
    assert "wait for it" in office.failed(office.ask(TaskKind.EXPORT, asked))
    office.work.drain()
    with office.work.database.write() as session:
        seen.rename(session, batch_id, "a/b: 1.5 %")
    task_id = office.ask(TaskKind.EXPORT, asked)
    earlier_try = keys.export_object(task_id, new_id(), "coco.json")
    office.store.put(earlier_try, b"of a clerk that died")
    result = office.done(task_id)
    [file] = result["files"]
    assert (file["name"], result["images"], result["annotations"]) == ("coco.json", 12, 24)
    assert file["saved_as"] == "a_b_ 1.5 %-coco.json"
    content = office.store.get(file["key"])
    assert len(content) == file["bytes"]
    assert len(json.loads(content)["images"]) == 12
    assert [one.key for one in office.store.list(keys.EXPORTS)] == [file["key"]]


@pytest.mark.parametrize(
    ("args", "said"), [({"format": "psd"}, "psd"), ({"batches": []}, "batches")]
)
def test_an_export_that_cannot_be(office: Office, args: dict[str, Any], said: str) -> None:
    asked = {"batches": [str(office.work.submit(1))]} | args
    assert said in office.failed(office.ask(TaskKind.EXPORT, asked))
