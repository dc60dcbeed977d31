"""The team profile as far as it can be checked where no container engine runs."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import flower.options  # noqa: F401 - defines Flower's options
import pytest
import yaml
from services.process import free_port, stop, wait_ready
from tornado.options import options as tornado_options

import maskpool
from maskpool.health import HealthFile
from maskpool.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
#: The ``.env.example`` from which a team of the version before made its ``.env``.
OLD_ENV = Path(__file__).parent / "env_of_0_1_0.txt"

ONE_SHOT = {"bucket", "migrate", "cli"}
CODE = "\n".join(
    line for line in COMPOSE.read_text().splitlines() if not line.lstrip().startswith("#")
)
SECRET = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|TOKEN|AUTH")


def _tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / name
    if not program.exists():
        pytest.fail(f"{name} is missing; it comes with the extra dev")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def _environment() -> Iterator[tuple[str, str, str]]:
    for service, body in SERVICES.items():
        for name, value in body.get("environment", {}).items():
            yield service, name, value


def _example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _schema_check(path: Path) -> subprocess.CompletedProcess[str]:
    return _tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def test_the_file_follows_the_compose_specification() -> None:
    result = _schema_check(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_misspelt_key_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:", 1))
    assert _schema_check(wrong).returncode != 0


def test_the_dockerfile_passes_hadolint() -> None:
    result = _tool("hadolint", ROOT / "Dockerfile")
    assert result.returncode == 0, result.stdout


def test_the_parts_are_there() -> None:
    parts = {
        "redis",
        "postgres",
        "s3",
        "migrate",
        "dispatcher",
        "worker",
        "worker-cpu",
        "web",
        "flower",
    }
    assert parts <= SERVICES.keys()
    assert SERVICES["worker"]["profiles"] == ["gpu"]
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert "minio" not in CODE


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", tag), f"{image}:{tag}"
    if image.startswith("maskpool"):
        assert tag == maskpool.__version__


def test_base_images_are_pinned() -> None:
    text = (ROOT / "Dockerfile").read_text()
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - set(
        re.findall(r" AS (\S+)$", text, re.MULTILINE)
    )
    assert bases
    for base in bases:
        assert re.search(r":\d+\.\d+\.\d+", base), base


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_comes_back_and_is_watched_or_runs_once(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        for needed, rule in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert rule["condition"] == expected, f"{name} needs {needed}"
    assert {"redis", "migrate", "bucket"} <= SERVICES["worker"]["depends_on"].keys()


def test_nothing_listens_beyond_loopback_unless_asked() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    for name, ports in published.items():
        for port in ports:
            assert port.startswith(("127.0.0.1:", "${BIND_ADDRESS:-127.0.0.1}:")), name
    assert published["flower"] == ["127.0.0.1:5555:5555"]
    assert _example()["BIND_ADDRESS"] == "127.0.0.1"


def test_only_those_who_need_objects_reach_the_object_store() -> None:
    # SeaweedFS's own ports ask for no password.
    users = {name for name, service in SERVICES.items() if "store" in service["networks"]}
    assert users == {"s3", "bucket", "worker", "worker-cpu", "web", "clerk", "cli"}


def test_no_secret_is_written_down() -> None:
    for service, name, value in _environment():
        if SECRET.search(name):
            assert re.fullmatch(r"(\$\{\w+:(\?[^}]+|-)\}:?)+", value), f"{service}: {name}"
    for user_info in re.findall(r"://([^@/\s]*)@", CODE):
        assert "${" in user_info, user_info


def test_required_variables_are_in_the_example_and_empty() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", CODE))
    example = _example()
    assert required == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "FLOWER_USER",
        "FLOWER_PASSWORD",
        "COMPOSE_PROFILES",
    }
    assert required <= example.keys()
    assert {example[name] for name in required if SECRET.search(name)} == {""}


def test_every_variable_of_the_example_is_used() -> None:
    assert _example().keys() <= set(re.findall(r"\$\{(\w+)", CODE))


def test_every_setting_named_is_a_setting() -> None:
    known = {f"MASKPOOL_{name.upper()}" for name in Settings.model_fields}
    named = {name for _, name, _ in _environment() if name.startswith("MASKPOOL_")}
    assert {"MASKPOOL_DATABASE_URL", "MASKPOOL_REDIS_URL", "MASKPOOL_STORE_URL"} <= named <= known
    assert set(re.findall(r"MASKPOOL_\w+", (ROOT / ".env.example").read_text())) <= known


def test_every_flower_option_named_is_one() -> None:
    # Flower passes over a variable it does not know without a word.
    named = {name for _, name, _ in _environment() if name.startswith("FLOWER_")}
    assert {"FLOWER_BASIC_AUTH", "FLOWER_PERSISTENT", "FLOWER_DB"} <= named
    assert {name.removeprefix("FLOWER_").lower() for name in named} <= set(tornado_options)


def test_every_volume_lies_where_the_image_lets_its_user_write() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name in ("worker", "flower"):
        for volume in SERVICES[name]["volumes"]:
            assert volume.partition(":")[2] in dockerfile, name


def test_the_images_do_not_run_as_root() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    for stage in stages:
        if re.search(r" AS (core|worker)\n", stage):
            assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stage, re.MULTILINE)
            assert "STOPSIGNAL SIGTERM" in stage
            assert "HEALTHCHECK" in stage


def test_the_build_context_holds_what_is_copied() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    assert sources == allowed
    for source in sources:
        assert (ROOT / source).exists(), source


def test_the_bucket_is_made_once_and_found_again(s3_bucket: tuple[str, str]) -> None:
    endpoint_url, _ = s3_bucket
    service = SERVICES["bucket"]
    environment = os.environ | {
        "MASKPOOL_S3_ENDPOINT_URL": endpoint_url,
        "MASKPOOL_STORE_URL": service["environment"]["MASKPOOL_STORE_URL"],
    }
    for _ in range(2):
        command = [sys.executable, *service["command"][1:]]
        made = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
    client = boto3.client("s3", endpoint_url=endpoint_url)
    assert "maskpool" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    client.close()


def _checks() -> dict[str, list[str]]:
    """The command of each health check of ours: the images' own, and the services'."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    found = {f"image {n}": json.loads(words) for n, words in enumerate(_IMAGE_CHECK(dockerfile))}
    for name in ("dispatcher", "clerk", "worker", "worker-cpu"):
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        found[name] = words
    return found


