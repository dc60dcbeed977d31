"""A copy of the repository as a team would clone it, and its compose file on the tests' engine."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any, Self

from services.process import free_port

from containers.engine import Engine

_ROOT = Path(__file__).parents[2]

#: What this machine needs beside the file: free ports, its own network for builds, and the
#: wheel of torch that lies in the stand-in image.
_OVERRIDE = """
services:
  redis: {{ ports: !override ["127.0.0.1:{0}:6379"] }}
  postgres: {{ ports: !override ["127.0.0.1:{1}:5432"] }}
  s3: {{ ports: !override ["127.0.0.1:{2}:8333"] }}
  flower: {{ ports: !override ["127.0.0.1:{3}:5555"] }}
  migrate: {{ build: {{ network: host }} }}
  cli: {{ build: {{ network: host }} }}
  worker-cpu: {{ build: {{ network: host, args: {{ TORCH_INDEX: "" }} }} }}
"""


class Profile:
    """``docker compose`` in one folder and under one project's name, removed at the end.

    Args:
        engine: The tests' own; its socket is the only one that is asked.
        folder: Where the repository's tracked files are copied to; must not exist.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.name = f"maskpool-test-{secrets.token_hex(6)}"
        self.flower_port = free_port()
        self.environment = engine.environment | {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": "docker-compose.yml:override.yml",
            "DOCKER_BUILDKIT": "1",
        }
        for name in ("COMPOSE_PROFILES", "CLI_USER", "IMAGES", "OUT", "USER"):
            self.environment.pop(name, None)

    def __enter__(self) -> Self:
        _copy_tracked(self.folder)
        ports = (free_port(), free_port(), free_port(), self.flower_port)
        (self.folder / "override.yml").write_text(_OVERRIDE.format(*ports))
        return self

    def __exit__(self, *_: object) -> None:
        self.sh("docker compose --profile '*' down -v --remove-orphans", check=False)

    def start(self) -> None:
        """Have everything up and well, whichever file's tests ran before."""
        self.sh("test -e .env || make env; docker compose up -d --build --wait")

    def setting(self, name: str) -> str:
        """One value of ``.env``."""
        lines = (self.folder / ".env").read_text().splitlines()
        return next(line.split("=", 1)[1] for line in lines if line.startswith(f"{name}="))

    def sh(
        self, script: str, *, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run shell lines in the folder, as a member of the team would."""
        if not self.environment["DOCKER_HOST"].endswith(str(self.engine.socket)):
            raise AssertionError("these commands are for the tests' own engine alone")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{script}: {done.stdout[-2000:]} {done.stderr[-4000:]}")
        return done

    def cli(
        self, words: str, *, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """One command of the command line's container."""
        return self.sh(f"docker compose run --rm cli {words}", check=check, **env)

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container, stopped ones included."""
        container = self.sh(f"docker compose ps -aq {service}").stdout.split()[0]
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", container).stdout)[0]
        return found


def _copy_tracked(folder: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((_ROOT / name).read_bytes())
            (folder / name).chmod((_ROOT / name).stat().st_mode)
