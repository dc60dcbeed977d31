"""Manifests in uploads that become batches: what lines may name, and what is said of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from services.clerk_office import Office, load_args
from sqlalchemy import select, update

from clerk.leases import Holding
from db import batches
from db.models import BatchRow, JobRow, TeamRow, UploadFileRow, UploadRow, UploadUseRow, UserRow
from maskpool import failpoints
from maskpool.tasks import TaskKind, TaskState
from producer.accounts import grants, teams
from producer.accounts.audit import Actor
from producer.accounts.rights import Role
from storage.objects import keys

PNG = b"\x89PNG that nobody opens"
BUCKET, HOST = "s3://photos/2026/", "https://images.example.org/"
ACTOR = Actor(None, "test")


def args_of(office: Office, upload_id: UUID, file: str, **more: Any) -> dict[str, Any]:
    named = {"upload": str(upload_id), "file": file}
    args = load_args(manifest=named, **more)
    return args if "team" in args else args | {"team": str(team_of(office))}


def team_of(office: Office) -> UUID:
    """Ann's team, which may read from one bucket and one host."""
    office.user()
    with office.pool.database.read() as session:
        found = session.scalar(select(TeamRow.id).where(TeamRow.name == "cats"))
    if found is not None:
        return found
    told = {"source_hosts": ("*.example.org",), "source_buckets": ("photos",)}
    office.pool = replace(office.pool, settings=office.pool.settings.model_copy(update=told))
    team = teams.find(office.pool, str(teams.create(office.pool, ACTOR, "cats")))
    grants.grant(office.pool, ACTOR, team, "bucket", "photos/2026")
    grants.grant(office.pool, ACTOR, team, "host", "images.example.org")
    teams.put_member(office.pool, ACTOR, team, "ann", Role.ANNOTATOR)
    return team.id


def loaded(office: Office, upload_id: UUID, file: str, **more: Any) -> dict[str, Any]:
    return office.done(office.ask(TaskKind.LOAD, args_of(office, upload_id, file, **more)))


def refused(office: Office, upload_id: UUID, file: str, **more: Any) -> str:
    said = office.failed(office.ask(TaskKind.LOAD, args_of(office, upload_id, file, **more)))
    assert office.count(BatchRow, JobRow, UploadUseRow) == [0, 0, 0]
    return said


def jobs(office: Office) -> list[tuple[str, str, str | None]]:
    with office.pool.database.read() as session:
        asked = select(JobRow.name, JobRow.image_uri, JobRow.prompts).order_by(JobRow.seq)
        return [(row.name, row.image_uri, row.prompts) for row in session.execute(asked)]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("list.txt", f"# ours\n{BUCKET}a.jpg\n\n{HOST}b.jpg?key=1\r\nin/c d.png\n"),
        ("list.csv", f"name;image\n;{BUCKET}a.jpg\n;{HOST}b.jpg?key=1\n;in/c d.png\n"),
        ("LIST.TSV", f"\ufeffurl\n{BUCKET}a.jpg\n{HOST}b.jpg?key=1\n in/c d.png \n"),
        ("list.jsonl", f'"{BUCKET}a.jpg"\n{{"uri": "{HOST}b.jpg?key=1"}}\n"./in/c d.png"'),
        ("a.manifest", f'"{BUCKET}a.jpg"\n\n"{HOST}b.jpg?key=1"\n"in/x/../c d.png"\n'),
    ],
)
def test_every_format_of_the_command_line_is_read(office: Office, file: str, content: str) -> None:
    upload_id = office.upload({file: content.encode(), "in/c d.png": PNG, "not.png": PNG})
    result = loaded(office, upload_id, file)
    assert (result["images"], result["passed_over"]) == (3, {})
    inside = office.store.uri(keys.upload_object(upload_id, "in/c d.png"))
    assert jobs(office) == [
        ("2026/a.jpg", f"{BUCKET}a.jpg", None),
        ("images.example.org/b.jpg", f"{HOST}b.jpg?key=1", None),
        ("in/c d.png", inside, None),
    ]
    with office.pool.database.read() as session:
        batch = session.scalars(select(BatchRow)).one()
        use = session.scalars(select(UploadUseRow)).one()
        assert (batch.source, batch.name) == (f"upload:{upload_id}/{file}", "up")
        assert (use.upload_id, use.batch_id) == (upload_id, batch.id), "its files must stay"


