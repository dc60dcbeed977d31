"""What the matrix must be told of the routes: the right of each, and how its thing is made.

A new route is one line in ``ROUTES``. Where its path has parameters that no other has, it is also a
function in ``THINGS``; where the example of its body would not do, a line in ``BODIES``.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from sqlalchemy import update

from db import accounts, scratch, tasks, trash, upload_files, uploads
from db.batches import NewBatch
from db.models import BatchRow, TaskRow
from maskpool.domain import ImageRef
from maskpool.glossary import Kind, Word
from maskpool.tasks import TaskKind
from producer import glossary
from producer.accounts import grants, sessions, tokens
from producer.accounts.audit import Actor
from producer.accounts.rights import Right, Role
from producer.accounts.teams import find
from services.door import Door, Thing
from services.plain_pool import SPEC, PlainPool
from storage.objects import keys

#: None: open to everybody.
ROUTES: dict[str, Right | None] = {
    "GET /healthz": None,
    "GET /readyz": None,
    "POST /api/v1/session": None,
    "GET /login/local": None,
    "GET /": None,
    "GET /login": None,
    "GET /api/docs": None,
    "GET /try": None,
    "GET /batches": None,
    "GET /batches/new": None,
    "GET /batches/{batch_id}": None,
    "GET /glossary": None,
    "GET /pool": None,
    "GET /account": None,
    "GET /static/{mark}/{name:path}": None,
    "GET /api/v1/session": Right.ACCOUNT,
    "DELETE /api/v1/session": Right.ACCOUNT,
    "PUT /api/v1/session/password": Right.ACCOUNT,
    "GET /api/v1/sessions": Right.ACCOUNT,
    "DELETE /api/v1/sessions/{session_id}": Right.ACCOUNT,
    "GET /api/v1/tokens": Right.ACCOUNT,
    "POST /api/v1/tokens": Right.ACCOUNT,
    "DELETE /api/v1/tokens/{token_id}": Right.ACCOUNT,
    "GET /api/v1/users": Right.USERS,
    "POST /api/v1/users": Right.USERS,
    "POST /api/v1/users/{user_id}/reset": Right.USERS,
    "POST /api/v1/users/{user_id}/deactivate": Right.USERS,
    "POST /api/v1/users/{user_id}/activate": Right.USERS,
    "POST /api/v1/users/{user_id}/hand-over": Right.USERS,
    "GET /api/v1/teams": Right.TEAM,
    "POST /api/v1/teams": Right.USERS,
    "GET /api/v1/teams/{team_id}/members": Right.TEAM,
    "PUT /api/v1/teams/{team_id}/members/{user_name}": Right.TEAM,
    "DELETE /api/v1/teams/{team_id}/members/{user_name}": Right.TEAM,
    "GET /api/v1/teams/{team_id}/grants": Right.TEAM,
    "POST /api/v1/teams/{team_id}/grants": Right.USERS,
    "DELETE /api/v1/teams/{team_id}/grants/{grant_id}": Right.USERS,
    "GET /api/v1/audit": Right.USERS,
    "POST /api/v1/uploads": Right.UPLOAD,
    "GET /api/v1/uploads": Right.READ,
    "GET /api/v1/uploads/{upload_id}": Right.READ,
    "DELETE /api/v1/uploads/{upload_id}": Right.DELETE,
    "GET /api/v1/uploads/{upload_id}/files": Right.READ,
    "PUT /api/v1/uploads/{upload_id}/files/{name:any_text}": Right.UPLOAD,
    "DELETE /api/v1/uploads/{upload_id}/files/{name:any_text}": Right.DELETE,
    "GET /api/v1/uploads/{upload_id}/parts/{name:any_text}": Right.READ,
    "POST /api/v1/uploads/{upload_id}/tar": Right.UPLOAD,
    "GET /api/v1/glossary": Right.READ,
    "GET /api/v1/glossary/csv": Right.READ,
    "POST /api/v1/glossary/csv": Right.USERS,
    "POST /api/v1/glossary/revert": Right.USERS,
    "PUT /api/v1/glossary/{word}": Right.USERS,
    "DELETE /api/v1/glossary/{word}": Right.USERS,
    "POST /api/v1/glossary/compose": Right.READ,
    "GET /api/v1/teams/{team_id}/glossary": Right.READ,
    "GET /api/v1/teams/{team_id}/glossary/csv": Right.READ,
    "POST /api/v1/teams/{team_id}/glossary/csv": Right.SUBMIT,
    "POST /api/v1/teams/{team_id}/glossary/revert": Right.SUBMIT,
    "PUT /api/v1/teams/{team_id}/glossary/{word}": Right.SUBMIT,
    "DELETE /api/v1/teams/{team_id}/glossary/{word}": Right.SUBMIT,
    "GET /api/v1/batches": Right.READ,
    "POST /api/v1/batches": Right.SUBMIT,
    "GET /api/v1/places": Right.SUBMIT,
    "POST /api/v1/specs": Right.SUBMIT,
    "DELETE /api/v1/batches/{batch_id}": Right.DELETE,
    "GET /api/v1/trash": Right.READ,
    "POST /api/v1/trash/{deleted_id}/restore": Right.DELETE,
    "DELETE /api/v1/trash/{deleted_id}": Right.DELETE,
    "POST /api/v1/exports": Right.EXPORT,
    "GET /api/v1/tasks": Right.READ,
    "GET /api/v1/tasks/{task_id}": Right.READ,
    "POST /api/v1/tasks/{task_id}/cancel": Right.CHANGE,
    "GET /api/v1/tasks/{task_id}/files/{name:path}": Right.EXPORT,
    "GET /api/v1/batches/{batch_id}": Right.READ,
    "PATCH /api/v1/batches/{batch_id}": Right.CHANGE,
    "POST /api/v1/batches/{batch_id}/pause": Right.CHANGE,
    "POST /api/v1/batches/{batch_id}/resume": Right.CHANGE,
    "POST /api/v1/batches/{batch_id}/cancel": Right.CHANGE,
    "POST /api/v1/batches/{batch_id}/retry": Right.CHANGE,
    "GET /api/v1/batches/{batch_id}/reading": Right.READ,
    "PUT /api/v1/batches/{batch_id}/reading": Right.CHANGE,
    "GET /api/v1/batches/{batch_id}/reading/history": Right.READ,
    "GET /api/v1/batches/{batch_id}/counts": Right.READ,
    "GET /api/v1/batches/{batch_id}/histogram": Right.READ,
    "GET /api/v1/batches/{batch_id}/failures": Right.READ,
    "GET /api/v1/batches/{batch_id}/failures/kinds": Right.READ,
    "GET /api/v1/batches/{batch_id}/images": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}/masks/{ordinal}.png": Right.READ,
    "GET /api/v1/uploads/{upload_id}/thumbnail/{name:any_text}": Right.READ,
    "GET /api/v1/uploads/{upload_id}/view/{name:any_text}": Right.READ,
    "GET /api/v1/uploads/{upload_id}/original/{name:any_text}": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}/thumbnail": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}/view": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}/original": Right.READ,
    "GET /api/v1/batches/{batch_id}/images/{seq}/link": Right.READ,
    "POST /api/v1/predict": Right.PREDICT,
    "GET /api/v1/predictions/{prediction_id}": Right.PREDICT,
    "POST /api/v1/predictions/{prediction_id}/keep": Right.SUBMIT,
    "GET /api/v1/pool": Right.POOL,
    "GET /api/v1/models": Right.READ,
    "GET /api/v1/events": Right.READ,
}

_ACTOR = Actor(None, "test")

_CSV = "word,kind,english\n国槐,noun,pagoda tree\n".encode()


def a_tar() -> bytes:
    """An archive with nothing in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w"):
        pass
    return made.getvalue()


