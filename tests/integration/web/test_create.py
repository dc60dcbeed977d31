"""Making batches at the door: of what somebody may read and of nothing else, and once a key."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door
from sqlalchemy import insert, select, update

from clerk.work.export import ExportArgs
from db import upload_files, uploads
from db.models import BatchRow, IdempotencyRow, JobRow, TaskRow, UploadFileRow
from db.upload_files import NewFile, UploadFile
from maskpool.domain import new_id
from maskpool.fineness import Fineness
from maskpool.tasks import TaskKind
from producer import tasks
from producer.accounts import grants
from producer.accounts.audit import Actor
from producer.accounts.rights import Right
from producer.accounts.teams import find
from producer.load import LoadArgs, load
from storage.objects import keys

BUCKET, HOST = "s3://photos/2026/", "https://images.example.org/"
SPEC = {"prompts": ["bus", {"text": "car", "not": ["van"]}], "threshold": 0.6}


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    allowed = {"source_buckets": ("photos",), "source_hosts": ("*.example.org",)}
    with open_door(database_url, tmp_path, **allowed) as door:
        team = find(door.pool, "cats")
        grants.grant(door.pool, Actor(None, "test"), team, "bucket", "photos/2026")
        grants.grant(door.pool, Actor(None, "test"), team, "host", "images.example.org")
        yield door


def post(door: Door, source: Any, *, who: str = "maker", key: str = "", **more: Any) -> Any:
    headers = door.token(who, Right.SUBMIT, Right.READ)
    if key:
        headers["idempotency-key"] = key
    body = {"spec": SPEC, "source": source} | more
    return door.client.post("/api/v1/batches", json=body, headers=headers)


def an_upload(door: Door, count: int = 2, who: str = "maker") -> str:
    with door.pool.database.write() as session:
        upload = uploads.create(session, user_id=door.users[who], team_id=None, name="yard", days=1)
        for n in range(count):
            whole = UploadFile(f"{n}.jpg", 1, "0" * 64)
            upload_files.note(session, [NewFile(upload, whole)])
            door.pool.store().put(keys.upload_object(upload, f"{n}.jpg"), b"x")
    return str(upload)


def test_granted_addresses_become_a_batch_of_the_team(door: Door) -> None:
    answer = post(door, {"images": [f"{BUCKET}a.jpg", f"{HOST}b.jpg"]}, name="street")
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert (batch["name"], batch["state"], batch["total"]) == ("street", "active", 2)
    assert (batch["owner"], batch["team"]) == ("maker", str(door.team))
    with door.pool.database.read() as session:
        rows = session.execute(select(JobRow.name, JobRow.image_uri).order_by(JobRow.seq)).all()
        reading = session.scalar(select(BatchRow.reading))
    assert [tuple(row) for row in rows] == [
        ("2026/a.jpg", f"{BUCKET}a.jpg"),
        ("images.example.org/b.jpg", f"{HOST}b.jpg"),
    ]
    assert reading["threshold"] == 0.6


def test_a_spec_file_is_read_with_the_line_of_what_is_wrong(door: Door) -> None:
    def read(text: str) -> Any:
        headers = door.token("maker", Right.SUBMIT)
        return door.client.post("/api/v1/specs", json={"text": text}, headers=headers)

    found = read("threshold: 0.4\nprompts:\n  - {text: bus, not: [van], min_area: 9}\n").json()
    assert found["spec"]["threshold"] == 0.4
    [bus] = found["spec"]["prompts"]
    assert (bus["name"], bus["not"], bus["min_area"]) == ("bus", ["van"], 9)
    assert post(door, {"uploads": [an_upload(door)]}, spec=found["spec"]).status_code == 201
    wrong = read("prompts:\n  - bus\n  - [\n")
    assert (wrong.status_code, wrong.json()["params"]["field"]) == (422, "line 4")
    assert read("- a\n" * 30_000).json()["code"] == "request.invalid", "it would take seconds"


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("", "yaml.empty", {}),
        ("prompts: [", "yaml.broken", {"line": 1}),
        ("a: &x 1\nb: *x", "yaml.alias", {"line": 2}),
        ("a: 1\na: 2", "yaml.twice", {"line": 2, "name": "a"}),
        ("? [a]\n: 1", "yaml.name", {"line": 1}),
        ("a: " + "[" * 40, "yaml.deep", {"line": 1, "limit": 32}),
        ("\0", "yaml.none", {}),
        ("prompts: [yes]", "prompt.no_text", {"value": "True"}),
        ("prompts: [not a bus]", "prompt.begins_with_not", {"quoted": '"not a bus"'}),
        ("prompts: ['bus,']", "prompt.comma", {"text": "bus,"}),
        ("prompts: ['bus, not van, car']", "prompt.comma_in_not", {"text": "van, car"}),
        ("prompts: ['bus, not. b']", "prompt.ends_with_not", {"text": "bus, not. b"}),
        ("prompts: [a=b=c]", "prompt.equals", {"text": "a=b=c"}),
        ("prompts: ['bus, not a=b']", "prompt.late_name", {"text": "bus, not a=b"}),
        ("prompts: ['a \"b, not c']", "prompt.open_quote", {"text": 'a "b'}),
        ("prompts: ['\"bus\"']", "prompt.quotes", {"plain": "bus"}),
        ("prompts: [{text: bus, min_area: 9, max_area: 2}]", "reading.areas", {"least": 9}),
        ("prompts: [{text: bus, colour: red}]", "spec.refused", {"unfit": "pattern"}),
        ("prompts: [bus]\nthreshold: 2", "spec.refused", {"unfit": "most", "count": 1}),
        ("prompts: [bus]\nsize: 2", "spec.refused", {"unfit": "unknown", "field": "size"}),
    ],
)
def test_what_is_wrong_in_a_spec_file_has_a_code(
    door: Door, text: str, code: str, params: dict[str, Any]
) -> None:
    headers = door.token("maker", Right.SUBMIT)
    answer = door.client.post("/api/v1/specs", json={"text": text}, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code), problem
    assert {name: problem["params"].get(name) for name in params} == params, problem


@pytest.mark.parametrize("who", ["maker", "owner", "admin", "viewer", "other team's owner"])
def test_those_who_may_submit_for_a_team_see_its_places(door: Door, who: str) -> None:
    answer = door.client.get("/api/v1/places", headers=door.cookie(who))
    found = [(one["kind"], one["place"]) for one in answer.json()] if who != "viewer" else []
    assert answer.status_code == (403 if who == "viewer" else 200)
    sees = who in ("maker", "owner", "admin")
    assert found == [("bucket", "photos/2026/"), ("host", "images.example.org")] * sees


NOT_GRANTED = {
    "s3://photos/2025/a.jpg": "place.bucket",
    "s3://photos/2026/../2025/a.jpg": "place.key",
    "s3://other/2026/a.jpg": "place.bucket",
    "https://evil.example.org/a.jpg": "place.host",
    "file:///etc/passwd": "place.kind",
    "/etc/passwd": "place.kind",
    "http://169.254.169.254/latest": "place.host",
}


@pytest.mark.parametrize("kind", ["images", "places"])
def test_what_was_not_granted_is_refused(door: Door, kind: str) -> None:
    for uri, code in NOT_GRANTED.items():
        answer = post(door, {kind: [f"{BUCKET}a.jpg", uri]})
        assert answer.status_code == 422, answer.text
        assert (answer.json()["code"], answer.json()["params"]) == (code, {"place": uri})


def test_a_refused_address_shows_no_password(door: Door) -> None:
    for uri in ("https://ann:s3cret@evil.example.org/a.jpg?k=s3cret", "https://ann:s3cret?@x/a"):
        for kind in ("images", "places"):
            answer = post(door, {kind: [uri]})
            assert answer.status_code == 422
            assert "s3cret" not in answer.text


def test_the_pools_own_store_is_read_by_nobody(door: Door) -> None:
    for inside in ("sources/x/a.jpg", "uploads/x/a.jpg", "masks/v1/x", ""):
        uri = f"{door.pool.settings.store_url}/{inside}"
        for who, kind in (("maker", "images"), ("admin", "places")):
            refused = post(door, {kind: [uri]}, who=who).json()["code"]
            assert refused == ("place.own_store" if uri.startswith("s3://") else "place.kind"), uri


def test_an_upload_of_somebody_else_is_not_there(door: Door) -> None:
    theirs = an_upload(door, who="colleague")
    assert post(door, {"uploads": [theirs]}).status_code == 404


def test_an_upload_becomes_a_batch_at_once(door: Door) -> None:
    upload = an_upload(door)
    answer = post(door, {"uploads": [upload]})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["total"], answer.json()["name"]) == (2, "yard")


def test_a_sample_of_an_upload_is_a_batch_that_says_of_how_many(door: Door) -> None:
    source = {"uploads": [an_upload(door, 12)]}
    made = post(door, source, sample={"images": 4, "seed": 7})
    assert made.status_code == 201, made.text
    batch = made.json()
    assert batch["total"] == 4
    assert batch["sample"] == {"images": 4, "seed": 7, "of": 12}
    headers = door.token("maker", Right.READ)
    [listed] = door.client.get("/api/v1/batches", headers=headers).json()["batches"]
    assert listed["sample"] == batch["sample"]
    whole = post(door, source).json()
    assert (whole["total"], whole["sample"]) == (12, None)
    other = post(door, source, sample={"images": 4, "seed": 8}).json()
    assert names(door, batch["id"]) != names(door, other["id"])


def test_a_sample_of_a_list_may_be_waited_for_where_the_whole_may_not(door: Door) -> None:
    source = {"images": [f"{BUCKET}{n}.jpg" for n in range(101)]}
    refused = post(door, source, **{"class": "now"})
    assert (refused.status_code, "now is for 100 images" in refused.text) == (422, True)
    made = post(door, source, sample={"images": 20}, **{"class": "now"})
    assert made.json()["sample"] == {"images": 20, "seed": 0, "of": 101}
    assert made.json()["total"] == len(set(names(door, made.json()["id"]))) == 20


def test_a_key_stands_for_one_sample(door: Door) -> None:
    source = {"uploads": [an_upload(door, 5)]}
    headers = door.token("maker", Right.SUBMIT)

    def ask(sample: dict[str, int] | None) -> Any:
        body = {"spec": SPEC, "source": source, "sample": sample, "key": "k"}
        return door.client.post("/api/v1/batches", json=body, headers=headers)

    first, again = ask({"images": 2}), ask({"images": 2})
    assert first.json()["id"] == again.json()["id"]
    for other in ({"images": 3}, {"images": 2, "seed": 1}, None):
        refused = ask(other)
        assert refused.status_code == 409, other
        assert "which is of a sample of 2 images" in refused.json()["detail"]


def test_the_clerk_draws_a_sample_of_what_is_larger(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.create.MAX_AT_ONCE", 5)
    asked = post(door, {"uploads": [an_upload(door, 9)]}, sample={"images": 3, "seed": 2})
    assert asked.status_code == 202, asked.text
    with door.pool.database.read() as session:
        stored = session.scalar(select(TaskRow.args))
    made = load(door.pool, LoadArgs.read(stored), key="task")
    assert made.total == 3
    with door.pool.database.read() as session:
        drawn = session.scalar(select(BatchRow.sample))
    assert drawn == {"images": 3, "seed": 2, "of": 9}


def names(door: Door, batch: str) -> list[str]:
    with door.pool.database.read() as session:
        which = JobRow.batch_id == UUID(batch)
        return list(session.scalars(select(JobRow.name).where(which).order_by(JobRow.seq)))


def test_what_is_not_in_a_batch_is_said(door: Door) -> None:
    upload = an_upload(door)
    with door.pool.database.write() as session:
        session.execute(insert(UploadFileRow).values(upload_id=UUID(upload), name="half.jpg"))
        whole = {"upload_id": UUID(upload), "name": "late.zip", "size": 1, "sha256": "0"}
        session.execute(insert(UploadFileRow).values(**whole))
    made = post(door, {"uploads": [upload]})
    assert made.status_code == 201, made.text
    left_out = {".zip": 1, "file whose parts are not all there": 1}
    assert made.json()["passed_over"] == left_out


@pytest.mark.parametrize(
    ("body", "said", "sentence"),
    [
        ('{"nam": "x"}', "application/json", "nam: is no field that is known here; is it spelled"),
        ('{"team": 7}', "application/json", "team: "),
        ('{"name": 7} x', "application/json", "body: is no JSON from character 12 on"),
        ('{"name": "x"}', "text/plain", "send one, with Content-Type: application/json"),
        ("", "application/json", "send one, with Content-Type: application/json"),
        ("[]", "application/json", "body: is no JSON object"),
    ],
)
def test_a_body_that_is_wrong_is_told_in_plain_words(
    door: Door, body: str, said: str, sentence: str
) -> None:
    headers = {**door.token("maker", Right.UPLOAD), "content-type": said}
    answer = door.client.post("/api/v1/uploads", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert sentence in answer.json()["detail"]


def test_whoever_may_not_is_told_which_right_it_takes(door: Door) -> None:
    answer = door.client.get("/api/v1/batches", headers=door.token("maker", Right.UPLOAD))
    assert answer.json()["detail"] == "this needs the right read, which you have not here"
    assert door.client.get("/api/v1/batches").headers["www-authenticate"] == "Bearer"
    no_source = post(door, {})
    assert no_source.json()["detail"].startswith("source: name uploads, a manifest, places or")


def test_a_prefix_is_listed_by_the_clerk(door: Door) -> None:
    answer = post(door, {"places": [BUCKET]}, priority="high")
    assert answer.status_code == 202, answer.text
    task = tasks.find(door.pool, UUID(answer.json()["task"]))
    args = LoadArgs.read(task.args)
    assert (args.owner, args.team, args.sources) == ("maker", door.team, (BUCKET,))
    assert args.question.prompts[1].negatives == ("van",)
    assert args.question.threshold == 0.6
    assert args.question.max_overlap is None


def a_manifest(door: Door, **size: Any) -> dict[str, Any]:
    upload = an_upload(door)
    row = {"upload_id": UUID(upload), "name": "list.txt", "size": 9, "sha256": "0"} | size
    with door.pool.database.write() as session:
        session.execute(insert(UploadFileRow).values(row))
    return {"upload": upload, "file": "list.txt"}


def test_a_manifest_is_read_by_the_clerk_and_never_in_the_request(door: Door) -> None:
    named = a_manifest(door)
    answer = post(door, {"manifest": named}, key="m")
    assert answer.status_code == 202, "its file is not even in the store"
    assert post(door, {"manifest": named}, key="m").json() == answer.json()
    args = LoadArgs.read(tasks.find(door.pool, UUID(answer.json()["task"])).args)
    assert args.manifest is not None
    assert (str(args.manifest.upload), args.manifest.file) == (named["upload"], "list.txt")
    assert (args.uploads, args.sources, args.team) == ((), (), door.team)


@pytest.mark.parametrize(
    ("size", "file", "said"),
    [
        ({}, "0.jpg", "'0.jpg' is no manifest by its name (.csv, .tsv, .jsonl,"),
        ({}, "other.txt", "'other.txt' is not in this upload; bring it first"),
        ({"size": None, "sha256": None}, "list.txt", "parts of 'list.txt' are missing"),
    ],
)
def test_what_cannot_be_read_as_a_manifest_is_refused_at_once(
    door: Door, size: dict[str, Any], file: str, said: str
) -> None:
    answer = post(door, {"manifest": a_manifest(door, **size) | {"file": file}})
    assert answer.json()["params"]["field"] == "source.manifest.file"
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True)


def test_a_manifest_of_somebody_else_is_not_there(door: Door) -> None:
    assert post(door, {"manifest": a_manifest(door)}, who="of no team").status_code == 404


WRONG: list[Any] = [
    {"source": {"manifest": {"upload": str(new_id())}}},
    {"source": {"manifest": {"upload": "x", "file": "a.txt"}}},
    {"source": {"manifest": {"upload": str(new_id()), "file": "a.txt"}, "places": [BUCKET]}},
    {"source": {}},
    {"source": {"images": []}},
    {"source": {"images": [f"{BUCKET}a.jpg"], "places": [BUCKET]}},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "name": "a\0b"},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "class": "soon"},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "team": "x"},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "more": 1},
    {"source": {"images": [f"{BUCKET}{n}.jpg" for n in range(101)]}, "class": "now"},
    {"source": {"images": [f"{BUCKET}a.jpg"] * 2}},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "spec": {"prompts": []}},
    {"source": {"images": [f"{BUCKET}a.jpg"]}, "spec": {"prompts": ["a"], "thresh": 1}},
]


def test_a_request_that_is_wrong_is_refused_and_leaves_nothing(door: Door) -> None:
    for body in WRONG:
        more = {name: value for name, value in body.items() if name != "source"}
        answer = post(door, body["source"], key="k", **more)
        assert answer.status_code == 422, (body, answer.text)
    with door.pool.database.read() as session:
        assert session.scalars(select(BatchRow)).all() == []
        assert session.scalars(select(IdempotencyRow)).all() == []


def test_who_names_too_many_addresses_is_told_what_to_do(door: Door) -> None:
    answer = post(door, {"images": [f"{BUCKET}{n}.jpg" for n in range(100_001)]})
    assert (answer.status_code, answer.json()["params"]["field"]) == (422, "source.images")
    assert "make several batches, or name the prefix" in answer.json()["detail"]
    parts = door.client.app.openapi()["components"]["schemas"]  # type: ignore[attr-defined]
    assert parts["Source"]["properties"]["images"]["maxItems"] == 100_000


def test_a_long_list_of_addresses_is_a_batch_at_once_and_one_key_makes_it_once(door: Door) -> None:
    images = {"images": [f"{(BUCKET, HOST)[n % 2]}{n}.jpg" for n in range(12_000)]}
    first, again = (post(door, images, key="long") for _ in range(2))
    assert (first.status_code, first.json()["total"]) == (201, 12_000)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    with door.pool.database.read() as session:
        uris = session.scalars(select(JobRow.image_uri).order_by(JobRow.seq)).all()
    assert uris == images["images"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("s3://others/1.jpg", "is in no bucket that your team may read"),
        ("https://elsewhere.example.org/1.jpg", "is on no host that your team may read"),
        ("https://10.0.0.1/1.jpg", "is on no host that your team may read"),
        ("/etc/passwd", "is no s3://, http:// or https:// address"),
    ],
)
def test_one_address_that_is_refused_refuses_a_long_list(door: Door, wrong: str, said: str) -> None:
    images = [f"{BUCKET}{n}.jpg" for n in range(2_500)]
    images[2_345] = wrong
    answer = post(door, {"images": images})
    assert answer.status_code == 422
    assert "images[2345]" in answer.json()["detail"]
    assert said in answer.json()["detail"]
    with door.pool.database.read() as session:
        assert session.scalars(select(BatchRow)).all() == []


def test_a_team_must_be_named_where_there_are_several(door: Door) -> None:
    images = {"images": [f"{BUCKET}a.jpg"]}
    other = post(door, images, team=str(door.other_team))
    assert (other.status_code, other.json()["params"]["field"]) == (422, "team")
    assert other.json()["code"] == "batch.team"
    assert post(door, images, who="of no team").json()["code"] == "place.bucket"


def test_the_same_key_gives_the_same_answer(door: Door) -> None:
    images = {"images": [f"{BUCKET}a.jpg"]}
    first = post(door, images, key="k")
    again = post(door, images, key="k")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    other = post(door, {"images": [f"{BUCKET}b.jpg"]}, key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.body")
    assert post(door, images, who="owner", key="k").json()["id"] != first.json()["id"]
    task = post(door, {"places": [BUCKET]}, key="t")
    assert post(door, {"places": [BUCKET]}, key="t").json() == task.json()


def test_while_it_is_in_flight_it_is_not_done_twice(door: Door) -> None:
    images = {"images": [f"{BUCKET}a.jpg"]}
    first = post(door, images, key="k")
    with door.pool.database.write() as session:
        session.execute(update(IdempotencyRow).values(status=None))
    waits = post(door, images, key="k")
    assert (waits.status_code, waits.json()["code"]) == (409, "idempotency.in_flight")
    # Its process died: after a minute it is made again, and finds what it had made.
    with door.pool.database.write() as session:
        session.execute(update(IdempotencyRow).values(created_at=1))
    assert post(door, images, key="k").json()["id"] == first.json()["id"]


def test_many_at_once_make_one_batch(door: Door) -> None:
    headers = {**door.token("maker", Right.SUBMIT), "idempotency-key": "k"}
    body = {"spec": SPEC, "source": {"images": [f"{BUCKET}a.jpg"]}}

    def send(_: int) -> int:
        return int(door.client.post("/api/v1/batches", json=body, headers=headers).status_code)

    with ThreadPoolExecutor(6) as pool:
        statuses = set(pool.map(send, range(12)))
    assert statuses <= {201, 409}
    with door.pool.database.read() as session:
        assert len(session.scalars(select(BatchRow)).all()) == 1


def test_a_batch_that_is_deleted_is_gone_at_once(door: Door) -> None:
    batch = post(door, {"images": [f"{BUCKET}a.jpg"]}).json()["id"]
    headers = door.token("maker", Right.DELETE, Right.READ)
    answer = door.client.delete(f"/api/v1/batches/{batch}", headers=headers)
    assert answer.status_code == 202
    assert door.client.get(f"/api/v1/batches/{batch}", headers=headers).status_code == 404
    task = door.client.get(f"/api/v1/tasks/{answer.json()['task']}", headers=headers).json()
    assert (task["kind"], task["state"], task["files"]) == ("delete", "waiting", [])


def test_an_export_is_asked_given_up_and_downloaded(door: Door) -> None:
    batch = post(door, {"images": [f"{BUCKET}a.jpg"]}).json()["id"]
    headers = door.token("maker", Right.EXPORT, Right.READ, Right.CHANGE)
    body = {"batches": [batch], "threshold": 0.7}
    asked = door.client.post("/api/v1/exports", json=body, headers=headers)
    assert asked.status_code == 202, asked.text
    task = f"/api/v1/tasks/{asked.json()['task']}"
    key = "exports/x/sub/ä.json"
    with door.pool.database.write() as session:
        row = session.scalars(select(TaskRow)).one()
        assert ExportArgs.read(row.args).threshold == 0.7
        # Not said where it is not asked: a clerk of the version before knows no such word.
        assert "refine" not in row.args
        plain = {"name": "sub/ä.json", "key": key, "bytes": 3_000_000}
        # As a clerk of the version before leaves it, and as this one does.
        row.result = {"files": [plain, {**plain, "name": "b", "saved_as": "ö-b"}], "n": 1}
    content = bytes(range(250)) * 12_000
    door.pool.store().put(key, content)
    told = door.client.get(task, headers=headers).json()
    assert (told["result"], told["files"]) == (
        {"n": 1},
        [
            {"name": "sub/ä.json", "size": 3_000_000, "saved_as": "ä.json"},
            {"name": "b", "size": 3_000_000, "saved_as": "ö-b"},
        ],
    )
    got = door.client.get(f"{task}/files/sub/ä.json", headers=headers)
    assert got.content == content
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A4.json"
    got = door.client.get(f"{task}/files/b", headers=headers)
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%B6-b"
    for said, start, stop in (
        ("bytes=2999990-", 2_999_990, 3_000_000),
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-2500000", 1_000_000, 2_500_001),
        ("bytes=-7", 2_999_993, 3_000_000),
        ("bytes=5-9999999", 5, 3_000_000),
    ):
        part = {**headers, "Range": said, "If-Range": got.headers["etag"]}
        came = door.client.get(f"{task}/files/b", headers=part)
        assert (came.status_code, came.content) == (206, content[start:stop]), said
        assert came.headers["content-range"] == f"bytes {start}-{stop - 1}/3000000"
        assert came.headers["content-length"] == str(stop - start)
    for said, version in (
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=5-", '"of another file"'),
    ):
        part = {**headers, "Range": said} | ({"If-Range": version} if version else {})
        came = door.client.get(f"{task}/files/b", headers=part)
        assert (came.status_code, len(came.content)) == (200, 3_000_000), said
    for said in ("bytes=3000000-", "bytes=-0"):
        came = door.client.get(f"{task}/files/b", headers={**headers, "Range": said})
        assert (came.status_code, came.json()["code"]) == (416, "download.range")
        assert came.headers["content-range"] == "bytes */3000000"
    assert door.client.get(f"{task}/files/other", headers=headers).status_code == 404
    assert door.client.post(f"{task}/cancel", headers=headers).json()["state"] == "cancelled"
    page = door.client.get("/api/v1/tasks", headers=headers).json()
    assert ([one["id"] for one in page["tasks"]], page["next"]) == ([asked.json()["task"]], None)
    wrong = door.client.post("/api/v1/exports", json={**body, "format": "doc"}, headers=headers)
    assert wrong.json()["code"] == "spec.refused"
    finer = door.client.post("/api/v1/exports", json={**body, "refine": "low"}, headers=headers)
    with door.pool.database.read() as session:
        row = session.get_one(TaskRow, UUID(finer.json()["task"]))
        assert ExportArgs.read(row.args).refine is Fineness.LOW
    wrong = door.client.post("/api/v1/exports", json={**body, "refine": "fine"}, headers=headers)
    assert wrong.status_code == 422, wrong.text


def test_tasks_come_page_by_page_newest_first(door: Door) -> None:
    headers = door.token("maker", Right.READ)
    with door.pool.database.write() as session:
        made = [
            tasks.create(session, TaskKind.EXPORT, {}, user_id=door.users["maker"])
            for _ in range(3)
        ]
        tasks.create(session, TaskKind.EXPORT, {}, user_id=door.users["of no team"])
        # Of one moment, so that their ids alone tell them apart.
        session.execute(update(TaskRow).values(created_at=1_000))

    def page(**query: str) -> dict[str, Any]:
        got = door.client.get("/api/v1/tasks", params={"limit": "2", **query}, headers=headers)
        assert got.status_code == 200, got.text
        return dict(got.json())

    first = page()
    second = page(after=first["next"])
    seen = [one["id"] for one in (*first["tasks"], *second["tasks"])]
    assert (seen, second["next"]) == ([str(one) for one in reversed(made)], None)
    assert page(batch=str(new_id()))["tasks"] == []
    refused = door.client.get("/api/v1/tasks", params={"after": "x"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "cursor")
