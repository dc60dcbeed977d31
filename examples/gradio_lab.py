"""A page for people who know Gradio: image, texts, threshold and masks, over the REST API.

It runs in an environment of its own, as Gradio asks for an older Pillow than maskpool does:

    $ python3 -m venv lab && lab/bin/pip install -r examples/gradio_lab.txt
    $ export MASKPOOL_TOKEN=mp_…    # maskpool token create lab --right upload --right predict
    $ lab/bin/python examples/gradio_lab.py http://127.0.0.1:8080
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np

Masks = list[tuple[np.ndarray, str]]


class Door:
    """The pool's REST API, as one user's token opens it."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=60)
        self._upload = self._ask("POST", "/uploads", json={"name": "gradio lab"})["id"]

    def find(self, path: str, texts: str) -> list[dict[str, Any]]:
        """Everything with a score of at least 0.05 that a model finds of some texts, one a line."""
        name = Path(path).name
        self._ask("PUT", f"/uploads/{self._upload}/files/{name}", content=Path(path).read_bytes())
        prompts = [{"text": line.strip()} for line in texts.splitlines() if line.strip()]
        asked = {"upload": self._upload, "file": name, "prompts": prompts}
        told = self._ask("POST", "/predict?which=stored&wait=30", json=asked)
        if told["result"] is None:
            raise gr.Error("nobody answered within 30 seconds; is a worker there?")
        found: list[dict[str, Any]] = told["result"]["instances"]
        return found

    def _ask(self, method: str, path: str, **what: Any) -> Any:  # noqa: ANN401 - the API's JSON
        answer = self._http.request(method, path, **what)
        if answer.is_error:
            raise gr.Error(answer.json().get("detail", answer.reason_phrase))
        return answer.json()


def drawn(
    path: str | None, found: list[dict[str, Any]], threshold: float
) -> tuple[str, Masks] | None:
    """What Gradio draws: the stored masks that reach a threshold, which asks no model again."""
    shown = [one for one in found if one["score"] >= threshold]
    named = [
        (decoded(one["segmentation"]), f"{one['category']} {one['score']:.2f}") for one in shown
    ]
    return (path, named) if path else None


def decoded(rle: dict[str, Any]) -> np.ndarray:
    """COCO's compressed RLE as an array (height, width) of 0 and 1."""
    runs: list[int] = []
    value = shift = 0
    for code in rle["counts"].encode():
        digit = code - 48
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        value -= (digit & 16) << shift - 4  # the sign of the last digit
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    height, width = rle["size"]
    return np.repeat(np.arange(len(runs)) % 2, runs).reshape(width, height).T


def page(door: Door) -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="maskpool lab") as blocks:
        found = gr.State([])
        with gr.Row():
            image = gr.Image(type="filepath", label="Image")
            masks = gr.AnnotatedImage(label="Masks")
        texts = gr.Textbox(label="What to look for, one a line", lines=2)
        threshold = gr.Slider(0.05, 0.95, 0.5, step=0.01, label="Threshold")
        ask = gr.Button("Find", variant="primary")
        ask.click(door.find, [image, texts], found).then(drawn, [image, found, threshold], masks)
        threshold.change(drawn, [image, found, threshold], masks)
    return blocks


if __name__ == "__main__":
    page(Door(sys.argv[1], os.environ["MASKPOOL_TOKEN"])).launch(server_name="127.0.0.1")
