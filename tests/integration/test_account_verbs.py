"""Users, teams, tokens and grants at the shell: what a verb does, prints and refuses."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import select

from db.models import BatchRow
from db.session import Database
from maskpool import exits
from maskpool.settings import load_settings
from producer import cli
from producer.accounts import audit, sessions
from producer.accounts.authenticate import Authenticator
from producer.accounts.rights import Right, Role
from producer.accounts.teams import find
from producer.pool import Pool

PASSWORD = "correct horse battery"

#: Runs a verb: its exit code, and what it printed on standard output and error.
Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pool(
    sqlite_url: str, folder_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Pool:
    """The pool that the environment names."""
    known = {
        "DATABASE_URL": sqlite_url,
        "STORE_URL": folder_store_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HOME": str(tmp_path / "home"),
        "OWNER": "ann",
    }
    for name, value in known.items():
        monkeypatch.setenv(f"MASKPOOL_{name}", value)
    return Pool(load_settings(), Database(sqlite_url))


@pytest.fixture
def shell(pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["maskpool", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = cli._run()
        return (code, *capsys.readouterr())

    return run


def show(shell: Shell, *words: str) -> Any:
    code, out, err = shell(*words, "--json")
    assert code == exits.OK, err
    return json.loads(out)


def lets_in(pool: Pool, name: str, password: str) -> bool:
    return sessions.log_in(pool, name, password, agent="", address="") is not None


def test_the_first_admin_gets_a_password_that_only_standard_output_tells(
    pool: Pool, shell: Shell
) -> None:
    code, out, err = shell("user", "create", "zoe", "--admin")
    assert code == exits.OK
    assert lets_in(pool, "zoe", out.strip())
    assert out.strip() not in err
    [one] = show(shell, "user", "ls")
    assert one == {"id": 1, "name": "zoe", "admin": True, "active": True, "has_password": True}
    assert shell("user", "create", "zoe")[0] == exits.BAD_INPUT


def test_a_password_of_ones_own_comes_by_standard_input(pool: Pool, shell: Shell) -> None:
    code, out, _ = shell("user", "create", "zoe", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (code, out) == (exits.OK, "")
    assert lets_in(pool, "zoe", PASSWORD)
    for typed, words in (("", "no line on standard input"), ("short\n", "12 to 256 characters")):
        code, _, err = shell("user", "reset", "zoe", "--password-stdin", typed=typed)
        assert code == exits.BAD_INPUT
        assert words in err
    code, out, _ = shell("user", "reset", "zoe")
    assert lets_in(pool, "zoe", out.strip())
    assert not lets_in(pool, "zoe", PASSWORD)


def test_a_user_is_kept_out_let_in_and_relieved(pool: Pool, shell: Shell) -> None:
    for name in ("zoe", "bob"):
        shell("user", "create", name, "--password-stdin", typed=PASSWORD)
    assert shell("user", "deactivate", "zoe")[0] == exits.OK
    assert not lets_in(pool, "zoe", PASSWORD)
    assert [one["active"] for one in show(shell, "user", "ls")] == [True, False]
    assert "deactivated" in shell("user", "ls")[1]
    assert shell("user", "hand-over", "bob", "zoe")[0] == exits.BAD_INPUT
    code, _, err = shell("user", "hand-over", "zoe", "bob")
    assert (code, err) == (exits.OK, "0 batches of zoe are bob's\n")
    assert shell("user", "activate", "zoe")[0] == exits.OK
    assert lets_in(pool, "zoe", PASSWORD)


def test_a_team_has_members_and_grants(pool: Pool, shell: Shell) -> None:
    shell("user", "create", "zoe")
    code, out, _ = shell("team", "create", "cats")
    team_id = UUID(out.split()[0])
    assert code == exits.OK
    assert show(shell, "team", "ls") == [{"name": "cats", "id": str(team_id)}]
    assert shell("team", "add", "cats", "zoe", "--role", "owner")[0] == exits.OK
    assert show(shell, "team", "ls", "cats") == [{"name": "zoe", "role": Role.OWNER}]
    assert shell("team", "add", "cats", "zoe", "--role", "admin")[0] == exits.BAD_INPUT

    assert shell("grant", "add", "cats", "bucket", "photos/2026")[0] == exits.OK
    [grant] = show(shell, "grant", "ls", str(team_id))
    assert (grant["kind"], grant["place"]) == ("bucket", "photos/2026/")
    assert shell("grant", "add", "cats", "host", "*")[0] == exits.BAD_INPUT
    assert shell("grant", "rm", "cats", "nonsense")[0] == exits.BAD_INPUT
    assert shell("grant", "rm", "cats", grant["id"])[0] == exits.OK
    assert show(shell, "grant", "ls", "cats") == []

    assert shell("team", "remove", "cats", "zoe")[0] == exits.OK
    assert show(shell, "team", "ls", "cats") == []
    names = {one.user_name for one in audit.page(pool)}
    assert names == {"ann (shell)"}


def test_a_token_is_printed_once_and_revoked_by_its_beginning(pool: Pool, shell: Shell) -> None:
    shell("user", "create", "ann")
    code, out, err = shell("token", "create", "nightly", "--right", "read", "--right", "submit")
    text = out.strip()
    assert code == exits.OK
    assert text not in err
    caller = Authenticator(pool.database).by_token(text)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("ann", {Right.READ, Right.SUBMIT})
    [one] = show(shell, "token", "ls")
    assert (one["prefix"], one["rights"]) == (text[:11], ["read", "submit"])
    assert one["expires_at"] is not None
    assert text not in json.dumps(one)
    assert shell("token", "revoke", one["prefix"])[0] == exits.OK
    assert Authenticator(pool.database).by_token(text) is None
    assert "revoked" in shell("token", "ls", "--wide")[1]
    shell("token", "create", "long", "--right", "read", "--endless")
    assert show(shell, "token", "ls")[0]["expires_at"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token", "create", "n"), "one or more of read, export"),
        (("token", "create", "n", "--right", "fly"), "'fly' is no right"),
        (("token", "create", "n", "--right", "read", "--user", "bob"), "no user 'bob'"),
        (("token", "revoke", "mp_00000000"), "no such token"),
        (("team", "ls", "dogs"), "no team 'dogs'"),
        (("user", "reset", "bob"), "no user 'bob'"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(
    words: tuple[str, ...], said: str, shell: Shell
) -> None:
    shell("user", "create", "ann")
    code, out, err = shell(*words)
    assert (code, out) == (exits.BAD_INPUT, "")
    assert said in err
    assert err.count("\n") == 1


def test_without_a_stack_there_is_no_link(shell: Shell) -> None:
    code, out, err = shell("user", "link")
    assert (code, out) == (exits.UNREACHABLE, "")
    assert "no stack with one runs in" in err


def test_a_batch_for_a_team_is_its_members_and_uses_its_words(
    pool: Pool, shell: Shell, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "a.png")
    shell("team", "create", "cats")
    shell("glossary", "add", "国槐", "pagoda tree")
    shell("glossary", "add", "国槐", "scholar tree", "--team", "cats")
    ask = ("submit", str(images), "-p", "国槐", "--key", "k")
    code, _, said = shell(*ask, "--team", "cats")
    assert code == exits.OK, said
    assert "国槐 is sent as: scholar tree" in said
    with pool.database.read() as session:
        [batch] = session.scalars(select(BatchRow)).all()
        assert batch.team_id == find(pool, "cats").id
        assert batch.spec["glossary"] == "1.1.1"
        assert batch.spec["prompts"] == [{"text": "scholar tree", "name": "国槐", "not": []}]
    english = ("submit", str(images), "-p", "tree", "--key")
    assert shell(*english, "e", "--team", "cats")[0] == exits.OK
    code, _, refused = shell(*english, "e")
    assert (code, "which is of another team" in refused) == (exits.BAD_INPUT, True), refused
    assert shell(*english, "n")[0] == exits.OK
    code, _, refused = shell(*english, "n", "--team", "cats")
    assert (code, "which is of no team" in refused) == (exits.BAD_INPUT, True), refused
    code, _, refused = shell(*english, "x", "--team", "dogs")
    assert (code, "dogs" in refused) == (exits.BAD_INPUT, True), refused
