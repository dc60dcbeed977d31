"""What the doctor's exit code says: a service that is not well, or a setting that is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from maskpool import exits
from maskpool.settings import Settings
from producer import doctor
from producer.cli.doctor import _exit_code
from producer.doctor import Check, run_checks

WELL, UNUSED = Check("store", True, "can be written"), Check("Redis", None, "is not set")
SERVICE = Check("dispatcher", False, "never seen", service=True)
SETTING = Check("models", False, "holds no model")


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([WELL, UNUSED], exits.OK),
        ([WELL, SETTING], exits.BAD_INPUT),
        ([WELL, SERVICE], exits.UNREACHABLE),
        ([SETTING, SERVICE], exits.UNREACHABLE),
    ],
)
def test_a_service_outweighs_a_setting(checks: list[Check], code: int) -> None:
    assert _exit_code(checks) == code


def failed(monkeypatch: pytest.MonkeyPatch, **settings: object) -> dict[str, bool]:
    """The checks that failed, and whether a service is at fault."""
    monkeypatch.setattr(doctor, "_torch", lambda: Check("torch", None, "takes seconds"))
    checks = run_checks(Settings(**settings))
    return {check.name: check.service for check in checks if check.ok is False}


def test_a_service_that_is_away_is_told_from_a_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    away = SecretStr("redis://127.0.0.1:1/0")
    assert failed(monkeypatch, home=tmp_path, redis_url=away) == {"Redis": True}
    typo = SecretStr("redish://127.0.0.1")
    assert failed(monkeypatch, home=tmp_path, redis_url=typo) == {"Redis": False}
    assert failed(monkeypatch, home=tmp_path, store_url="ftp://x") == {"store": False}


def test_a_pool_where_nobody_serves_is_not_well(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path
) -> None:
    found = failed(monkeypatch, home=tmp_path, database_url=SecretStr(sqlite_url))
    assert found == {"dispatcher": True, "workers": True}


def test_an_old_schema_is_a_service_to_be_migrated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = SecretStr(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert failed(monkeypatch, home=tmp_path, database_url=empty)["database"] is True


def test_torch_that_takes_too_long_to_import_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", endless)
    check = doctor._torch()
    assert (check.ok, check.service) == (False, False)
    assert check.found == "importing torch took more than 120 s"
    assert check.advice == "try again when this machine and its disk are less busy"
