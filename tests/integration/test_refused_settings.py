"""A setting that is refused ends each program with one sentence, in the form its logs have."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAMS = {
    "worker": ["-P", "-m", "workers"],
    "flower": ["-P", "-m", "workers.monitor"],
    "dispatcher": ["-m", "producer.cli", "dispatch"],
    "migrate": ["-m", "producer.cli", "migrate"],
    "bucket": ["-P", "-m", "storage.make_bucket"],
}


def _refused(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"MASKPOOL_LEASE_SECONDS": "soon"} | environment
    command = [sys.executable, *PROGRAMS[program]]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_json_logs_are_json_from_the_first_line(program: str) -> None:
    done = _refused(program, MASKPOOL_LOG_FORMAT="json")
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert json.loads(line)["message"].startswith("MASKPOOL_LEASE_SECONDS: ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_person_reads_one_sentence(program: str) -> None:
    done = _refused(program)
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert ": MASKPOOL_LEASE_SECONDS: " in line


def test_a_bucket_that_cannot_be_made_is_named() -> None:
    done = _refused(
        "bucket",
        MASKPOOL_LEASE_SECONDS="60",
        MASKPOOL_STORE_URL="s3://maskpool/pool",
        MASKPOOL_S3_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="b",
    )
    assert done.returncode == 4
    [line] = done.stderr.splitlines()
    assert "s3://maskpool" in line
