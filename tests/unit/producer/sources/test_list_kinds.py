"""Which files are manifests by their names."""

from __future__ import annotations

import pytest

from producer.sources import names
from producer.sources.list_kinds import LISTS


def test_each_ending_of_a_manifest_has_a_reader() -> None:
    assert tuple(LISTS) == names.LIST_SUFFIXES
    assert not names.IMAGE_SUFFIXES & set(LISTS)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.csv", True), ("b/A.JSONL", True), ("a.csv.gz", False), ("csv", False), (".csv", False)],
)
def test_a_manifest_is_known_by_its_name(name: str, is_one: bool) -> None:
    assert names.is_list(name) is is_one
