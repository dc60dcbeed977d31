"""The way of texts through one checkout of this project; ``bench/revisions.py`` starts and asks it.

    python bench/revision_worker.py FOLDER THREADS

Of FOLDER are the code and the demo weights. Each line that it reads is one call, ``{"images": FILE,
"texts": […]}``, with uint8 images (images, height, width, 3) in an ``.npy`` file. It answers each
with the seconds on the clock and of CPU, and a digest of all that was found.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Instead of this folder, and before our rooms are imported: they are to be that checkout's.
    sys.path[0] = sys.argv[1]

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from maskpool import ports
from workers.models import load

#: Rows in one pass of the detector, as a worker without a GPU has them.
_PAIRS = 8

#: Images and texts in, what was found in each image out.
Call = Callable[[Sequence[Any], Sequence[str]], list[Any]]


def main(folder: Path, threads: int) -> None:
    """Answer calls until there are no more."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    torch.set_num_threads(threads)
    demo = folder / "workers" / "models" / "demo" / "sam3"
    call = _call(load.load_segmenter(str(demo), load.choose_device("auto"), _PAIRS))
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _timed(call, list(np.load(asked["images"])), asked["texts"])
        print(json.dumps(answer), file=out, flush=True)


def _call(segmenter: Any) -> Call:
    """How this checkout's segmenter is called."""
    request = getattr(ports, "Request", None)
    if request is None:  # before boxes and clicks, a call was images and texts
        of_texts: Call = segmenter.segment
        return of_texts

    def call(images: Sequence[Any], texts: Sequence[str]) -> list[Any]:
        answers = segmenter.segment([request(image, tuple(texts)) for image in images])
        return [answer.found for answer in answers]

    return call


def _timed(call: Call, images: Sequence[Any], texts: Sequence[str]) -> dict[str, object]:
    began, cpu_began = time.perf_counter(), time.process_time()
    found = call(images, texts)
    cpu_seconds, seconds = time.process_time() - cpu_began, time.perf_counter() - began
    rows = [
        (one.prompt_index, one.score, one.box_xyxy, one.mask.counts)
        for ones in found
        for one in ones
    ]
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "found": digest}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
