"""Limits that a page says before anybody is refused are the server's own."""

from __future__ import annotations

import re
from pathlib import Path

import web.studio
from producer.create import MAX_LISTED
from producer.load import MAX_NOW

STATIC = Path(web.studio.__file__).parent / "static"


def said(name: str, module: str) -> int:
    found = re.search(rf"\b{name} = (\d+)\b", (STATIC / module).read_text())
    assert found, f"{module} says no {name}"
    return int(found[1])


def test_a_new_batch_is_as_large_as_the_server_takes() -> None:
    assert said("MAX_NOW", "new-batch.js") == MAX_NOW
    assert said("MAX_LIST", "new-batch.js") == MAX_LISTED
