"""The pages' files: which are served, under which address, and what a page loads at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maskpool.errors import NotFound
from web.studio import assets, markup

FILES = assets.load()


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


def test_what_is_loaded_when_wanted_is_apart_and_its_words_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    (tmp_path / "a.js").write_text(
        'import "./b.js";\n/** @param {() => import("./no.js").No} a */\n'
        'run(() => import("./c.js"));\n'
    )
    (tmp_path / "b.js").write_text("export const b = 1;\n")
    (tmp_path / "c.js").write_text('import "./d.js";\n')
    (tmp_path / "d.js").write_text("export const d = 1;\n")
    found = assets.load.__wrapped__()
    assert sorted(found.modules("a.js")) == ["a.js", "b.js"]
    assert sorted(found.ever("a.js")) == ["a.js", "b.js", "c.js", "d.js"]


def test_every_module_that_is_loaded_when_wanted_is_found_by_its_page() -> None:
    code = re.compile(r"^(?!\s*/?\*).*?\bimport\(\"\./([\w.-]+)\"\)(?!\.[A-Z])", re.MULTILINE)
    wanted = {
        module
        for file in assets.FOLDER.glob("*.js")
        for line in file.read_text("utf-8").splitlines()
        if "@" not in line
        for module in code.findall(line)
    }
    pages = [one.stem for one in markup.FOLDER.glob("*.html") if f"{one.stem}.js" in FILES.files]
    late = {
        one
        for page in pages
        for one in set(FILES.ever(f"{page}.js")) - set(FILES.modules(f"{page}.js"))
    }
    assert {"try-code.js", "try-download.js", "key-list.js"} <= wanted <= late
