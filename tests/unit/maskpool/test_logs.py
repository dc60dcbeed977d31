"""Every process logs one way; JSON lines carry the context."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from maskpool import logs
from maskpool.domain import new_id
from maskpool.logs import configure


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    quiet = ("botocore", "boto3", "urllib3", "s3transfer", "alembic", "celery.app.trace")
    hook = sys.excepthook
    levels = {name: logging.getLogger(name).level for name in quiet}
    # Handlers that ``force`` removes are closed; pytest still needs its own.
    root.handlers.clear()
    yield
    sys.excepthook = hook
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_json_lines_carry_the_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    batch = new_id()
    context = {"batch": batch, "chunk": "c", "job": 7, "worker": "w", "secret": "s"}
    logging.getLogger("workers.x").warning("two\nlines of %s – ü", "text", extra=context)
    [entry] = lines(capsys)
    moment = datetime.fromisoformat(entry.pop("time"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert entry == {
        "level": "warning",
        "logger": "workers.x",
        "message": "two\nlines of text – ü",
        "batch": str(batch),
        "chunk": "c",
        "job": "7",
        "worker": "w",
    }


def test_context_that_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    logging.getLogger("x").info("hello")
    [entry] = lines(capsys)
    assert set(entry) == {"time", "level", "logger", "message"}


def test_a_traceback_is_one_field(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    [entry] = lines(capsys)
    assert entry["traceback"].startswith("Traceback")
    assert entry["traceback"].endswith("'broken'")


def test_what_a_process_always_says_is_in_every_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_always", {})
    configure("json", "INFO")
    logs.always(worker=7)
    logging.getLogger("x").info("mine")
    logging.getLogger("x").info("another's", extra={"worker": 8})
    assert [entry["worker"] for entry in lines(capsys)] == ["7", "8"]


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "INFO")
    logging.getLogger("producer.x").info("hello")
    assert capsys.readouterr().err.rstrip().endswith("INFO    producer.x: hello")


def test_the_least_level_counts_and_chatty_libraries_are_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "WARNING")
    logging.getLogger("x").info("not this")
    configure("json", "INFO")
    logging.getLogger("botocore").info("nor this")
    logging.getLogger("botocore").warning("but this")
    assert [entry["message"] for entry in lines(capsys)] == ["but this"]


def test_configuring_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    configure("json", "INFO")
    logging.getLogger("x").info("once")
    assert len(lines(capsys)) == 1


def test_a_name_cannot_pass_for_a_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "INFO")
    logging.getLogger("x").info("annotated %s", "a\n2026-01-01 INFO x: all is well\x1b[2J\udce9")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("annotated a")
    assert second == r"    2026-01-01 INFO x: all is well\x1b[2J\xe9"


def test_json_lines_are_utf_8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))
    configure("json", "INFO")
    logging.getLogger("x").info("Größe %s", "caf\udce9")
    sys.stderr.flush()
    assert json.loads(written.getvalue().decode())["message"] == "Größe caf\udce9"


def test_the_last_word_is_a_line_like_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    logs.say("maskpool worker", "there is no bucket")
    [entry] = lines(capsys)
    assert (entry["level"], entry["logger"].split(".")) == ("error", ["maskpool", "worker"])
    assert entry["message"] == "there is no bucket"
    configure("text", "INFO")
    logs.say("maskpool worker", "there is no bucket")
    assert capsys.readouterr().err == "maskpool worker: there is no bucket\n"


def test_what_python_says_by_itself_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "INFO")
    error = ValueError("seven")
    sys.excepthook(ValueError, error, None)
    [entry] = lines(capsys)
    assert (entry["level"], entry["message"]) == ("critical", "seven")
    assert "ValueError" in entry["traceback"]
