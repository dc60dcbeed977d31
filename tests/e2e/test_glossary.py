"""A Chinese prompt at the command line: words in and out, what is sent, and what is kept."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from PIL import Image
from services.command_line import maskpool

HEAD = b"\xef\xbb\xbfword,kind,english\r\n"


@pytest.mark.slow
def test_words_and_a_batch_in_chinese(tmp_path: Path) -> None:
    file = tmp_path / "pool.sqlite"
    environment = {
        "MASKPOOL_DATABASE_URL": f"sqlite:///{file}",
        "MASKPOOL_STORE_URL": f"file://{tmp_path / 'store'}",
        "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",
        "MASKPOOL_HOME": str(tmp_path / "home"),
    }

    def shell(*words: str, code: int = 0) -> tuple[str, str]:
        done = maskpool(*words, env=environment)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "a.png")
    shell("migrate")
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_bytes(HEAD + "国槐,noun,pagoda tree\r\n槐花,verb,x\r\n".encode())
    good.write_bytes(HEAD + "国槐,noun,pagoda tree\r\n".encode())
    assert f"{bad}, line 3: kind: 'verb'" in shell("glossary", "import", str(bad), code=2)[1]
    assert json.loads(shell("glossary", "ls", "--json")[0]) == []
    shell("glossary", "import", str(good))
    shell("glossary", "export", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == good.read_bytes().replace(b"\r\n", b"\n")

    _, said = shell("submit", str(images), "--prompt", "红色国槐, not 汽车")
    assert "红色国槐 is sent as: red pagoda tree, not car" in said
    with sqlite3.connect(file) as rows:
        [(stored,)] = rows.execute("SELECT spec FROM batches").fetchall()
    rows.close()
    spec = json.loads(stored)
    assert spec["glossary"] == "1.1.0"
    [prompt] = spec["prompts"]
    typed = {"name": "红色国槐", "not": ["car"], "typed": ["汽车"]}
    assert prompt == {"text": "red pagoda tree", **typed}

    _, refused = shell("submit", str(images), "--prompt", "戴帽子的人", code=2)
    assert "prompts[0].text: '戴帽子的人' is not sent: '戴帽子' is more than" in refused
