"""One pool a profile for the fault tests of a file, and the table of what came of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from faults.sizes import IS_FULL, SIZES, Sizes
from faults.world import Load, Report, World
from services.postgres_server import running_postgres
from services.process import serve

from db.schema import upgrade

_reports: list[Report] = []
_rows_of_others: list[list[str]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(1_200 if IS_FULL else 200))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process beside others (``-n``) hands its lines to the one that prints the table."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = _rows()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _rows_of_others.extend(getattr(node, "workeroutput", {}).get("faults", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [*_rows_of_others, *_rows()]
    if not rows:
        return
    head = ["fault", "profile", "times", "jobs", "failed", "lost", "twice", "recovery s max/median"]
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    terminalreporter.section("faults")
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())


def _rows() -> list[list[str]]:
    return [
        [
            one.fault,
            one.profile,
            *map(str, (one.injected, one.jobs, one.failed, one.lost, one.twice)),
            f"{one.recovered_in()}  {one.note}",
        ]
        for one in _reports
        if one.injected
    ]


@pytest.fixture(scope="session")
def sizes() -> Sizes:
    return SIZES


@contextmanager
def built_world(profile: str, folder: Path, **options: Any) -> Iterator[World]:
    """A world of its own, not started yet; closed and, when large, deleted behind the test.

    Args:
        profile: ``team`` or ``embedded``.
        folder: Empty; its own.
        **options: Further fields of ``World``.
    """
    with ExitStack() as stack:
        server = None
        if profile == "team":
            # A crash may cost what was not flushed; here a commit must be one, as in production.
            served = contextmanager(serve)
            server = stack.enter_context(served(running_postgres(synchronous_commit="on")))
        url = server.url(server.create()) if server else f"sqlite:///{folder}/maskpool.sqlite"
        upgrade(url)
        world = World(profile, folder, url, server, **options)
        stack.callback(world.close)
        yield world
    if IS_FULL:  # objects by the thousand
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["team", "embedded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The world of a file that asks for nothing special."""
    folder = tmp_path_factory.mktemp(f"faults-{request.param}")
    with built_world(request.param, folder) as one:
        one.start()
        yield one


@pytest.fixture(scope="module", params=["team", "embedded"])
def team_unless_full(request: pytest.FixtureRequest) -> str:
    """The profile of a file's own world, before that starts; in short the team's alone."""
    if request.param == "embedded" and not IS_FULL:
        pytest.skip("on SQLite in `make faults` only")
    return str(request.param)


@pytest.fixture
def at_full_size_or_team(world: World) -> None:
    """Two minutes are short: what works alike on both databases is done on one of them."""
    if world.profile == "embedded" and not IS_FULL:
        pytest.skip("on SQLite in `make faults` only")


@pytest.fixture
def load(world: World) -> Load:
    return Load(world)


@pytest.fixture
def report(world: World, request: pytest.FixtureRequest) -> Report:
    """The line of this test in the table."""
    fault = request.node.function.__doc__.strip().partition("\n")[0].rstrip(".")
    report = Report(fault, world.profile)
    _reports.append(report)
    return report
