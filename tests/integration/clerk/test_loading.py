"""Uploads that become batches; on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from services.clerk_office import Office, load_args
from sqlalchemy import select

from clerk.leases import Holding
from db.models import BatchRow, JobRow, UploadUseRow
from maskpool.domain import BatchState, new_id
from maskpool.tasks import TaskKind, TaskState
from producer import tasks
from producer.accounts import grants, teams, users
from producer.accounts.audit import Actor
from producer.accounts.rights import Role
from storage.objects import keys

PNG = b"\x89PNG that nobody opens"


def test_an_upload_becomes_a_batch(office: Office) -> None:
    upload_id, team = office.upload({"a.png": PNG, "b/c d.jpg": PNG, "n.txt": b"x"}), new_id()
    task_id = office.ask(TaskKind.LOAD, load_args(upload_id, team=str(team), name="streets"))
    result = office.done(task_id)
    assert (result["images"], result["passed_over"]) == (2, {".txt": 1})
    with office.pool.database.read() as session:
        batch = session.scalars(select(BatchRow)).one()
        facts = (batch.id, batch.state, batch.name, batch.team_id)
        uris = session.scalars(select(JobRow.image_uri).order_by(JobRow.seq)).all()
        use = session.scalars(select(UploadUseRow)).one()
        used = (use.upload_id, use.batch_id)
    batch_id = UUID(result["batch"])
    assert facts == (batch_id, BatchState.ACTIVE, "streets", team)
    assert uris[1] == office.store.uri(keys.upload_object(upload_id, "b/c d.jpg"))
    assert used == (upload_id, batch_id)
    assert office.row(task_id).batch_id == batch_id


def test_two_uploads_become_one_batch(office: Office) -> None:
    both = office.upload({"a.png": PNG}), office.upload({"b.png": PNG})
    assert office.done(office.ask(TaskKind.LOAD, load_args(*both)))["images"] == 2
    assert office.count(UploadUseRow) == [2]


def test_what_was_granted_is_looked_at_again_when_it_is_loaded(office: Office) -> None:
    """Between the request and the clerk, a grant or a membership may have been taken back."""
    office.user()
    hosts = {"source_hosts": ("images.org",)}
    office.pool = replace(office.pool, settings=office.pool.settings.model_copy(update=hosts))
    actor, image = Actor(None, "test"), "https://images.org/a.jpg"
    team = teams.find(office.pool, str(teams.create(office.pool, actor, "cats")))
    granted = grants.grant(office.pool, actor, team, "host", "images.org")
    teams.put_member(office.pool, actor, team, "ann", Role.ANNOTATOR)
    args = load_args(sources=[image], team=str(team.id))

    def refusal(key: str) -> str:
        return office.failed(office.ask(TaskKind.LOAD, args | {"key": key}))

    assert office.done(office.ask(TaskKind.LOAD, args))["images"] == 1
    grants.take_back(office.pool, actor, team, granted.id)
    assert "on no host that your team may read" in refusal("b")
    grants.grant(office.pool, actor, team, "host", "images.org")
    teams.remove_member(office.pool, actor, team, "ann")
    assert "may not submit for this team" in refusal("c")
    teams.put_member(office.pool, actor, team, "ann", Role.ANNOTATOR)
    users.deactivate(office.pool, actor, "ann")
    assert "ann is deactivated" in refusal("d")
    assert office.count(BatchRow) == [1]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "nothing is named"),
        ({"sources": ["/etc"]}, "is no place that is read"),
        ({"sources": ["s3://others/images"]}, "MASKPOOL_SOURCE_BUCKETS"),
        ({"question": {"prompts": []}}, "nothing is asked"),
        ({"question": {"model": "gone", "prompts": ["bus"]}}, "gone"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_refused_is_the_tasks_error(
    office: Office, args: dict[str, Any], said: str
) -> None:
    uploads = [office.upload({"a.png": PNG})] if "question" in args else []
    assert said in office.failed(office.ask(TaskKind.LOAD, load_args(*uploads) | args))
    assert office.count(BatchRow) == [0]


@pytest.mark.parametrize(
    ("uploads", "said"),
    [
        ([{"n.txt": b"x"}], "there is no image in it"),
        ([{"a.png": PNG}, {"a.png": PNG}], "'a.png' appears more than once"),
        ([{f"{n}.png": b"" for n in range(101)}], "more than 100 images"),
    ],
)
def test_a_source_that_is_refused_leaves_no_batch(
    office: Office, uploads: list[dict[str, bytes]], said: str
) -> None:
    made = [office.upload(files) for files in uploads]
    assert said in office.failed(office.ask(TaskKind.LOAD, load_args(*made, klass="now")))
    assert office.count(BatchRow, JobRow, UploadUseRow) == [0, 0, 0]


def test_a_cancelled_load_leaves_no_batch(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = office.ask(TaskKind.LOAD, load_args(office.upload({"a.png": PNG})))
    step = Holding.step

    def cancelled(holding: Holding, **progress: Any) -> None:
        if progress:
            tasks.cancel(office.pool, task_id)
        step(holding, **progress)

    monkeypatch.setattr(Holding, "step", cancelled)
    assert "dropped" in office.run(task_id)
    assert office.row(task_id).state == TaskState.CANCELLED
    with office.pool.database.read() as session:
        assert session.scalar(select(BatchRow.state)) == BatchState.LOADING
    monkeypatch.undo()
    assert office.done(office.ask(TaskKind.EXPIRE, {})) == {"loads": 1}
    assert office.count(BatchRow, JobRow) == [0, 0]
