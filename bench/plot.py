"""Draws what was measured of the queue: images a second by size of chunk and by number of workers.

pip install -e '.[bench]'
python bench/plot.py bench/results/DATE-MACHINE.json               # into docs/
python bench/plot.py bench/results/DATE-MACHINE.json --out out --form png
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#e3e7eb"


@dataclass(frozen=True)
class Line:
    """One curve: which figure it shows, and what it is called beside its end."""

    figure: str
    name: str
    colour: str
    style: str = "-"


@dataclass(frozen=True)
class Picture:
    """One picture of one series.

    Attributes:
        series: Its key among the queue's figures; also the file's name, with ``-`` for ``_``.
        across: The figure on the horizontal axis; each step doubles it.
    """

    series: str
    title: str
    across: str
    label: str
    lines: tuple[Line, ...]

    @property
    def file_name(self) -> str:
        """Without its ending."""
        return f"bench-{self.series.replace('_', '-')}"


PICTURES = (
    Picture(
        "by_chunk",
        "Images a second by size of chunk",
        "chunk",
        "images in a chunk",
        (Line("images_per_s", "measured", "#1668b8"),),
    ),
    Picture(
        "by_workers",
        "Images a second by number of workers",
        "workers",
        "workers",
        (
            Line("asked", "asked of the queue", _MUTED, "--"),
            Line("images_per_s", "measured", "#1668b8"),
        ),
    ),
)


def main() -> None:
    """Draw every picture that there are figures for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="a file of bench/results")
    parser.add_argument("--out", type=Path, default=_DOCS, help="folder of the pictures")
    parser.add_argument("--form", choices=("svg", "png"), default="svg")
    asked = parser.parse_args()
    measured = json.loads(asked.results.read_text())
    asked.out.mkdir(parents=True, exist_ok=True)
    for path in draw(measured, asked.out, asked.form):
        print(path)


def draw(measured: Mapping[str, Any], out: Path, form: str) -> list[Path]:
    """Draw into a folder; says on standard error what there are no figures for.

    Args:
        measured: A file of ``bench/results``.
        out: The folder.
        form: ``svg`` or ``png``.
    """
    machine, drawn = str(measured.get("machine", "")), []
    for picture in PICTURES:
        points = measured.get("queue", {}).get(picture.series)
        if not points:
            print(f"left out {picture.file_name}: no {picture.series} in it", file=sys.stderr)
            continue
        path = out / f"{picture.file_name}.{form}"
        _draw(picture, sorted(points, key=lambda one: one[picture.across]), machine, path)
        drawn.append(path)
    return drawn


def _draw(
    picture: Picture, points: Sequence[Mapping[str, float]], machine: str, path: Path
) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only who draws needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    across = [one[picture.across] for one in points]
    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "maskpool", "font.size": 11}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for line in picture.lines:
            _draw_line(axes, line, across, [one[line.figure] for one in points])
        _dress(axes, picture, across, machine)
        undated = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=150, metadata=undated)


def _draw_line(axes: Any, line: Line, across: Sequence[float], up: Sequence[float]) -> None:
    style = {"color": line.colour, "linestyle": line.style, "label": line.name}
    if line.style != "-":
        axes.plot(across, up, linewidth=1.5, **style)
        return
    axes.plot(across, up, linewidth=2, marker="o", markersize=6, **style)
    for x, y in zip(across, up, strict=True):
        place = {"xytext": (8, -4), "textcoords": "offset points", "va": "top"}
        axes.annotate(f"{y:,.0f}", (x, y), color=_INK, fontsize=9, **place)


def _dress(axes: Any, picture: Picture, across: Sequence[float], machine: str) -> None:
    axes.set_title(picture.title, loc="left", color=_INK, fontweight="bold")
    if machine:
        axes.set_title(machine, loc="right", color=_MUTED, fontsize=9)
    axes.set_xscale("log", base=2)
    axes.set_xticks(across, [f"{one:g}" for one in across])
    axes.minorticks_off()
    axes.set_xlabel(picture.label, color=_MUTED)
    axes.set_ylabel("images a second", color=_MUTED)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.12)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=_MUTED, length=0)
    if len(picture.lines) > 1:
        axes.legend(frameon=False, labelcolor=_INK, loc="upper left")


if __name__ == "__main__":
    main()
