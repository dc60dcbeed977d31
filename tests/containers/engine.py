"""A container engine for the tests alone; one that runs already is never asked for anything.

The stand-in images carry the tags of the real ones and tests end in ``down -v``: on an engine with
a team's pool that would replace its images and delete its volumes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

#: Kept between runs: images and build layers, the base system, downloaded tools.
CACHE = Path(os.environ.get("CONTAINERS_CACHE", "/var/cache/maskpool-containers"))

_START_SECONDS = 60.0


class NoEngineError(Exception):
    """No engine can be had here; the sentence says why."""


def why_not() -> str:
    """Why no engine can be started here; empty if one can."""
    if os.geteuid() != 0:
        return "an engine of its own needs root"
    missing = [name for name in ("dockerd", "docker", "debootstrap") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install docker.io debootstrap"
    return ""


class Engine:
    """One ``dockerd`` with folders and socket of its own, stopped with all that runs in it."""

    def __init__(self) -> None:
        self.run = Path(tempfile.mkdtemp(prefix="maskpool-engine-", dir="/tmp"))
        self.socket = self.run / "docker.sock"
        self.log = self.run / "dockerd.log"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")
        } | {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.run / "config")}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        data = CACHE / "engine"
        data.mkdir(parents=True, exist_ok=True)
        command = [
            "dockerd",
            *("--data-root", data, "--exec-root", self.run / "exec"),
            *("--pidfile", self.run / "pid", "--host", f"unix://{self.socket}"),
            *("--config-file", self.run / "none.json"),
            # Where a system's containerd is found it is shared, but under a name of our own.
            *("--containerd-namespace", "maskpool", "--containerd-plugins-namespace", "maskpool-p"),
            # Another engine's packet rules stay as they are. Builds use the machine's network.
            *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ]
        (self.run / "none.json").write_text("{}")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoEngineError("dockerd does not start: " + self._last_words())
            time.sleep(0.2)

    def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        asked = self.docker("info", "--format", "{{json .DockerRootDir}}", check=False)
        if asked.returncode != 0:
            return False
        if Path(json.loads(asked.stdout)) != CACHE / "engine":
            raise NoEngineError(f"the engine behind {self.socket} is not the one of the tests")
        return True

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it says nothing"

    def docker(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One docker command against this engine."""
        done = subprocess.run(
            ["docker", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(map(str, words))}: {done.stderr[-4000:]}")
        return done

    def close(self) -> None:
        """Remove every container, stop the engine, and leave only the cache."""
        if self._process is not None:
            if self._process.poll() is None:
                left = self.docker("ps", "-aq", check=False).stdout.split()
                if left:
                    self.docker("rm", "-fv", *left, check=False)
                self._process.terminate()
                try:
                    self._process.wait(30)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            self._process = None
        # Namespaces of networks stay mounted where an engine had to be killed.
        for line in Path("/proc/mounts").read_text().splitlines():
            if (mounted := line.split()[1]).startswith(f"{self.run}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.run, ignore_errors=True)
