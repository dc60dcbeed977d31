"""The pages of a run: ``index.html``, which a browser opens from disk, and ``summary.json``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import islice
from pathlib import Path, PurePosixPath
from string import Template
from types import MappingProxyType
from urllib.parse import quote

import orjson

from maskpool.files import write_whole
from producer.report.colours import css, palette
from producer.report.overlays import Overlay
from producer.results.records import Failure

#: With more cards than this a browser gets slow.
MAX_CARDS = 2000

#: More rows than this nobody reads on a page; ``summary.json`` has them all.
MAX_FAILURES = 500

#: Key in the summary, words on the page, and how the number is written.
_FIGURES = (
    ("jobs", "Images", ",.0f"),
    ("done", "Done", ",.0f"),
    ("failed", "Failed", ",.0f"),
    ("instances", "Instances", ",.0f"),
    ("f1", "F1", ".3f"),
    ("mean_iou", "Mean IoU", ".3f"),
    ("images_per_second", "Images/s", ",.1f"),
    ("seconds", "Seconds", ",.1f"),
)


def write_summary(folder: Path, summary: Mapping[str, object]) -> Path:
    """Write ``summary.json``, whole or not at all."""
    path = folder / "summary.json"
    _write(path, orjson.dumps(dict(summary), option=orjson.OPT_INDENT_2) + b"\n")
    return path


def write_index(
    folder: Path,
    summary: Mapping[str, object],
    overlays: Sequence[Overlay],
    failures: Iterable[Failure],
    *,
    categories: Sequence[str],
    chosen: Mapping[str, str] = MappingProxyType({}),
    title: str = "maskpool",
    lead: str = "",
) -> Path:
    """Write ``index.html``, a contact sheet that needs neither network nor server.

    Args:
        folder: Where the page goes; it refers to overlays by relative links.
        summary: Headline figures by the keys of ``summary.json``; missing and None are left out.
        overlays: Cards, in this order; of more than ``MAX_CARDS`` the first ones.
        failures: Rows of the failure table; of more than ``MAX_FAILURES`` the first ones.
        categories: All of the batch, with or without instances; chips and colours follow them.
        chosen: Colours that people chose, by category, as ``#rrggbb``.
        title: Heading of the page.
        lead: A line below it, e.g. prompts, model and threshold.
    """
    colours = {name: css(colour) for name, colour in palette(categories, chosen).items()}
    numbers = {name: str(number) for number, name in enumerate(categories)}
    cards = overlays[:MAX_CARDS]
    page = Template(files("producer.report").joinpath("page.html").read_text("utf-8")).substitute(
        title=_html(title),
        lead=_html(lead),
        figures="\n".join(_figures(summary)),
        failures=_failure_section(failures, summary.get("failed")),
        chips="\n".join(_chips(cards, colours, numbers)),
        cards="\n".join(_card(folder, overlay, colours, numbers) for overlay in cards),
        overlay_note=_note(len(cards), len(overlays), summary.get("done")),
        foot="Made by maskpool. Colours stand for categories, shades for instances.",
    )
    path = folder / "index.html"
    _write(path, page.encode())
    return path


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same run again makes the same file: no wait for the disk.
    write_whole(path, data, durable=False)


def _html(value: object) -> str:
    """Escaped for text and quoted attributes; file names may hold what UTF-8 cannot."""
    return escape(str(value).encode("utf-8", "replace").decode())


def _figures(summary: Mapping[str, object]) -> Iterable[str]:
    for key, words, form in _FIGURES:
        value = summary.get(key)
        if isinstance(value, int | float):
            bad = ' class="bad"' if key == "failed" and value else ""
            yield f"<div{bad}><dt>{words}</dt><dd>{value:{form}}</dd></div>"


def _failure_section(failures: Iterable[Failure], failed: object) -> str:
    rows = list(islice(failures, MAX_FAILURES))
    if not rows:
        return ""
    body = "\n".join(
        f"<tr><td>{_html(row.name)}</td><td>{_html(row.error)}</td></tr>" for row in rows
    )
    more = failed - len(rows) if isinstance(failed, int) else 0
    note = f'<p class="note">{more:,} more are in summary.json.</p>' if more > 0 else ""
    return (
        '<section aria-labelledby="failures"><h2 id="failures">Images without a result</h2>'
        '<div class="scroll bad-table"><table><thead><tr><th scope="col">Image</th>'
        f'<th scope="col">Why</th></tr></thead><tbody>\n{body}\n</tbody></table></div>'
        f"{note}</section>"
    )


def _chips(
    cards: Sequence[Overlay], colours: Mapping[str, str], numbers: Mapping[str, str]
) -> Iterable[str]:
    images = Counter(category for card in cards for category in card.counts)
    for name, number in numbers.items():
        dot = f'<span class="dot" style="--colour:{colours[name]}"></span>'
        yield _chip(number, dot, name, images[name])
    nothing = sum(not card.counts for card in cards)
    if nothing:
        yield _chip("none", '<span class="dot none"></span>', "nothing found", nothing)


def _chip(value: str, dot: str, words: str, images: int) -> str:
    return (
        f'<label class="chip"><input type="checkbox" value="{value}" autocomplete="off">{dot}'
        f"<span>{_html(words)}</span><b>{images:,}</b></label>"
    )


def _card(
    folder: Path, overlay: Overlay, colours: Mapping[str, str], numbers: Mapping[str, str]
) -> str:
    link = quote(Path(os.path.relpath(overlay.path, folder)).as_posix())
    counts = [(name, overlay.counts[name]) for name in numbers if name in overlay.counts]
    has = " ".join(numbers[name] for name, _ in counts) or "none"
    name = PurePosixPath(overlay.name)
    above = "" if str(name.parent) in {".", "/"} else f"<span>{_html(name.parent)}/</span>"
    words = ", ".join(f"{count} {category}" for category, count in counts)
    alt = f"{overlay.name}: {words or 'nothing found'}"
    return (
        f'<li data-has="{has}"><button class="open" type="button">'
        f'<img src="{_html(link)}" alt="{_html(alt)}" width="{overlay.width}" '
        f'height="{overlay.height}" loading="lazy" decoding="async"></button>'
        f'<div class="about"><p class="name">{above}{_html(name.name)}</p>'
        f'<div class="tags">{"".join(_tags(counts, colours))}</div></div></li>'
    )


def _tags(counts: Sequence[tuple[str, int]], colours: Mapping[str, str]) -> Iterable[str]:
    for name, count in counts:
        dot = f'<span class="dot" style="--colour:{colours[name]}"></span>'
        yield f'<span class="tag">{dot}{_html(name)} <b>{count:,}</b></span>'
    if not counts:
        yield '<span class="tag nothing">nothing found</span>'


def _note(cards: int, overlays: int, done: object) -> str:
    total = max(done if isinstance(done, int) else 0, overlays)
    if cards == total:
        return ""
    return f'<p class="note">A sample of {cards:,} out of {total:,} annotated images.</p>'