def a_session(door: Door) -> Thing:
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        sessions.begin(session, accounts.by_id(session, maker), agent="other", address="")
        [latest, *_] = sessions.rows.listing(session, maker)
    return Thing({"session_id": latest.id}, owner_id=maker, private=True)


def a_token(door: Door) -> Thing:
    maker = door.users["maker"]
    made = tokens.issue(door.pool, _ACTOR, maker, "thing", rights=[Right.READ], days=1)
    return Thing({"token_id": made.token.id}, owner_id=maker, private=True)


def a_user(door: Door) -> Thing:
    return Thing({"user_id": door.user(door.new_name())}, private=True)


def a_team(door: Door) -> Thing:
    return Thing({"team_id": door.team}, team_id=door.team)


def a_member(door: Door) -> Thing:
    name = door.new_name()
    door.user(name, {door.team: Role.VIEWER})
    return Thing({"team_id": door.team, "user_name": name}, team_id=door.team)


def a_grant(door: Door) -> Thing:
    team = find(door.pool, "cats")
    made = grants.grant(door.pool, _ACTOR, team, "bucket", f"bucket-{door.new_name()}")
    return Thing({"team_id": door.team, "grant_id": made.id}, team_id=door.team)


def a_word(door: Door) -> Thing:
    glossary.put(door.pool, _ACTOR, None, [Word("国槐", Kind.NOUN, door.new_name())])
    return Thing({"word": "国槐"}, private=True)


