"""A health file says what its writer said, and the check tells the hanging from the hindered."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from maskpool import health
from maskpool.health import HealthFile, main, read_state


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "health.json"


def test_a_file_says_who_beats_and_since_when_it_works(file: Path) -> None:
    HealthFile(file, "dispatcher", "host:1").beat()
    said = json.loads(file.read_text())
    assert (said["service"], said["name"], said["pid"]) == ("dispatcher", "host:1", os.getpid())
    assert said["at"] == said["worked_at"]
    assert (said["live"], said["trouble"]) == (True, "")
    state = read_state(file)
    assert (state.live, state.ready) == (True, True)
    assert state.sentence == "dispatcher host:1 is live and ready"


def test_trouble_is_not_death(file: Path) -> None:
    health_file = HealthFile(file, "dispatcher", "host:1")
    health_file.beat("the database is unreachable: refused")
    state = read_state(file)
    assert (state.live, state.ready) == (True, False)
    assert state.sentence.endswith("live, but not ready: the database is unreachable: refused")
    assert json.loads(file.read_text())["worked_at"] is None
    health_file.beat()
    assert read_state(file).ready, "a change is written at once"
    worked_at = json.loads(file.read_text())["worked_at"]
    health_file.beat("away again")
    assert json.loads(file.read_text())["worked_at"] == worked_at


def test_what_will_not_recover_is_not_live(file: Path) -> None:
    HealthFile(file, "worker", "host:2").beat("the device is lost", live=False)
    state = read_state(file)
    assert (state.live, state.ready) == (False, False)
    assert state.sentence == "worker host:2 is not live: the device is lost"


def test_silence_is_not_live(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HealthFile(file, "worker", "host:2").beat()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 59)
    assert read_state(file).live
    monkeypatch.setattr(time, "monotonic", lambda: now + 62)
    assert not read_state(file).live
    assert "hangs or is gone: last heard of 62 s ago" in read_state(file).sentence
    assert read_state(file, max_age=70).live


def test_the_wall_clock_does_not_matter(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HealthFile(file, "worker", "host:2").beat()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert read_state(file).live


def test_a_file_from_before_the_machine_started_is_of_no_living(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    HealthFile(file, "worker", "host:2").beat()
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    state = read_state(file)
    assert (state.live, state.heard) == (False, None), "nobody was heard on this clock"
    assert "before this machine started" in state.sentence


def test_no_file_and_no_health_file_are_states_too(file: Path) -> None:
    assert not read_state(file).live
    assert "is not there" in read_state(file).sentence
    file.parent.mkdir()
    for content in ("", "[]", "{}", '{"monotonic": "x"}', '{"monotonic": 1}', "\x00"):
        file.write_text(content)
        state = read_state(file)
        assert (state.live, state.heard) == (False, None), content
        assert "is no health file" in state.sentence
    assert not read_state(file.parent).live


def test_a_process_that_ends_leaves_no_file(file: Path) -> None:
    health_file = HealthFile(file, "worker", "host:2")
    health_file.close()
    health_file.beat()
    health_file.close()
    assert list(file.parent.iterdir()) == []


def test_nothing_is_written_where_nothing_is_wanted(tmp_path: Path) -> None:
    health_file = HealthFile(None, "worker", "host:2")
    assert not health_file.wanted
    health_file.beat()
    health_file.close()
    assert list(tmp_path.iterdir()) == []


def test_a_quick_loop_writes_once_a_second(file: Path) -> None:
    health_file = HealthFile(file, "dispatcher", "host:1")
    health_file.beat()
    first = file.stat().st_ino, file.read_text()
    for _ in range(100):
        health_file.beat()
    assert (file.stat().st_ino, file.read_text()) == first
    health_file._written -= 1.1
    health_file.beat()
    assert file.read_text() != first[1]


def test_a_reader_never_sees_half_a_file(file: Path) -> None:
    health_file = HealthFile(file, "dispatcher", "host:1")
    health_file.beat()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            health_file.beat("x" * 20_000)
            health_file.beat()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2_000):
            assert read_state(file).heard is not None, read_state(file).sentence
    finally:
        stop.set()
        writer.join()


def test_a_full_disk_is_no_death(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    health_file = HealthFile(file, "dispatcher", "host:1")
    health_file.beat("a longer sentence than the one that is written over it")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    health_file.beat()
    assert read_state(file).ready, "the old file's block took the new line"
    assert caplog.text == ""


def test_a_file_that_cannot_be_written_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "taken").write_text("")
    health_file = HealthFile(tmp_path / "taken" / "health.json", "dispatcher", "host:1")
    for word in "abc":
        health_file.beat(word)
    assert caplog.text.count("the health file cannot be written") == 1


def test_the_check_answers_by_its_exit_status(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file)]) == 1
    health_file = HealthFile(file, "dispatcher", "host:1")
    health_file.beat()
    assert main([str(file)]) == 0
    assert main([str(file), "--ready"]) == 0
    health_file.beat("the database is away")
    assert main([str(file)]) == 0, "starting it again would help nobody"
    assert main([str(file), "--ready"]) == 1
    assert "the database is away" in capsys.readouterr().out
    assert main([str(file), "--max-age", "0"]) == 1


def test_a_trouble_with_a_bad_byte_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "caf\udce9"
    HealthFile(file, "dispatcher", "host:1").beat("the file /caf\udce9 is unreachable: \x1b[31m")
    assert main([str(file)]) == 0
    assert r"the file /caf\xe9 is unreachable: \x1b[31m" in capsys.readouterr().out
    assert main([str(tmp_path / "gone\udce9")]) == 1
    assert r"gone\xe9 is not there" in capsys.readouterr().out


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full"])
def test_the_check_answers_though_nobody_reads_it(tmp_path: Path, redirected: str) -> None:
    HealthFile(tmp_path / "health", "dispatcher", "host:1").beat()
    for file, code in (("health", 0), ("none", 1)):
        command = f'"{sys.executable}" -P -m maskpool.health "{tmp_path / file}" {redirected}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (code, b"")


def test_the_check_costs_next_to_nothing() -> None:
    code = "import sys, maskpool.health; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "typer", "redis", "sqlalchemy", "numpy"} & set(loaded)
    assert health.MAX_AGE_SECONDS >= 30, "a wait for a service that is away is no hang"
