"""``maskpool export`` killed, interrupted and out of room, and begun again by the same command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from services.command_line import PATIENCE, until
from services.plain_pool import PlainPool
from services.process import Missing
from services.small_disk import small_disk

from db.schema import upgrade
from db.session import Database
from maskpool.failpoints import PLACES
from storage.objects import open_store

SCRIPT = Path(__file__).parents[1] / "services" / "scripts" / "small_step_exporter.py"
COUNT = 70

#: Where it is killed, and at which coming; most come once, at the end.
_TIMES = {"export.written": (1, 3), "export.kept": (1, 3)}
STEPS = [
    (place, time)
    for place in PLACES
    if place.startswith("export.")
    for time in _TIMES.get(place, (1,))
]


@dataclass
class Desk:
    """A folder to export to, and a pool with two batches over nearly the same images."""

    folder: Path
    told: dict[str, str]
    batch: UUID
    second: UUID

    def begin(
        self, target: Path, *words: str, armed: str = "", merged: bool = False
    ) -> subprocess.Popen[str]:
        batches = [str(self.batch), *([str(self.second)] if merged else [])]
        return subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT), "export", *batches, "-o", str(target), *words],
            env={**os.environ, **self.told, "MASKPOOL_FAILPOINTS": armed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def export(
        self, target: Path, *words: str, armed: str = "", merged: bool = False
    ) -> tuple[int, str]:
        """Exit status and what was said on standard error."""
        return ended(self.begin(target, *words, armed=armed, merged=merged))

    @contextmanager
    def frozen(self, target: Path, time: int = 1) -> Iterator[subprocess.Popen[str]]:
        """An export that stands still after so many steps; killed if it still runs at the end."""
        process = self.begin(target, armed=f"export.kept=stop@{time}")
        try:
            until(lambda: _state(process.pid) == "T", what="the step")
            yield process
        finally:
            process.kill()
            process.wait()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("export")
    url, store_url = f"sqlite:///{folder}/maskpool.sqlite", (folder / "objects").as_uri()
    upgrade(url)
    database = Database(url)
    pool = PlainPool(database, open_store(store_url))
    batch, second = pool.submit(COUNT), pool.submit(COUNT + 25)
    pool.drain()
    database.close()
    told = {"MASKPOOL_DATABASE_URL": url, "MASKPOOL_STORE_URL": store_url}
    return Desk(folder, told, batch, second)


@pytest.fixture(scope="module")
def whole(desk: Desk) -> dict[bool, bytes]:
    """The files that nobody interrupted: of one batch, and of both merged."""
    content = {}
    for merged in (False, True):
        target = desk.folder / f"whole-{merged}.json"
        assert desk.export(target, merged=merged) == (0, "")
        content[merged] = target.read_bytes()
    return content


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0]}@{step[1]}")
@pytest.mark.parametrize("merged", [False, True], ids=["one batch", "merged"])
def test_killed_at_any_step_it_resumes_after_it(
    desk: Desk, whole: dict[bool, bytes], tmp_path: Path, step: tuple[str, int], merged: bool
) -> None:
    target, count = tmp_path / "coco.json", COUNT + 25 * merged
    place, time = step
    status, _ = desk.export(target, armed=f"{place}=kill@{time}", merged=merged)
    assert status == -signal.SIGKILL
    assert target.exists() == (place == "export.replaced")
    steps = {"export.written": time - 1, "export.kept": time}.get(place, count)
    kept = min(20 * steps, count)

    status, said = desk.export(target, merged=merged)

    assert status == 0, said
    assert said == (f"resuming after {kept:,} images\n" if kept else "")
    assert target.read_bytes() == whole[merged]
    assert left(target) == ["coco.json"]


def test_interrupted_by_ctrl_c_it_says_how_to_go_on(
    desk: Desk, whole: dict[bool, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "coco.json"
    with desk.frozen(target) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        status, said = ended(process)
    assert status == 130
    assert f"{tmp_path}/.coco.json.partial: the same command resumes after 20 images" in said
    assert desk.export(target) == (0, "resuming after 20 images\n")
    assert target.read_bytes() == whole[False]


def test_another_threshold_starts_over_and_so_does_fresh(
    desk: Desk, whole: dict[bool, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "coco.json"
    killed = "export.kept=kill@2"
    assert desk.export(target, "--threshold", "0.8", armed=killed)[0] == -signal.SIGKILL
    status, said = desk.export(target, armed=killed)
    assert status == -signal.SIGKILL
    assert said.startswith("starting over: ")
    assert desk.export(target, "--fresh") == (0, "")
    assert target.read_bytes() == whole[False]
    assert left(target) == ["coco.json"]


def test_two_at_once_to_one_file_are_refused(
    desk: Desk, whole: dict[bool, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "coco.json"
    with desk.frozen(target) as process:
        for words in ((), ("--fresh",)):
            status, said = desk.export(target, *words)
            assert status == 2
            assert f"another export is writing {target}" in said
        assert desk.export(tmp_path / "other.json")[0] == 0
        process.send_signal(signal.SIGCONT)
        assert ended(process)[0] == 0
    assert target.read_bytes() == (tmp_path / "other.json").read_bytes() == whole[False]


@pytest.mark.parametrize(("time", "kept"), [(1, 20), (4, COUNT)], ids=["writing", "joining"])
def test_a_full_disk_leaves_what_was_written(
    desk: Desk, whole: dict[bool, bytes], tmp_path: Path, time: int, kept: int
) -> None:
    try:
        with small_disk(tmp_path / "disk", 1) as disk:
            target = disk.path / "coco.json"
            with desk.frozen(target, time) as process:
                disk.fill()
                process.send_signal(signal.SIGCONT)
                status, said = ended(process)
            assert status == 2
            assert "no space left on device" in said
            assert f"the same command resumes after {kept} images" in said
            assert not target.exists()
            disk.make_room()
            assert desk.export(target) == (0, f"resuming after {kept} images\n")
            assert target.read_bytes() == whole[False]
    except Missing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["for people", "for programs"])
def test_standard_output_gets_the_dataset_and_nothing_else(
    desk: Desk, whole: dict[bool, bytes], name: str, words: tuple[str, ...]
) -> None:
    process = desk.begin(Path(name), *words)
    dataset, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert dataset.encode() == whole[False]
    [summary] = said.splitlines()
    if words:
        assert json.loads(summary)["images"] == COUNT
    else:
        assert summary.startswith(f"{name}: {COUNT} images, ")
