"""One pool at work for every file of this folder, whose tests therefore run in one process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from services.studio import Site, running_stack


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Started once: it takes as long as most of the tests. Who hurts it comes last by name."""
    with running_stack(tmp_path_factory.mktemp("stack")) as site:
        yield site
