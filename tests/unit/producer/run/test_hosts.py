"""Which hosts a run's workers may read from: those of its list, and those of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskpool.settings import Settings
from maskpool.spec import Prompt
from producer.run import _private
from producer.run.records import Run
from producer.sources import open_source


def allowed(source: Path, **settings: object) -> tuple[str, ...]:
    asked = Run(str(source), (Prompt(text="circle"),), source.parent / "out", 0.5)
    source_of = open_source(str(source))
    return _private(asked, source.parent / "home", source_of, Settings(**settings)).source_hosts


@pytest.mark.parametrize("count", [1, 1_000])
def test_a_list_opens_its_own_hosts(tmp_path: Path, count: int) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a.jpg\n" + "".join(f"https://h{n:04}.org/a.jpg\n" for n in range(count)))
    expected = tuple(f"h{n:04}.org" for n in range(count))
    assert allowed(listed) == expected
    assert allowed(listed, source_hosts="cdn.org") == ("cdn.org", *expected)


def test_a_list_of_the_whole_web_opens_every_public_host(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"https://h{n}.org/a.jpg\n" for n in range(1_001)))
    assert allowed(listed) == ("*",)


def test_local_images_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    assert allowed(tmp_path / "photos") == ()
