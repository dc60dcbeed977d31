"""A web application for all tests of a file that only look at it, or leave what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from services.door import Door, open_door


@pytest.fixture(scope="module")
def lasting_door(
    new_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """On an SQLite file of its own."""
    folder = tmp_path_factory.mktemp("door")
    with open_door(new_sqlite(folder), folder) as door:
        yield door
