"""The link that a stack prints opens in a browser, wherever its server listens."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maskpool.settings import Settings, load_settings
from producer.cli.serve import keep_open


def printed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    def over() -> None:
        raise KeyboardInterrupt

    stack: Any = SimpleNamespace(settings=settings, watch=over)
    with pytest.raises(KeyboardInterrupt):
        keep_open(stack, settings)
    return capsys.readouterr().out


@pytest.mark.parametrize("address", ["0.0.0.0:9000", "[::]:9000", "127.0.0.1:9000"])
def test_no_link_names_every_address(
    address: str, sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(database_url=sqlite_url, home=tmp_path, serve_address=address)
    out = printed(settings, capsys)
    assert "web: http://127.0.0.1:9000" in out
    assert "log in: http://127.0.0.1:9000/login/local?token=" in out
