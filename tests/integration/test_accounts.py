"""Users, sessions, tokens, teams and the audit log, on both databases."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from alembic import command
from argon2 import PasswordHasher
from services.plain_pool import PlainPool
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from db import accounts as rows
from db.models import AuditRow, BatchRow, SessionRow, TokenRow, UploadRow, UserRow
from db.schema import alembic_config, upgrade
from maskpool.domain import BatchState
from maskpool.errors import Conflict, MaskpoolError, NotFound, SourceError, SpecError
from producer.accounts import audit, authenticate, grants, sessions, teams, tokens, users
from producer.accounts.audit import Actor
from producer.accounts.authenticate import Authenticator
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right, Role
from producer.pool import Pool

ROOT = Actor(None, "root (shell)")
PASSWORD = "correct horse battery"


def log_in(pool: Pool, name: str, password: str = PASSWORD) -> str | None:
    return sessions.log_in(pool, name, password, agent="a browser", address="10.0.0.7")


def entered(pool: Pool, name: str = "zoe") -> tuple[str, Caller]:
    """A user who has just logged in: their cookie, and who they are."""
    users.create(pool, ROOT, name, password=PASSWORD)
    secret = log_in(pool, name)
    assert secret is not None
    caller = Authenticator(pool.database).by_session(secret)
    assert caller is not None
    return secret, caller


def actions(pool: Pool) -> list[str]:
    return [one.action for one in reversed(audit.page(pool))]


def test_a_password_lets_in_and_no_other(pool: Pool) -> None:
    users.create(pool, ROOT, "zoe", password=PASSWORD, admin=True)
    secret = log_in(pool, "zoe")
    assert secret is not None
    caller = Authenticator(pool.database).by_session(secret)
    assert caller is not None
    assert (caller.name, caller.admin, caller.scopes) == ("zoe", True, None)
    for name, password in (("zoe", "wrong"), ("nobody", PASSWORD), ("z\0e", PASSWORD), ("", "")):
        assert log_in(pool, name, password) is None
    assert actions(pool) == ["user.create", "login", *["login.failed"] * 4]


def test_a_hash_of_older_parameters_is_renewed_at_the_next_log_in(pool: Pool) -> None:
    users.create(pool, ROOT, "zoe", password=PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with pool.database.write() as session:
        rows.set_password(session, users.named(session, "zoe").id, old)
    assert log_in(pool, "zoe") is not None
    kept = users.find(pool, "zoe").password_hash
    assert kept is not None
    assert "m=19456,t=2,p=1" in kept
    assert log_in(pool, "zoe") is not None


def test_who_only_submitted_so_far_may_be_let_in_once(pool: Pool, work: PlainPool) -> None:
    work.submit(1)  # of ann
    assert log_in(pool, "ann", "") is None
    users.create(pool, ROOT, "ann", password=PASSWORD)
    assert log_in(pool, "ann") is not None
    with pytest.raises(Conflict, match="reset gives a new password"):
        users.create(pool, ROOT, "ann", password=PASSWORD)


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "zoë", "-x", "a\n"])
def test_a_name_that_looks_like_another_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(SpecError, match="name:"):
        users.create(pool, ROOT, name, password=PASSWORD)


def test_a_reset_ends_sessions_and_a_change_all_but_ones_own(pool: Pool) -> None:
    first, caller = entered(pool)
    second = log_in(pool, "zoe")
    assert second is not None
    with pytest.raises(SpecError, match="old: is not your password"):
        users.change_password(pool, caller, "wrong", "another good password")
    users.change_password(pool, caller, PASSWORD, "another good password")
    who = Authenticator(pool.database)
    assert who.by_session(first) is not None
    assert who.by_session(second) is None
    generated = users.reset(pool, ROOT, "zoe")
    who.forget()
    assert who.by_session(first) is None
    assert log_in(pool, "zoe", generated) is not None


def test_a_session_slides_while_it_is_used_up_to_its_limit(pool: Pool) -> None:
    secret, caller = entered(pool)

    def age(**moved_ms: int) -> None:
        with pool.database.write() as session:
            session.execute(
                update(SessionRow).values(
                    **{name: getattr(SessionRow, name) - ms for name, ms in moved_ms.items()}
                )
            )

    def left_ms() -> int:
        [one] = sessions.listing(pool, caller)
        return one.expires_at - time.time_ns() // 1_000_000

    def use() -> Caller | None:
        return Authenticator(pool.database).by_session(secret)

    day = 24 * 3_600_000
    age(expires_at=3 * day)
    assert use()
    assert left_ms() < 4.1 * day, "written at most once a minute"
    age(seen_at=61_000)
    assert use()
    assert left_ms() > 6.9 * day
    age(seen_at=61_000, created_at=28 * day)
    assert use()
    assert 1.9 * day < left_ms() < 2.1 * day, "never longer than thirty days"
    age(expires_at=3 * day)
    assert use() is None
    assert sessions.listing(pool, caller) == []


def test_a_session_is_listed_and_ended_by_its_owner_alone(pool: Pool) -> None:
    secret, caller = entered(pool)
    _, other = entered(pool, "bob")
    [mine] = sessions.listing(pool, caller)
    assert (mine.id, mine.agent) == (caller.session_id, "a browser")
    for session_id in (mine.id, uuid4()):
        with pytest.raises(NotFound):
            sessions.end(pool, other, session_id)
    sessions.end(pool, caller, mine.id)
    assert Authenticator(pool.database).by_session(secret) is None


def test_a_token_is_kept_as_a_hash_and_counts_until_it_is_revoked(pool: Pool) -> None:
    _, caller = entered(pool)
    made = tokens.create(pool, caller, "n", rights=[Right.READ, Right.SUBMIT], days=1)
    assert made.text.startswith(f"{made.token.prefix}_")
    assert made.text not in repr(made)
    with pool.database.read() as session:
        row = session.scalars(select(TokenRow)).one()
        assert made.text not in {str(value) for value in vars(row).values()}
    who = Authenticator(pool.database)
    found = who.by_token(made.text)
    assert found is not None
    assert (found.user_id, found.scopes) == (caller.user_id, {Right.READ, Right.SUBMIT})
    assert found.session_id is None
    assert who.by_session(made.text) is None, "a token is no cookie"
    assert tokens.listing(pool, caller.user_id)[0].used_at is not None
    with pytest.raises(NotFound):
        tokens.revoke(pool, ROOT, caller.user_id + 1, made.token.id)
    tokens.revoke(pool, ROOT, caller.user_id, made.token.id)
    assert Authenticator(pool.database).by_token(made.text) is None


def test_a_tokens_use_is_written_at_most_once_a_minute(pool: Pool) -> None:
    _, caller = entered(pool)
    made = tokens.create(pool, caller, "n", rights=[Right.READ], days=None)

    def use() -> int:
        assert Authenticator(pool.database).by_token(made.text)
        used = tokens.listing(pool, caller.user_id)[0].used_at
        assert used is not None
        return used

    first = use()
    time.sleep(0.01)
    assert use() == first
    with pool.database.write() as session:
        session.execute(update(TokenRow).values(used_at=TokenRow.used_at - 61_000))
    assert use() > first


def test_a_token_gives_no_more_than_its_maker_has(pool: Pool) -> None:
    _, caller = entered(pool)
    with pytest.raises(Refused, match="not the right users"):
        tokens.create(pool, caller, "n", rights=[Right.USERS], days=1)
    made = tokens.create(
        pool, caller, "n", rights=list(tokens.rights_of(pool, caller.user_id)), days=1
    )
    by_token = Authenticator(pool.database).by_token(made.text)
    assert by_token is not None
    with pytest.raises(Refused, match="a token cannot make tokens"):
        tokens.create(pool, by_token, "n", rights=[Right.READ], days=1)
    for name, rights, days in (("", [Right.READ], 1), ("n", [], 1), ("n", [Right.READ], 0)):
        with pytest.raises(SpecError):
            tokens.create(pool, caller, name, rights=rights, days=days)


def test_what_was_revoked_elsewhere_counts_no_longer_than_five_seconds(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(authenticate.time, "monotonic", lambda: now[0])
    secret, caller = entered(pool)
    made = tokens.create(pool, caller, "n", rights=[Right.READ], days=1)
    who = Authenticator(pool.database)
    assert who.by_session(secret) is not None
    assert who.by_token(made.text) is not None
    users.deactivate(pool, ROOT, "zoe")
    now[0] += 4.9
    assert who.by_session(secret) is not None, "kept: no look-up for each thumbnail"
    now[0] += 0.2
    assert who.by_session(secret) is None
    assert who.by_token(made.text) is None
    users.activate(pool, ROOT, "zoe")
    assert who.by_token(made.text) is not None, "what was not found is not kept at all"
    assert who.by_session(secret) is None, "its sessions ended"


def test_nothing_is_kept_beyond_its_end(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _ = entered(pool)
    with pool.database.write() as session:
        session.execute(update(SessionRow).values(expires_at=SessionRow.seen_at + 2_000))
    now = [1_000.0]
    monkeypatch.setattr(authenticate.time, "monotonic", lambda: now[0])
    who = Authenticator(pool.database)
    assert who.by_session(secret) is not None
    with pool.database.write() as session:
        session.execute(update(SessionRow).values(expires_at=1))
    now[0] += 2.1
    assert who.by_session(secret) is None


def test_a_cache_is_full_some_time(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "_MAX_KEPT", 2)
    who = Authenticator(pool.database)
    for name in ("a", "b", "c"):
        secret, _ = entered(pool, name)
        assert who.by_session(secret) is not None
    assert len(who._kept) == 2


def test_the_only_admin_is_not_locked_out(pool: Pool) -> None:
    users.create(pool, ROOT, "zoe", password=PASSWORD, admin=True)
    users.create(pool, ROOT, "bob", password=PASSWORD)
    with pytest.raises(Conflict, match="the only admin"):
        users.deactivate(pool, ROOT, "zoe")
    users.create(pool, ROOT, "eve", password=PASSWORD, admin=True)
    users.deactivate(pool, ROOT, "zoe")
    assert log_in(pool, "zoe") is None
    with pytest.raises(Conflict):
        users.deactivate(pool, ROOT, "zoe")


def test_batches_and_uploads_are_handed_over_also_under_the_same_key(
    pool: Pool, work: PlainPool
) -> None:
    users.create(pool, ROOT, "bob", password=PASSWORD)
    heir = users.find(pool, "bob").id
    live, done = work.submit(2), work.submit(2, activate=False)
    ann = users.find(pool, "ann").id
    with pool.database.write() as session:
        session.add(
            BatchRow(
                id=(taken := uuid4()),
                owner_id=heir,
                idempotency_key=session.get_one(BatchRow, live).idempotency_key,
                name="x",
                model="demo",
                spec={},
                created_at=1,
            )
        )
        session.add(UploadRow(id=uuid4(), user_id=ann, created_at=1, expires_at=2))
        session.execute(update(UserRow).where(UserRow.id == heir).values(virtual_time=50.0))
    assert users.hand_over(pool, ROOT, "ann", "bob") == 2
    with pool.database.read() as session:
        batches = {one.id: one for one in session.scalars(select(BatchRow))}
        assert {one.owner_id for one in batches.values()} == {heir}
        assert len({one.idempotency_key for one in batches.values()}) == 3
        assert session.scalars(select(UploadRow.user_id)).one() == heir
    assert batches.keys() == {live, done, taken}
    work.drain()
    with pool.database.read() as session:
        assert session.get_one(BatchRow, live).state == BatchState.DONE
    for name, to in (("ann", "ann"), ("ann", "nobody"), ("nobody", "ann")):
        with pytest.raises(MaskpoolError):
            users.hand_over(pool, ROOT, name, to)


def test_a_team_gives_its_members_their_roles_within_the_cache(pool: Pool) -> None:
    secret, caller = entered(pool)
    team_id = teams.create(pool, ROOT, "cats")
    team = teams.find(pool, str(team_id))
    assert team == teams.find(pool, "cats")
    with pytest.raises(NotFound):
        teams.visible(pool, caller, team_id)
    for role in (Role.VIEWER, Role.OWNER):
        teams.put_member(pool, ROOT, team, "zoe", role)
        again = Authenticator(pool.database).by_session(secret)
        assert again is not None
        assert again.teams == {team_id: role}
    assert teams.visible(pool, again, team_id) == team
    with pytest.raises(SpecError, match="role: must be viewer, annotator, owner"):
        teams.put_member(pool, ROOT, team, "zoe", Role.ADMIN)
    with pytest.raises(Conflict):
        teams.create(pool, ROOT, "cats")
    teams.remove_member(pool, ROOT, team, "zoe")
    with pytest.raises(NotFound):
        teams.remove_member(pool, ROOT, team, "zoe")


def test_grants_are_of_one_team(pool: Pool) -> None:
    secret, _ = entered(pool)
    for name in ("cats", "dogs"):
        teams.create(pool, ROOT, name)
    cats, dogs = teams.find(pool, "cats"), teams.find(pool, "dogs")
    teams.put_member(pool, ROOT, cats, "zoe", Role.ANNOTATOR)
    caller = Authenticator(pool.database).by_session(secret)
    assert caller is not None
    bucket = grants.grant(pool, ROOT, cats, "bucket", "s3://photos/2026")
    grants.grant(pool, ROOT, cats, "host", "*.Images.org")
    grants.grant(pool, ROOT, dogs, "bucket", "bones")
    assert grants.grant(pool, ROOT, cats, "bucket", "photos/2026/") == bucket, "it is there once"
    assert [one.place for one in grants.listing(pool, cats.id)] == ["photos/2026/", "*.images.org"]
    grants.require(pool, caller, cats.id, "s3://photos/2026/a.jpg")
    for team_id, uri in ((cats.id, "s3://bones/a.jpg"), (None, "s3://photos/2026/a.jpg")):
        with pytest.raises(SourceError):
            grants.require(pool, caller, team_id, uri)
    with pytest.raises(Refused, match="may not submit for this team"):
        grants.require(pool, caller, dogs.id, "s3://bones/a.jpg")
    with pytest.raises(NotFound):
        grants.take_back(pool, ROOT, dogs, bucket.id)
    grants.take_back(pool, ROOT, cats, bucket.id)
    with pytest.raises(SourceError):
        grants.require(pool, caller, cats.id, "s3://photos/2026/a.jpg")


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("bucket", ""),
        ("bucket", "a/../b"),
        ("bucket", "photos//x"),
        ("bucket", "photos/\0"),
        ("host", "*"),
        ("host", "a b"),
        ("host", "a.org,b.org"),
        ("folder", "/data"),
    ],
)
def test_a_place_that_is_none_is_refused(pool: Pool, kind: str, place: str) -> None:
    teams.create(pool, ROOT, "cats")
    with pytest.raises(SpecError):
        grants.grant(pool, ROOT, teams.find(pool, "cats"), kind, place)


def test_nobody_changes_the_audit_log(pool: Pool) -> None:
    users.create(pool, ROOT, "zoe", password=PASSWORD)
    changes = [update(AuditRow).values(action="x"), delete(AuditRow)]
    if pool.database.is_postgres:
        changes.append(text("TRUNCATE audit_log"))  # type: ignore[arg-type]
    for change in changes:
        with (
            pytest.raises((DBAPIError, MaskpoolError), match="the audit log only grows"),
            pool.database.write() as session,
        ):
            session.execute(change)
    assert actions(pool) == ["user.create"]


@pytest.mark.parametrize("from_revision", [None, "0005"], ids=["fresh", "upgraded"])
def test_nobody_replaces_a_line_of_the_audit_log(
    sqlite_url: str, tmp_path: Path, from_revision: str | None
) -> None:
    """SQLite deletes for INSERT OR REPLACE without a word to triggers on deletions."""
    url = sqlite_url
    if from_revision:
        url = f"sqlite:///{tmp_path / 'old.sqlite'}"
        command.upgrade(alembic_config(url), from_revision)
    line = "INTO audit_log (id, at, action) VALUES (1, 5, 'first')"
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        database.execute(f"INSERT {line}")
        database.commit()
        if from_revision:
            upgrade(url)
        for verb in ("INSERT OR REPLACE", "REPLACE"):
            with pytest.raises(sqlite3.IntegrityError, match="the audit log only grows"):
                database.execute(f"{verb} {line.replace('first', 'x')}")
        database.execute("INSERT INTO audit_log (at, action) VALUES (6, 'second')")
        found = database.execute("SELECT id, action FROM audit_log ORDER BY id").fetchall()
    assert found == [(1, "first"), (2, "second")]


def test_a_change_that_fails_leaves_no_line_and_one_that_works_leaves_one(pool: Pool) -> None:
    users.create(pool, ROOT, "zoe", password=PASSWORD)
    with pytest.raises(Conflict):
        users.create(pool, ROOT, "zoe", password=PASSWORD)
    assert actions(pool) == ["user.create"]


def test_no_secret_is_in_the_log_nor_in_any_row(pool: Pool) -> None:
    secret, caller = entered(pool)
    log_in(pool, "not a name but " + PASSWORD, "x")
    made = tokens.create(pool, caller, "n", rights=[Right.READ], days=1)
    users.change_password(pool, caller, PASSWORD, PASSWORD + " two")
    written = "".join(map(repr, audit.page(pool)))
    with pool.database.read() as session:
        for table in (SessionRow, TokenRow, UserRow):
            for row in session.scalars(select(table)):
                written += repr(vars(row))
    for word in (secret, made.text, made.text.rpartition("_")[2], PASSWORD):
        assert word not in written


def test_the_log_is_read_page_by_page(pool: Pool) -> None:
    for number in range(5):
        teams.create(pool, ROOT, f"team {number}")
    first = audit.page(pool, limit=3)
    rest = audit.page(pool, before=first[-1].id, limit=3)
    assert [one.target for one in (*first, *rest)] == [f"team {n}" for n in (4, 3, 2, 1, 0)]
    assert {one.user_name for one in first} == {"root (shell)"}


def test_an_unknown_user_is_named_in_the_refusal(pool: Pool) -> None:
    for use in (users.reset, users.deactivate, users.activate):
        with pytest.raises(NotFound, match="no user 'nobody'"):
            use(pool, ROOT, "nobody")
    with pytest.raises(NotFound):
        users.name_of(pool, 999)
    with pytest.raises(NotFound):
        teams.find(pool, str(UUID(int=1)))
