"""The pages' files: which are served, under which address, and what a page loads at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskpool.errors import NotFound
from web.studio import assets


def test_an_address_changes_with_any_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    marks = set()
    for text in ("one", "other"):
        (tmp_path / "a.js").write_text(text)
        (tmp_path / "secret.txt").write_text("is not served")
        found = assets.load.__wrapped__()
        assert set(found.files) == {"a.js"}
        marks.add(found.path("a.js"))
    assert len(marks) == 2
    with pytest.raises(NotFound):
        found.path("b.js")


def test_a_page_names_all_modules_of_its_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    (tmp_path / "a.js").write_text(
        '// @ts-check\nimport {\n  b,\n} from "./b.js";\nb("./no.js");\n'
    )
    (tmp_path / "b.js").write_text('import "./a.js";\nexport { c } from "./c.js";\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    assert sorted(assets.load.__wrapped__().modules("a.js")) == ["a.js", "b.js", "c.js"]
