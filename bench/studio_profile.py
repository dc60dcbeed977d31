"""Where the time of a page goes: a trace of Chromium, and what its main thread did, per action.

`python bench/studio.py --profile DIR` writes one file a section, which the panel *Performance* of
Chromium's own tools opens. The table counts the thread's processor time without what lies within:
so a busy machine makes it no longer, and its rows add up.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page

_CATEGORIES = [
    "devtools.timeline",
    "disabled-by-default-devtools.timeline.stack",
    "disabled-by-default-v8.cpu_profiler",
    "toplevel",
    "cc",
]

#: Rows of each list.
_MOST = 14


@contextmanager
def profiled(
    browser: Browser, page: Page, folder: Path | None, name: str, times: int
) -> Iterator[None]:
    """Trace what a page does meanwhile, and print what took longest.

    Args:
        browser: Whose page it is.
        page: It is there already.
        folder: For the trace; None: nothing is traced.
        name: Of the file.
        times: How often the action is done: by that the figures are divided.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    browser.start_tracing(page=page, path=path, categories=_CATEGORIES)
    try:
        yield
    finally:
        browser.stop_tracing()
    events = json.loads(path.read_text())["traceEvents"]
    print(f"{name}: ms of the main thread, each of {times}", flush=True)
    main = _main_thread(events, urljoin(page.url, "/"))
    events = [one for one in events if _thread(one) == main or _is_sample(one, main)]
    for what, micros in _largest(own_times(events)):
        print(f"  {micros / 1000 / times:8.2f}  {what}")
    print(f"{name}: of them layouts that a script waited for")
    for what, micros in _largest(forced_layouts(events)):
        print(f"  {micros / 1000 / times:8.2f}  {what}")
    print(f"{name}: ms of scripts, each of {times}")
    for what, micros in _largest(functions(events)):
        print(f"  {micros / 1000 / times:8.2f}  {what}", flush=True)


def own_times(events: list[dict[str, Any]]) -> dict[str, float]:
    """Microseconds of processor time by kind of work, without what lies within.

    Args:
        events: Of one thread.
    """
    spans = [one for one in events if one["ph"] == "X"]
    spans.sort(key=lambda one: (one["ts"], -one.get("dur", 0)))
    found: dict[str, float] = defaultdict(float)
    open_: list[dict[str, Any]] = []
    for span in spans:
        while open_ and open_[-1]["ts"] + open_[-1].get("dur", 0) <= span["ts"]:
            open_.pop()
        took = span.get("tdur", 0)
        if open_:
            found[open_[-1]["name"]] -= took
        found[span["name"]] += took
        open_.append(span)
    return found


def forced_layouts(events: list[dict[str, Any]]) -> dict[str, float]:
    """Microseconds of processor time by the place of a script that asked for a size or a place.

    Args:
        events: Of one thread.
    """
    found: dict[str, float] = defaultdict(float)
    for event in events:
        args = event.get("args", {})
        stack = args.get("beginData", args).get("stackTrace") if event["ph"] == "X" else None
        if stack and event["name"] in ("Layout", "UpdateLayoutTree"):
            frame = stack[0]
            file = frame["url"].rpartition("/")[2]
            found[f"{frame['functionName']} {file}:{frame['lineNumber']}"] += event.get("tdur", 0)
    return found


def functions(events: list[dict[str, Any]]) -> dict[str, float]:
    """Microseconds by function of a script, without what it calls; as sampled, so wall time.

    Args:
        events: Of a trace.
    """
    found: dict[str, float] = defaultdict(float)
    nodes: dict[tuple[Any, int], str] = {}
    for event in events:
        if event["name"] != "ProfileChunk":
            continue
        data = event["args"]["data"]
        profile = (event["pid"], event["id"])
        for node in data.get("cpuProfile", {}).get("nodes", []):
            frame = node["callFrame"]
            file = frame.get("url", "").rpartition("/")[2]
            place = f"{file}:{frame.get('lineNumber', 0) + 1}" if file else ""
            nodes[profile, node["id"]] = f"{frame['functionName'] or '(no name)'} {place}".strip()
        samples = data.get("cpuProfile", {}).get("samples", [])
        for sample, micros in zip(samples, data.get("timeDeltas", []), strict=False):
            name = nodes.get((profile, sample), "?")
            if name not in ("(idle)", "(program)", "(root)"):
                found[name] += max(0, micros)
    return found


def _main_thread(events: list[dict[str, Any]], site: str) -> tuple[int, int]:
    """Of the page: that on which most of what names a file of its site happened.

    A browser has pages of its own, which may do more than the one that is looked at.
    """
    named: dict[tuple[int, int], int] = defaultdict(int)
    for one in events:
        args = one.get("args", {})
        data = args.get("data") or args.get("beginData") or {}
        if isinstance(data, dict) and str(data.get("url", "")).startswith(site):
            named[_thread(one)] += 1
    return max(named, key=lambda thread: named[thread])


def _is_sample(event: dict[str, Any], main: tuple[int, int]) -> bool:
    """Whether it is of the profile of the process; another thread of it writes that down."""
    return event["name"] == "ProfileChunk" and event["pid"] == main[0]


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]


def _largest(times: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=lambda one: -one[1])[:_MOST]
