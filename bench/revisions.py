"""Did texts become slower? This checkout beside another one, call by call, on one machine.

    python bench/revisions.py 473fa56                    # a commit
    python bench/revisions.py ../before --cells 1x1 8x10 # or a folder; images × prompts

Each side is a process of its own, with its own code and demo weights. Both get the same pictures
and texts and take turns, the order swapped each round, so that what else the machine does meets
both alike. Of two processes of the same code one may be some 4 % slower for all of its life: so
each side lives several times, and the medians are over all rounds of all lives.

``ratio`` is how many times as fast this checkout is; ``by CPU`` is the same of CPU seconds, which a
busy machine disturbs less, and ``lives`` its least and largest median of one pair of lives.
``same`` says whether both found the same to the last bit. Needs what ``bench/engine.py`` needs, and
git where a commit is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import io
import json
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from bench import machine
from bench.engine import CELLS
from bench.segmenting import PROMPTS, ROOT, pictures

#: Least ratio, issue 12's target for work that is texts alone.
_TARGET = 0.98


#: What this checkout answered, and what the other one did.
Round = tuple[dict[str, Any], dict[str, Any]]


class Side:
    """One checkout's process."""

    def __init__(self, folder: Path, threads: int) -> None:
        script = Path(__file__).with_name("revision_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, script, str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, images: Path, texts: list[str]) -> dict[str, Any]:
        """One call, awaited."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(json.dumps({"images": str(images), "texts": texts}) + "\n")
        asked.flush()
        line = answers.readline()
        if not line:
            sys.exit(f"a side ended with status {self._process.wait()}; its words are above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def main() -> None:
    """Measure every cell and print the table."""
    asked = _asked()
    lives: list[dict[str, list[Round]]] = []
    with ExitStack() as stack:
        before = stack.enter_context(_checkout(asked.against))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskpool-bench-")))
        for _ in range(asked.lives):
            with ExitStack() as life:
                sides = [Side(one, asked.threads) for one in (ROOT, before)]
                for side in sides:
                    life.callback(side.close)
                lives.append({cell: _rounds(sides, cell, asked, folder) for cell in asked.cells})
    print(
        f"texts through this checkout and through {asked.against}, demo SAM3, {machine.name()}, "
        f"{asked.threads} CPU thread(s), {asked.lives} lives of {asked.repeat} rounds\n"
        f"{'images':>6} {'prompts':>7} {'before ms':>9} {'now ms':>9} {'ratio':>6} {'by CPU':>6} "
        f"{'lives':>11} same"
    )
    rows = [_row(cell, [life[cell] for life in lives]) for cell in asked.cells]
    for clock, ratios in zip(("by the clock", "by CPU"), zip(*rows, strict=True), strict=True):
        print(
            f"{clock}: {statistics.geometric_mean(ratios):.3f} times as fast over all cells, "
            f"{min(ratios):.3f} in the worst (target ≥ {_TARGET})"
        )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("against", metavar="REVISION_OR_FOLDER", help="what to compare with")
    parser.add_argument("--cells", nargs="+", default=CELLS, help="images × prompts, such as 8x10")
    parser.add_argument("--repeat", type=int, default=7, help="rounds of each cell in a life")
    parser.add_argument("--lives", type=int, default=8, help="how often both sides are started")
    parser.add_argument("--side", type=int, default=640, help="images are side × ¾ side pixels")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each model")
    return parser.parse_args()


@contextmanager
def _checkout(against: str) -> Iterator[Path]:
    """A folder with another checkout: the one that is named, or a commit's files, for a while."""
    if Path(against).is_dir():
        folder = Path(against).resolve()
        if not (folder / "workers" / "models" / "load.py").is_file():
            sys.exit(f"{folder} has no workers/models/load.py: it is no checkout of this project")
        yield folder
        return
    words = ["git", "-C", str(ROOT), "archive", "--format=tar", against]
    packed = subprocess.run(words, capture_output=True, check=False)
    if packed.returncode:
        reason = packed.stderr.decode(errors="replace").strip()
        sys.exit(f"{against} is neither a folder nor a commit that git knows here: {reason}")
    with tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(name, filter="data")
        yield Path(name).resolve()


def _rounds(sides: list[Side], cell: str, asked: argparse.Namespace, folder: Path) -> list[Round]:
    """One cell in one life of both sides."""
    images, prompts = map(int, cell.split("x"))
    file = folder / f"{images}.npy"
    np.save(file, np.stack(pictures(images, asked.side, asked.side * 3 // 4)))
    rounds = []
    for number in range(asked.repeat + 1):
        order = (0, 1) if number % 2 else (1, 0)
        answers = {place: sides[place].call(file, PROMPTS[:prompts]) for place in order}
        rounds.append((answers[0], answers[1]))
    return rounds[1:]  # the first one warms up


def _row(cell: str, lives: list[list[Round]]) -> tuple[float, float]:
    """Print a cell's line; returns the ratio by the clock, and by CPU."""
    images, prompts = map(int, cell.split("x"))
    rounds = [one for life in lives for one in life]
    ratio, by_cpu = _ratio(rounds, "seconds"), _ratio(rounds, "cpu_seconds")
    each = [_ratio(life, "cpu_seconds") for life in lives]
    now, before = (
        1000 * statistics.median(one[place]["seconds"] for one in rounds) / images
        for place in (0, 1)
    )
    same = all(ours["found"] == theirs["found"] for ours, theirs in rounds)
    print(
        f"{images:>6} {prompts:>7} {before:>9.1f} {now:>9.1f} {ratio:>6.3f} {by_cpu:>6.3f} "
        f"{min(each):.3f}–{max(each):.3f} {'yes' if same else 'no'}"
    )
    return ratio, by_cpu


def _ratio(rounds: list[Round], clock: str) -> float:
    return statistics.median(theirs[clock] / ours[clock] for ours, theirs in rounds)


if __name__ == "__main__":
    main()