_IMAGE_CHECK = re.compile(r"^HEALTHCHECK [^\n]*\\\n\s+CMD (\[.*\])$", re.MULTILINE).findall


def test_health_checks_read_the_file_that_the_processes_write() -> None:
    written = re.search(r"MASKPOOL_HEALTH_FILE=(\S+)", (ROOT / "Dockerfile").read_text())
    assert written is not None
    assert len(_checks()) == 6
    for name, words in _checks().items():
        assert words == ["python", "-P", "-m", "maskpool.health", written[1]], name
    assert "MASKPOOL_HEALTH_FILE" not in {name for _, name, _ in _environment()}


@pytest.mark.parametrize("name", _checks())
def test_a_container_is_healthy_while_its_process_is_heard(name: str, tmp_path: Path) -> None:
    program, *words, _ = _checks()[name]
    assert program == "python"
    file = tmp_path / "health"

    def healthy() -> bool:
        done = subprocess.run([sys.executable, *words, file], check=False, capture_output=True)
        return done.returncode == 0

    assert not healthy()
    health_file = HealthFile(file, "worker", "host:1")
    health_file.beat("the database is away")
    assert healthy(), "another start would not help"
    health_file.beat("the device is lost", live=False)
    assert not healthy()


@pytest.fixture
def copy_of_make(tmp_path: Path) -> Path:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    (tmp_path / "scripts").mkdir()
    copied = (
        "Makefile",
        ".env.example",
        "pyproject.toml",
        "constraints.txt",
        "scripts/write_env.py",
    )
    for name in copied:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_make_env_fills_in_every_secret_once(copy_of_make: Path) -> None:
    assert _make(copy_of_make, "env").returncode == 0
    env = copy_of_make / ".env"
    text = env.read_text()
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    secrets = [values[name] for name in _example() if SECRET.search(name) and name != "HF_TOKEN"]
    assert len(secrets) == len(set(secrets)) == 5
    assert all(re.fullmatch(r"[0-9a-f]{40}", secret) for secret in secrets)
    assert env.stat().st_mode & 0o077 == 0
    _make(copy_of_make, "env")
    assert env.read_text() == text


def test_make_names_a_python_that_is_too_old(copy_of_make: Path) -> None:
    old = copy_of_make / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 || exit 1\n')
    old.chmod(0o755)
    result = _make(copy_of_make, "test", f"PYTHON={old}")
    assert result.returncode != 0
    assert "3.11 or newer" in result.stderr
    assert "Python 3.9.2" in result.stderr


def test_make_names_the_missing_venv_package(copy_of_make: Path) -> None:
    bare = copy_of_make / "python3"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    bare.chmod(0o755)
    result = _make(copy_of_make, "demo", f"PYTHON={bare}")
    assert result.returncode != 0
    assert "apt install python3-venv" in result.stderr


def test_make_installs_nothing_twice(copy_of_make: Path) -> None:
    venv = copy_of_make / ".venv"
    venv.mkdir()
    for stamp in ("venv", "run", "dev"):
        (venv / f"{stamp}.stamp").touch()
    for target in ("demo", "test"):
        assert "pip" not in _make(copy_of_make, "-n", target).stdout
    # Clocks of file systems tick in steps that two quick runs of make fit into.
    later = (venv / "dev.stamp").stat().st_mtime + 1
    os.utime(copy_of_make / "constraints.txt", (later, later))
    assert "pip install" in _make(copy_of_make, "-n", "test").stdout