def test_paths_are_those_below_the_manifests_folder(office: Office) -> None:
    files = {"may/list.txt": b"1.png\n../june/2.png\n", "may/1.png": PNG, "june/2.png": PNG}
    upload_id = office.upload(files)
    assert loaded(office, upload_id, "may/list.txt")["images"] == 2
    uris = [office.store.uri(keys.upload_object(upload_id, n)) for n in ("may/1.png", "june/2.png")]
    assert [one[:2] for one in jobs(office)] == [("1.png", uris[0]), ("june/2.png", uris[1])]


def test_lines_give_names_and_ask_for_their_image_alone(office: Office) -> None:
    box = '{"objects": [{"class": "cone", "box": [1, 2, 30, 40]}]}'
    lines = (
        f'{{"image": "a.png", "name": "x/1", "prompts": {box}}}\n{{"image": "a.png", "name": "2"}}'
    )
    upload_id = office.upload({"list.jsonl": lines.encode(), "a.png": PNG})
    # Two hundred of them would not do, as class now takes a hundred: the bound holds as well.
    loaded(office, upload_id, "list.jsonl", klass="now")
    assert [(name, prompts is not None) for name, _, prompts in jobs(office)] == [
        ("x/1", True),
        ("2", False),
    ]
    with office.pool.database.read() as session:
        assert session.scalars(select(BatchRow.spec)).one()["classes"] == ["cone"]


def test_every_line_that_is_refused_is_told_with_its_number(office: Office) -> None:
    store = office.pool.settings.store_url
    wrong = {
        f"{BUCKET}../2025/a.jpg": "has an empty part, . or ..",
        "s3://photos/2025/a.jpg": "is in no bucket that your team may read; ask an admin",
        "https://other.example.org/a.jpg?key=secret": "is on no host that your team may read",
        "https://ann:secret@images.example.org/a.jpg": "line 5: this address ",
        "https://169.254.169.254/latest": "is on no host",
        "file:///etc/passwd": "is a file on a disk, which is not read from here",
        "/etc/passwd": "leads out of the upload",
        "../other/1.png": "leads out of the upload",
        f"{store}/uploads/x/a.png": "line 9: ",
        "gone.png": "is not in this upload; bring it first",
        "half.png": "send the parts that are missing first",
        "list.txt": "is no image by its name",
        "upload:01a1fcdc-b907-771a-84fd-d7ac484311e2/a.png": "is not in this upload",
        "ftp://images.example.org/a.jpg": "is no s3://, http:// or https:// address",
    }
    content = "\n".join(["a.png", *wrong, "a.png"]).encode()
    upload_id = office.upload({"list.txt": content, "a.png": PNG, "half.png": PNG})
    with office.pool.database.write() as session:
        half = update(UploadFileRow).where(UploadFileRow.name == "half.png")
        session.execute(half.values(size=None, sha256=None))
    said = refused(office, upload_id, "list.txt")
    assert said.startswith("list.txt: 14 lines are refused, so no batch was made")
    for number, (line, reason) in enumerate(wrong.items(), start=2):
        assert reason in said, line
        assert f"line {number}: " in said, line
    assert "secret" not in said
    assert "line 1: " not in said


def test_of_many_bad_lines_the_first_are_told_and_all_are_counted(office: Office) -> None:
    content = "".join(f"gone-{n}.png\na.png\n" for n in range(1_234))
    upload_id = office.upload({"list.txt": content.encode(), "a.png": PNG})
    said = refused(office, upload_id, "list.txt")
    assert "1,234 lines are refused" in said
    assert said.count("line ") == 20
    assert said.endswith("and 1,214 more")
    assert len(said) < 3_000


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.txt", "a.png\n".encode("utf-16"), "line 1: is UTF-16"),
        ("a.txt", b"gone.png\n\xff\n", "is not UTF-8; save the manifest as UTF-8; what stands"),
        ("a.txt", b"# nothing\n", "there is no image in it"),
        ("a.txt", b"", "there is no image in it"),
        ("a.txt", b"a.png\na.png\n", "'a.png' appears more than once: line 1, line 2"),
        ("a.jsonl", b'{"uri": "a.png"\n"a.png"\n7\n', "2 lines are refused"),
        ("a.jsonl", b'{"uri": "a.png", "prompts": 7}\n', "1 line is refused"),
        ("a.csv", b"colour\nred\n", "the first row must name the columns"),
        ("a.csv", b"image,name\na.png\n", "has 1 columns, but the first row names 2"),
        ("a.csv", b'image\n"a.png\n' + b"b.png\n" * 40_000, "line 2: is no CSV (field larger"),
        ("a.csv", b'image\n"' + b'\n","' * 300_000, "line 2: is a row of more than 1,048,576"),
        ("a.txt", b"x" * 2_000_000, "is longer than 1,048,576 bytes"),
        ("a.png", b"a.png\n", "is no manifest"),
        ("away.txt", None, "is not in the upload any more; bring it again"),
    ],
)
def test_a_manifest_that_is_no_use_leaves_no_batch(
    office: Office, file: str, content: bytes | None, said: str
) -> None:
    files = {"a.png": PNG} | ({} if content is None else {file: content})
    assert said in refused(office, office.upload(files), file)


