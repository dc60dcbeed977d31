"""What the doctor tells the process that tries a model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from maskpool.settings import Settings
from producer import model_trial


@pytest.mark.parametrize("name", ["-x.jpg", "--prompt=a.jpg", "a b.jpg"])
@pytest.mark.parametrize("prompt", ["circle", "-p", "--help"])
def test_no_word_of_the_user_passes_for_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, prompt: str
) -> None:
    told: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        told.extend(command)
        return subprocess.CompletedProcess(command, 0, json.dumps({"found": []}), "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    Image.new("RGB", (8, 8)).save(name)
    model_trial.try_model(Settings(), "demo", Path(name), [prompt], tmp_path / "out.jpg")
    assert told[1:] == [
        *("-P", "-m", "workers.try_model"),
        *(f"--prompt={prompt}", "--", "demo", f"{tmp_path}/{name}"),
    ]
