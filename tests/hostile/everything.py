"""A folder of everything that lies in people's folders, and what must become of each thing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hostile.bombs import bombs
from hostile.images import HostileImage
from hostile.whole import picture, saved, whole_files
from producer.sources import names

#: Larger bombs take seconds each.
_MAX_BOMB_BYTES = 20_000

#: Bombs of each maker's kind that lie in the folder.
_BOMBS_OF_A_KIND = 10

#: Every so many whole images also lie there under a wrong ending.
_EACH_MISNAMED = 5

#: Names that are legal, as hard to handle as can be.
_ODD_NAMES = (
    *(" leading.png", "trailing .png", "two  spaces.png", "#1.png", "100%.png", "%23.png"),
    *("a?b.png", "a;b.png", "a:b.png", "a&b=c.png", "[q]uote.png", "st*r.png", "'single'.png"),
    *('"double".png', "$HOME.png", "`tick`.png", "-o.png", "~.png", "new\nline.png", "tab\t.png"),
    *("\x1b[2J.png", "\u202erevo.png", "é.png", "e\u0301.png", "日本.png", "😀.png", "UPPER.PNG"),
    *("upper.png", "a.b.c.png", "d..png", "name with a very long part " + "x" * 200 + ".png"),
    *("/".join(["deep"] * 20) + "/1.png", "looks.jpg/like a file.png", "con.png", "🏳️‍🌈/ü/1.png"),
)

_BESIDE = (
    *("notes.txt", "labels.json", "labels.xml", "Thumbs.db", "Makefile", "IMG_0001", "a.jpg.bak"),
    *(
        "a.psd",
        "a.svg",
        "b.SVG",
        "a.dng",
        "clip.mp4",
        "scan.dcm",
        "b.jxl",
        "deep/c.jxl",
        "odd.j pg",
    ),
)


@dataclass
class Everything:
    """What must become of the folder.

    Attributes:
        done: Images that must be annotated.
        failed: Images that must fail with a sentence.
        passed_over: Everything else, counted by kind.
    """

    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    passed_over: Counter[str] = field(default_factory=Counter)

    def write(self, folder: Path, name: str, data: bytes, *, readable: bool) -> None:
        """One image."""
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        (self.done if readable else self.failed).add(name)


def make_everything(folder: Path) -> Everything:
    """Fill a folder; an image must not be larger than ``images.MAX_PIXELS``."""
    made = Everything()
    for image in _images():
        made.write(folder, f"images/{image.name}", image.data, readable=image.readable is True)
    good = saved(picture(), "png")
    for name in _ODD_NAMES:
        made.write(folder, f"names/{name}", good, readable=True)
    _make_links(folder, good, made)
    _make_unreadable(folder, good, made)
    _make_beside(folder, made)
    return made


def _images() -> Iterator[HostileImage]:
    """All that are whole, some of them under wrong endings, and some that must be refused."""
    for number, (name, suffix, data) in enumerate(whole_files()):
        yield HostileImage(f"{name}.{suffix}", data, readable=True)
        if number % _EACH_MISNAMED == 0:
            wrong = "gif" if suffix == "png" else "png"
            yield HostileImage(f"{name}-misnamed.{wrong}", data, readable=True)
    kinds: Counter[str] = Counter()
    for name, suffix, data, readable in bombs():
        kind = name.partition("-")[0]
        if readable is False and _is_small(data) and kinds[kind] < _BOMBS_OF_A_KIND:
            kinds[kind] += 1
            yield HostileImage(f"{name}.{suffix}", data, readable=False)


def _is_small(data: bytes) -> bool:
    return len(data) < _MAX_BOMB_BYTES


def _make_links(folder: Path, good: bytes, made: Everything) -> None:
    made.write(folder, "links/real/1.png", good, readable=True)
    (folder / "links" / ".hidden").mkdir()
    (folder / "links" / ".hidden" / "2.png").write_bytes(good)
    links = folder / "links"
    for name, target in (("a.png", "real/1.png"), ("b.png", ".hidden/2.png"), ("c.png", "a.png")):
        (links / name).symlink_to(target)
        made.done.add(f"links/{name}")
    for name, target in (("lost.png", "never.png"), ("round.png", "round.png")):
        (links / name).symlink_to(target)
        made.failed.add(f"links/{name}")
    for name, target in (("again", "real"), ("up", ".."), ("here.png", "."), ("all", folder)):
        (links / name).symlink_to(target)
        made.passed_over["linked folder"] += 1
    (links / "gone").symlink_to("/mnt/never/mounted")
    made.passed_over["link to nothing"] += 1
    made.passed_over["hidden folder"] += 1


def _make_unreadable(folder: Path, good: bytes, made: Everything) -> None:
    made.write(folder, "closed/1.png", good, readable=os.geteuid() == 0)
    (folder / "closed" / "1.png").chmod(0)
    os.mkfifo(folder / "closed" / "pipe.png")
    made.passed_over["pipe"] += 1


def _make_beside(folder: Path, made: Everything) -> None:
    for name in _BESIDE:
        path = folder / "beside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        made.passed_over[_kind(name)] += 1
    for name in (".DS_Store", "._1.jpg", ".a.png"):
        (folder / "beside" / name).write_bytes(b"x")
        made.passed_over["hidden file"] += 1
    for mark in (".maskpool-run", ".maskpool-export"):
        earlier = folder / f"earlier{mark}"
        (earlier / "overlays").mkdir(parents=True)
        (earlier / mark).mkdir()
        (earlier / "overlays" / "1.jpg").write_bytes(saved(picture(), "jpg"))
        made.passed_over["folder that maskpool wrote"] += 1
    made.write(folder, "phone/1.heic", b"x", readable=False)
    if not names.is_image("1.heic"):
        made.failed.remove("phone/1.heic")
        made.passed_over[".heic"] += 1


def _kind(name: str) -> str:
    ending = Path(name).suffix.lower()
    if not ending:
        return "file without an ending"
    return "file with an odd ending" if " " in ending else ending