def test_more_than_a_hundred_lines_are_not_of_class_now(office: Office) -> None:
    content = "".join(f"{HOST}{n}.jpg\n" for n in range(101)).encode()
    said = refused(office, office.upload({"list.txt": content}), "list.txt", klass="now")
    assert "more than 100 images" in said


def test_rights_are_looked_at_when_it_is_loaded(office: Office) -> None:
    upload_id = office.upload(
        {"list.txt": f"{HOST}a.jpg\n".encode(), "own.txt": b"a.png\n", "a.png": PNG}
    )
    team = teams.find(office.pool, str(team_of(office)))
    [host] = [one for one in grants.listing(office.pool, team.id) if one.kind == "host"]
    grants.take_back(office.pool, ACTOR, team, host.id)
    assert "is on no host that your team may read" in refused(office, upload_id, "list.txt")
    said = refused(office, upload_id, "list.txt", team=None)
    assert "is on no host that your team may read" in said, "without a team nothing is granted"
    # It is given to somebody else meanwhile.
    with office.pool.database.write() as session:
        session.execute(update(UploadRow).values(user_id=another(office)))
    assert "there is no upload" in refused(office, upload_id, "own.txt")


def another(office: Office) -> int:
    with office.pool.database.write() as session:
        batches._owner_id(session, "bob")
        return session.scalar(select(UserRow.id).where(UserRow.name == "bob")) or 0


def test_a_clerk_that_stops_while_it_looks_at_lines_gives_the_task_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "".join(f"{HOST}{n}.jpg\n" for n in range(2_500)).encode()
    upload_id, step = office.upload({"list.txt": content}), Holding.step
    told: list[dict[str, Any]] = []

    def drained(holding: Holding, **progress: Any) -> None:
        told.append(progress)
        if progress:
            office.keeper.drain()
        step(holding, **progress)

    task_id = office.ask(TaskKind.LOAD, args_of(office, upload_id, "list.txt"))
    monkeypatch.setattr(Holding, "step", drained)
    assert "given back" in office.run(task_id)
    assert told[-1] == {"lines": 1_000}
    assert (office.row(task_id).state, office.count(BatchRow)) == (TaskState.WAITING, [0])


class _Killed(BaseException):
    """Stands for a clerk that dies: no code of ours sees it."""


def test_another_clerk_goes_on_with_what_is_loaded_and_nothing_is_double(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.jobs.block_size", lambda _: 400)
    content = "".join(f"{HOST}{n}.jpg\n" for n in range(1_000)).encode()
    upload_id, blocks = office.upload({"list.txt": content}), 0

    def killed(place: str) -> None:
        nonlocal blocks
        blocks += place == "submit.block_committed"
        if blocks == 2:
            raise _Killed

    task_id = office.ask(TaskKind.LOAD, args_of(office, upload_id, "list.txt"))
    monkeypatch.setattr(failpoints, "reach", killed)
    with pytest.raises(_Killed):
        office.run(task_id)
    assert office.count(JobRow) == [800]
    monkeypatch.setattr(failpoints, "reach", lambda _: None)
    with office.pool.database.write() as session:
        row = session.get(type(office.row(task_id)), task_id)
        assert row is not None
        row.state, row.lease_id = TaskState.WAITING, None
    assert office.done(task_id)["images"] == 1_000
    assert [one[1] for one in jobs(office)] == [f"{HOST}{n}.jpg" for n in range(1_000)]
    assert office.count(BatchRow) == [1]


def test_it_lies_in_no_batch_that_is_made_of_its_upload(office: Office) -> None:
    upload_id = office.upload({"list.csv": b"image\na.png\n", "a.png": PNG})
    result = office.done(office.ask(TaskKind.LOAD, load_args(upload_id)))
    assert (result["images"], result["passed_over"]) == (1, {".csv": 1})


def test_beside_another_source_it_is_one_batch(office: Office) -> None:
    first = office.upload({"a.png": PNG})
    second = office.upload({"list.txt": b"b.png\n", "b.png": PNG, "c.png": PNG})
    args = args_of(office, second, "list.txt") | {"uploads": [str(first)]}
    assert office.done(office.ask(TaskKind.LOAD, args))["images"] == 2
    assert [one[0] for one in jobs(office)] == ["a.png", "b.png"]
    assert office.count(UploadUseRow) == [2]
