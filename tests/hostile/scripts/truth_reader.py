"""Reads COCO files under a memory limit: a path a line in, what became of it a line out."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np  # loaded before the limit, as is pycocotools: it is for what a file costs
import pycocotools.mask  # noqa: F401 - as above

from maskpool.errors import SourceError
from producer.formats.coco.read import read_coco

#: Bytes of memory, beside what the process took before it read anything.
_ROOM = 512 * 1024 * 1024


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _read(path: Path) -> dict[str, object]:
    try:
        read = read_coco(path)
    except SourceError as error:
        return {"refused": str(error)}
    masks = [(name, mask) for (name, _), group in read.masks.items() for mask in group]
    for name, mask in masks:
        assert mask.runs.size == read.sizes[name]
        assert np.all(mask.runs.starts < mask.runs.ends)
        assert np.all(mask.runs.ends[:-1] <= mask.runs.starts[1:])
        assert mask.runs.area <= read.sizes[name][0] * read.sizes[name][1]
        assert 0 <= mask.score <= 1
    return {"images": len(read.sizes), "masks": len(masks)}


def main() -> None:
    """Answer until the input ends; a bug is an answer, too, and a crash ends the process."""
    if sys.platform == "linux":
        _limit()
    for line in sys.stdin:
        try:
            answer = _read(Path(json.loads(line)))
        except Exception as error:  # noqa: BLE001 - the test names it
            answer = {"bug": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