def _status(url: str, authorization: str | None = None) -> int:
    request = Request(url, headers={"Authorization": authorization} if authorization else {})
    try:
        with urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


@pytest.fixture
def flower_url(redis_url: str, tmp_path: Path) -> Iterator[str]:
    """Flower, started by its service's own command and environment but for names of the network."""
    port = free_port()
    named = {
        name: value
        for name, value in SERVICES["flower"]["environment"].items()
        if name.startswith("FLOWER_")
    }
    environment = (
        os.environ
        | named
        | {
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(port),
            "FLOWER_BASIC_AUTH": "flower:geheim",
            "FLOWER_DB": str(tmp_path / "flower"),
            "MASKPOOL_REDIS_URL": redis_url,
        }
    )
    program, *words = SERVICES["flower"]["command"]
    assert program == "python"
    command = [sys.executable, *words]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return _status(f"{url}/healthcheck") == 200
        except OSError:
            return False

    try:
        wait_ready(process, answers, tmp_path / "log")
        yield url
    finally:
        stop(process)


def test_flower_starts_from_its_variables_and_asks_for_a_password(
    flower_url: str, tmp_path: Path
) -> None:
    password = base64.b64encode(b"flower:geheim").decode()
    assert _status(f"{flower_url}/api/workers") == 401
    assert _status(f"{flower_url}/api/workers", f"Basic {password}") == 200
    assert list(tmp_path.glob("flower*")), "nothing is kept over a restart"


def test_an_old_env_keeps_its_secrets_and_gets_what_it_lacks(copy_of_make: Path) -> None:
    env = copy_of_make / ".env"
    old = OLD_ENV.read_text().replace("POSTGRES_PASSWORD=", "POSTGRES_PASSWORD=old")
    env.write_text(old + "MINE=1\n")
    made = _make(copy_of_make, "env")
    assert made.returncode == 0, made.stderr
    assert "COMPOSE_PROFILES, CLI_USER" in made.stdout
    values = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line)
    assert values["POSTGRES_PASSWORD"] == "old"
    assert values["MINE"] == "1"
    assert values["COMPOSE_PROFILES"] in {"gpu", "cpu"}
    assert values["CLI_USER"] == f"{os.getuid()}:{os.getgid()}"
    assert env.stat().st_mode & 0o077 == 0


def test_an_env_without_a_profile_is_refused_and_never_up_without_a_worker() -> None:
    # Interpolated in a service that each `up` starts; compose stops with the sentence.
    assert "${COMPOSE_PROFILES:?" in SERVICES["dispatcher"]["labels"]["profiles"]


def test_the_command_line_depends_on_nothing_and_makes_no_folder() -> None:
    cli = SERVICES["cli"]
    assert "depends_on" not in cli
    for volume in cli["volumes"]:
        assert volume["bind"] == {"create_host_path": False}
    assert cli["user"] == "${CLI_USER:-10001:10001}"
    assert {volume["target"]: volume.get("read_only") for volume in cli["volumes"]} == {
        "/images": True,
        "/out": None,
    }


def test_an_image_of_ours_is_built_when_missing_and_never_pulled() -> None:
    ours = {n: s for n, s in SERVICES.items() if s["image"].startswith("maskpool")}
    assert {service["pull_policy"] for service in ours.values()} == {"never"}
    # What `up` starts builds the core image once; `run cli` builds it where nobody did.
    built = {n for n, s in ours.items() if "core" in s["image"] and "build" in s}
    assert built == {"migrate", "cli"}


def test_a_compiler_reaches_each_worker() -> None:
    for name in ("worker", "worker-cpu"):
        assert SERVICES[name]["build"]["args"]["COMPILER"] == "${COMPILER:-}"


def test_only_those_who_use_objects_hold_keys_to_them() -> None:
    holders = {service for service, name, _ in _environment() if name.startswith("AWS_")}
    assert holders == {"s3", "bucket", "worker", "worker-cpu", "web", "clerk", "cli"}


def test_what_dependencies_are_installed_from_is_two_files() -> None:
    stage = re.search(r" AS core-build\n(.*?)\nFROM ", (ROOT / "Dockerfile").read_text(), re.DOTALL)
    assert stage is not None
    assert re.findall(r"^COPY (.+)$", stage[1], re.MULTILINE) == [
        "pyproject.toml constraints.txt ./"
    ]


def test_a_service_is_well_soon_after_it_is_ready() -> None:
    """Health is asked every five seconds: `up --wait` returns at most ten after readiness."""
    checked = {
        name: service["healthcheck"]
        for name, service in SERVICES.items()
        if "test" in service.get("healthcheck", {})
    }
    assert {"redis", "postgres", "s3", "dispatcher", "worker", "worker-cpu", "flower"} <= set(
        checked
    )
    for name, check in checked.items():
        assert check["interval"] == "5s", name
