"""The Docker blocks of docs/OPERATIONS.md, word for word: a pool out of its backup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from containers.profile import Profile

pytestmark = pytest.mark.timeout(600)

_PAGE = (Path(__file__).parents[2] / "docs" / "OPERATIONS.md").read_text()
_BLOCKS = dict(re.findall(r"^```sh (docker-\w+)\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL))


def _dataset(team: Profile, folder: Path) -> dict[str, object]:
    folder.mkdir()
    team.cli("export kept -o kept.json", OUT=str(folder))
    found: dict[str, object] = json.loads((folder / "kept.json").read_text())
    return {name: found[name] for name in ("images", "annotations", "categories")}


def test_a_pool_comes_back_out_of_its_backup(profile: Profile, tmp_path: Path) -> None:
    assert set(_BLOCKS) == {"docker-backup", "docker-restore"}
    profile.start()
    profile.cli("submit /images -p 'red circle' --name kept")
    profile.cli("status --watch kept")
    before = _dataset(profile, tmp_path / "before")
    assert before["annotations"]
    backup = str(tmp_path / "backup")
    profile.sh(_BLOCKS["docker-backup"], BACKUP=backup)
    profile.cli("submit /images -p 'blue square' --name later")
    profile.sh(_BLOCKS["docker-restore"], BACKUP=backup)
    assert _dataset(profile, tmp_path / "after") == before
    assert "later" not in profile.cli("ls --json").stdout
