"""Three hundred images through killed and restarted containers, and a pool out of its backup."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from containers.profile import Profile

pytestmark = pytest.mark.timeout(900)

_ROOT = Path(__file__).parents[2]
_IMAGES = 300

#: The last commit before the compose file was first started.
_OLD = "af397ade148f22ae3a2d15bd02b38f8193006ce8"


@pytest.fixture(scope="module")
def team(profile: Profile) -> Profile:
    """The profile up, whichever file's tests ran before."""
    profile.start()
    return profile


def _until_done(team: Profile, name: str) -> None:
    done = team.cli(f"status --watch {name}", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _kill_process_of(team: Profile, service: str) -> None:
    """SIGKILL from outside; ``docker compose kill`` would count as a stop and start nothing."""
    pid = team.inspect(service)["State"]["Pid"]
    team.sh(f"kill -9 {pid}")


def _pictures(team: Profile, folder: Path) -> Path:
    """So many images, each an object of its own, under names that URLs and shells dislike."""
    folder.mkdir()
    scenes = sorted((team.folder / "samples" / "scenes").glob("*.jpg"))
    for number in range(_IMAGES):
        scene = scenes[number % len(scenes)]
        # Bytes behind the picture make it another object, and change nothing that is seen.
        content = scene.read_bytes() + number.to_bytes(2)
        (folder / f"{number:03d} #?%.jpg").write_bytes(content)
    return folder


def _assert_whole(team: Profile, name: str, folder: Path) -> None:
    """Each image is in the dataset once, and the rows agree with the masks."""
    _until_done(team, name)
    folder.mkdir()
    team.cli(f"export {name} -o {name}.json", OUT=str(folder))
    images = json.loads((folder / f"{name}.json").read_text())["images"]
    assert len({image["file_name"] for image in images}) == len(images) == _IMAGES
    team.cli(f"doctor --deep {name}")


def test_three_hundred_images_outlive_a_kill_and_two_restarts(
    team: Profile, tmp_path: Path
) -> None:
    pictures = _pictures(team, tmp_path / "in")
    team.cli("submit /images -p 'red circle' --name many", IMAGES=str(pictures))
    before = team.inspect("worker-cpu")["RestartCount"]
    _kill_process_of(team, "worker-cpu")
    team.sh("docker compose restart redis")
    time.sleep(3)
    team.sh("docker compose restart postgres")
    _assert_whole(team, "many", tmp_path / "out")
    assert team.inspect("worker-cpu")["RestartCount"] > before


def _old_images(team: Profile, folder: Path) -> None:
    """The code of an earlier commit over today's dependencies, as ``…:old``."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", _OLD, "maskpool", "db", "storage", "producer", "workers"],
        cwd=_ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode != 0:
        pytest.skip(f"this clone does not reach back to {_OLD}")
    (folder / "code.tar").write_bytes(archive.stdout)
    for name in ("maskpool-core", "maskpool-worker-cpu"):
        lines = f"FROM {name}:0.1.0\nADD code.tar /app/\n"
        (folder / "Dockerfile").write_text(lines)
        team.engine.docker("build", "--network", "host", "--tag", f"{name}:old", folder)


def test_an_upgrade_under_load_loses_nothing(team: Profile, tmp_path: Path) -> None:
    _old_images(team, tmp_path / "old")
    (team.folder / "old.yml").write_text(
        "services:\n  dispatcher: { image: maskpool-core:old }\n"
        "  worker-cpu: { image: maskpool-worker-cpu:old }\n"
    )
    files = team.environment["COMPOSE_FILE"] + ":old.yml"
    team.sh("docker compose up -d --no-deps --wait dispatcher worker-cpu", COMPOSE_FILE=files)
    pictures = _pictures(team, tmp_path / "in")
    team.cli("submit /images -p 'red circle' --name rolled", IMAGES=str(pictures))
    team.sh("docker compose run --rm migrate")
    team.sh("docker compose up -d --no-deps dispatcher")
    team.sh("docker compose up -d --no-deps worker-cpu")
    assert team.inspect("worker-cpu")["Config"]["Image"] == "maskpool-worker-cpu:0.1.0"
    _assert_whole(team, "rolled", tmp_path / "out")
