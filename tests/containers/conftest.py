"""The engine, and the team profile on it under a name that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from containers import stand_ins
from containers.engine import Engine, NoEngineError, why_not
from containers.profile import Profile


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with the stand-in images; skips where none can be had."""
    if why := why_not():
        pytest.skip(f"no container engine: {why}")
    try:
        with Engine() as running:
            running.docker("image", "prune", "--force")
            stand_ins.build(running)
            stand_ins.link_compose(running)
            yield running
    except NoEngineError as error:
        pytest.skip(f"no container engine: {error}")


@pytest.fixture(scope="session")
def profile(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """The team profile, built and up, in a copy of the repository with an ``.env`` of its own."""
    with Profile(engine, tmp_path_factory.mktemp("team") / "maskpool") as team:
        yield team
