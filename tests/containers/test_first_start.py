"""A team's first hour: the README's words, and what the first start ever found wrong."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from containers.profile import Profile

_ROOT = Path(__file__).parents[2]
_OLD_ENV = _ROOT / "tests" / "integration" / "env_of_0_1_0.txt"
_OURS = ("migrate", "dispatcher", "worker-cpu", "flower")

pytestmark = pytest.mark.timeout(900)


def _readme_block() -> list[str]:
    section = (_ROOT / "README.md").read_text().split("## For a team\n")[1]
    block = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [line[2:].split("   #")[0].strip() for line in block[1].splitlines() if line[:2] == "$ "]


@pytest.fixture(scope="module")
def team(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The README's section, word for word, with pictures where it says they are."""
    home = tmp_path_factory.mktemp("home")
    profile.sh(f"cp -r samples/scenes {home}/photos; mkdir {home}/results")
    for line in _readme_block():
        profile.sh(line, HOME=str(home))
    profile.environment["HOME"] = str(home)
    return profile


def test_each_service_is_well_after_the_readmes_words(team: Profile) -> None:
    for name in ("redis", "postgres", "s3", "dispatcher", "worker-cpu", "flower"):
        state = team.inspect(name)["State"]
        assert state["Health"]["Status"] == "healthy", name
        assert team.inspect(name)["RestartCount"] == 0, name
    for name in ("migrate", "bucket"):
        assert team.inspect(name)["State"]["ExitCode"] == 0, name


def test_a_command_is_quick_builds_nothing_and_prints_only_its_answer(team: Profile) -> None:
    team.cli("ls --json")
    began = time.monotonic()
    done = team.cli("ls --json")
    assert json.loads(done.stdout)
    assert "build" not in (done.stdout + done.stderr).lower()
    assert time.monotonic() - began < 20, "to start the pool again takes more"
    ran = team.inspect("migrate")["State"]["StartedAt"]
    team.cli("ls")
    assert team.inspect("migrate")["State"]["StartedAt"] == ran


def test_an_export_stays_with_the_caller_in_a_folder_of_his_own(
    team: Profile, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 4711, 4712)
    caller = {"OUT": str(tmp_path), "CLI_USER": "4711:4712"}
    team.cli("export photos -o scenes.json", **caller)
    file = tmp_path / "scenes.json"
    assert json.loads(file.read_text())["images"]
    assert (file.stat().st_uid, file.stat().st_gid) == (4711, 4712)


def test_a_user_without_a_name_may_submit(team: Profile) -> None:
    done = team.cli("ls --mine", CLI_USER="4711:4712")
    assert "bug" not in done.stderr
    submitted = team.cli(
        "submit /images -p circle --name nameless --json", CLI_USER="4711:4712", check=False
    )
    assert submitted.returncode == 0, submitted.stderr
    assert "uid-4711" in team.cli("ls --json").stdout


def test_permission_denied_names_the_remedy(team: Profile, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    done = team.cli("export photos -o x.json", check=False, OUT=str(tmp_path), CLI_USER="4711:4712")
    assert done.returncode == 2
    assert "CLI_USER" in done.stderr


def test_folders_that_are_not_there_are_refused_and_not_made(team: Profile, tmp_path: Path) -> None:
    typo = tmp_path / "photso"
    done = team.cli("ls", check=False, IMAGES=str(typo))
    assert done.returncode != 0
    assert str(typo) in done.stderr
    assert not typo.exists()


def test_a_relative_folder_is_taken_from_the_project(team: Profile) -> None:
    team.cli("ls", IMAGES="samples/scenes")


def test_an_env_of_the_version_before_is_refused_with_a_sentence(team: Profile) -> None:
    # As a team filled it in: each secret has a value.
    team.sh(f"sed -E 's/^([A-Z0-9_]+_(PASSWORD|KEY))=$/\\1=secret/' {_OLD_ENV} > old.env")
    done = team.sh("docker compose --env-file old.env up -d", check=False)
    assert done.returncode != 0
    assert "make env" in done.stderr


def test_one_image_is_built_once(team: Profile) -> None:
    dangling = team.engine.docker("images", "-q", "--filter", "dangling=true").stdout.split()
    ids = [team.inspect(name)["Image"] for name in ("migrate", "dispatcher", "flower", "bucket")]
    assert len(set(ids)) == 1
    # What an earlier run built under the two names, where other code was tested.
    assert len(dangling) <= 2


def test_who_reads_no_objects_holds_no_key_to_them(team: Profile) -> None:
    for name in ("flower", "dispatcher", "migrate"):
        names = {line.partition("=")[0] for line in team.inspect(name)["Config"]["Env"]}
        assert not {each for each in names if each.startswith("AWS_")}, name


def test_all_is_stopped_with_exit_code_0_and_all_lines_are_json(team: Profile) -> None:
    team.sh("docker compose stop dispatcher worker-cpu flower")
    for name in _OURS:
        state = team.inspect(name)["State"]
        assert (name, state["ExitCode"]) == (name, 0)
        lines = team.sh(f"docker compose logs --no-log-prefix {name}").stdout.splitlines()
        assert lines, f"{name} says nothing"
        for line in lines:
            assert isinstance(json.loads(line), dict), line
    team.sh("docker compose up -d --wait")