def a_word_of_a_team(door: Door) -> Thing:
    new = [Word("国槐", Kind.NOUN, door.new_name())]
    glossary.put(door.pool, _ACTOR, find(door.pool, "cats"), new)
    return Thing({"team_id": door.team, "word": "国槐"}, team_id=door.team)


def a_batch(door: Door, *, done: bool = False) -> Thing:
    """The maker's, in the first team."""
    pool = PlainPool(door.pool.database, door.pool.store())
    batch_id = pool.submit(1)
    if done:
        pool.drain()
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        owned = {"owner_id": maker, "team_id": door.team}
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(owned))
    path = {"batch_id": batch_id, "seq": 0, "ordinal": 0}
    return Thing(path, owner_id=maker, team_id=door.team)


def a_result(door: Door) -> Thing:
    return a_batch(door, done=True)


def a_batch_in_the_trash(door: Door) -> Thing:
    batch = a_batch(door)
    batch_id = UUID(str(batch.path["batch_id"]))
    with door.pool.database.write() as session:
        trash.put(session, batch_id, door.users["maker"])
    return replace(batch, path={"deleted_id": batch_id})


def a_task(door: Door) -> Thing:
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        task_id = tasks.create(
            session, TaskKind.EXPORT, {}, user_id=maker, team_id=door.team, batch_id=None
        )
        key = f"exports/{task_id}/coco.json"
        result = {"files": [{"name": "coco.json", "key": key, "bytes": 2}]}
        session.execute(update(TaskRow).where(TaskRow.id == task_id).values(result=result))
    door.pool.store().put(key, b"{}")
    return Thing({"task_id": task_id, "name": "coco.json"}, owner_id=maker, team_id=door.team)


def an_upload(door: Door) -> Thing:
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        upload_id = uploads.create(session, user_id=maker, team_id=door.team, name="thing", days=1)
        whole = upload_files.UploadFile("a.jpg", 4, "0" * 64)
        upload_files.note(session, [upload_files.NewFile(upload_id, whole)])
    door.pool.store().put(keys.upload_object(upload_id, "a.jpg"), b"jpeg")
    return Thing({"upload_id": upload_id, "name": "a.jpg"}, owner_id=maker, team_id=door.team)


def a_prediction(door: Door) -> Thing:
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        new = NewBatch("maker", door.new_name(), "s", "demo", SPEC.dump(), "predict")
        batch_id = scratch.find_or_create(session, new, door.team)
        seq = scratch.append(session, batch_id, ImageRef("a.png", "file:///images/a.png"))
    path = {"prediction_id": f"{batch_id}.{seq}"}
    return Thing(path, owner_id=maker, team_id=door.team)


#: By the parameters of a path, in their order. Each makes a new thing of the maker's and of the
#: first team, as far as it is anybody's.
THINGS: dict[tuple[str, ...], Callable[[Door], Thing]] = {
    ("session_id",): a_session,
    ("token_id",): a_token,
    ("user_id",): a_user,
    ("team_id",): a_team,
    ("team_id", "user_name"): a_member,
    ("team_id", "grant_id"): a_grant,
    ("word",): a_word,
    ("team_id", "word"): a_word_of_a_team,
    ("upload_id",): an_upload,
    ("upload_id", "name"): an_upload,
    ("batch_id",): a_batch,
    ("deleted_id",): a_batch_in_the_trash,
    ("task_id",): a_task,
    ("task_id", "name"): a_task,
    ("batch_id", "seq"): a_result,
    ("batch_id", "seq", "ordinal"): a_result,
    ("prediction_id",): a_prediction,
}


def a_batch_of_an_upload(door: Door) -> tuple[Thing, object]:
    upload = an_upload(door)
    source = {"uploads": [str(upload.path["upload_id"])]}
    return upload, {"spec": {"prompts": ["bus"]}, "source": source}


def an_export_of_a_batch(door: Door) -> tuple[Thing, object]:
    batch = a_batch(door, done=True)
    return batch, {"batches": [str(batch.path["batch_id"])], "format": "coco"}


def a_question_about_an_image(door: Door) -> tuple[Thing, object]:
    batch = a_batch(door, done=True)
    named = {"batch": str(batch.path["batch_id"]), "image": 0}
    return batch, {**named, "prompts": [{"text": "bus"}]}


#: Where the body names what the route works on: what that is, and the body.
NAMED: dict[str, Callable[[Door], tuple[Thing, object]]] = {
    "POST /api/v1/batches": a_batch_of_an_upload,
    "POST /api/v1/exports": an_export_of_a_batch,
    "POST /api/v1/predict": a_question_about_an_image,
}

#: Instead of the example in the API's description.
BODIES: dict[str, object] = {
    # Whoever has not a right cannot give it to a token.
    "POST /api/v1/tokens": {"name": "nightly", "rights": ["read"]},
    # The example names a prompt of another batch.
    "PUT /api/v1/batches/{batch_id}/reading": {"threshold": 0.5},
    "PUT /api/v1/uploads/{upload_id}/files/{name:any_text}": b"jpeg",
    "POST /api/v1/uploads/{upload_id}/tar": a_tar(),
    "POST /api/v1/glossary/csv": _CSV,
    "POST /api/v1/teams/{team_id}/glossary/csv": _CSV,
}

#: Queries that a route asks for.
QUERIES: dict[str, dict[str, str]] = {
    "GET /api/v1/uploads/{upload_id}/parts/{name:any_text}": {"of": "2"},
    # Nobody answers here.
    "POST /api/v1/predict": {"wait": "0"},
}

#: Statuses of those who may, beside all below 400 and 409.
ALLOWED: dict[str, set[int]] = {
    # Nobody in the matrix has a password.
    "PUT /api/v1/session/password": {422},
    # Its bytes are no picture.
    "GET /api/v1/uploads/{upload_id}/thumbnail/{name:any_text}": {422},
    "GET /api/v1/uploads/{upload_id}/view/{name:any_text}": {422},
    # Its image lies nowhere, and no store has a public address.
    "GET /api/v1/batches/{batch_id}/images/{seq}/thumbnail": {422},
    "GET /api/v1/batches/{batch_id}/images/{seq}/view": {422},
    "GET /api/v1/batches/{batch_id}/images/{seq}/original": {422},
    "GET /api/v1/batches/{batch_id}/images/{seq}/link": {404},
}

#: Routes that a token may not call, whatever its rights.
NOT_BY_TOKEN = {"POST /api/v1/tokens"}

#: Answers without an end: only their refusals are looked at.
STREAMS: set[str] = {"GET /api/v1/events"}
