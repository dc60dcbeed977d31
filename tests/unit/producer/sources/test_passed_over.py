"""What a folder, a glob or a bucket passes over is counted and named; the images are all there."""

from __future__ import annotations

import os
import random
import stat
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from glob import glob as globbed
from pathlib import Path

import pytest

from maskpool.errors import SourceError
from producer.sources import names, open_source, passed
from producer.sources.passed import PassedOver


def read(text: str) -> tuple[list[str], dict[str, int]]:
    """Names of the images, and what was passed over."""
    over = PassedOver()
    found = [ref.name for ref in open_source(text).refs(over)]
    assert passed.passed_over(open_source(text)).counts == over.counts, "again the same"
    return found, over.counts


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def make_socket(path: Path) -> None:
    # Not bound to: the path may be too long for that.
    os.mknod(path, stat.S_IFSOCK | 0o600)


# One member of each kind, at three places of the folder.

KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "jxl": (lambda path: touch(path, "a.jxl"), ".jxl"),
    "upper case": (lambda path: touch(path, "a.PSD"), ".psd"),
    "raw": (lambda path: touch(path, "IMG_1.CR2"), ".cr2"),
    "companion": (lambda path: touch(path, "a.txt"), ".txt"),
    "backup": (lambda path: touch(path, "a.jpg.bak"), ".bak"),
    "editor's": (lambda path: touch(path, "a.jpg~"), ".jpg~"),
    "no ending": (lambda path: touch(path, "IMG_1"), "file without an ending"),
    "dot at its end": (lambda path: touch(path, "IMG_1."), "file without an ending"),
    "space at its end": (lambda path: touch(path, "a.jpg "), "file with an odd ending"),
    "line end in it": (lambda path: touch(path, "a.j\npg"), "file with an odd ending"),
    "long ending": (lambda path: touch(path, f"a.{'x' * 60}"), "file with an odd ending"),
    "no UTF-8": (
        lambda path: Path(os.fsdecode(os.fsencode(path) + b"/a.\xff")).write_bytes(b""),
        "file with an odd ending",
    ),
    "hidden image": (lambda path: touch(path, ".a.jpg"), "hidden file"),
    "Mac's own": (lambda path: touch(path, "._a.jpg"), "hidden file"),
    "hidden folder": (lambda path: touch(path, ".git/a.jpg", ".git/b/c.jpg"), "hidden folder"),
    "hidden link": (lambda path: (path / ".a.jpg").symlink_to("/"), "hidden file"),
    "linked folder": (lambda path: (path / "more").symlink_to("y"), "linked folder"),
    "linked folder called an image": (
        lambda path: (path / "more.jpg").symlink_to("y"),
        "linked folder",
    ),
    "link to nothing": (lambda path: (path / "more").symlink_to("never"), "link to nothing"),
    "link in a circle": (lambda path: (path / "more").symlink_to("more"), "link to nothing"),
    "linked text": (lambda path: (path / "a.txt").symlink_to("y/1.jpg"), ".txt"),
    "pipe": (lambda path: os.mkfifo(path / "a.jpg"), "pipe"),
    "linked pipe": (
        lambda path: (os.mkfifo(path / ".p"), (path / "a.jpg").symlink_to(".p")),
        "pipe",
    ),
    "socket": (lambda path: make_socket(path / "a.jpg"), "socket"),
    "a run's folder": (
        lambda path: touch(path, "out/.maskpool-run/x", "out/overlays/1.jpg", "out/coco.json"),
        "folder that maskpool wrote",
    ),
    "an export's folder": (
        lambda path: touch(path, "set/.maskpool-export", "set/images/1.jpg"),
        "folder that maskpool wrote",
    ),
}


@pytest.mark.parametrize("place", ["", "x/y"])
@pytest.mark.parametrize("form", ["{}", "{}/**/*"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_image_is_counted_by_its_kind(
    tmp_path: Path, kind: str, form: str, place: str
) -> None:
    make, word = KINDS[kind]
    touch(tmp_path, "0.jpg", "x/1.jpg", "x/y/1.jpg", "x/y/y/1.jpg", "y/1.jpg", "z.png")
    expected, nothing = read(form.format(tmp_path))
    assert nothing == {}

    make(tmp_path / place)
    found, counts = read(form.format(tmp_path))

    assert found == expected
    extra = {"hidden file": 1} if kind == "linked pipe" else {}
    assert counts == {word: 1, **extra}
    over = passed.passed_over(open_source(form.format(tmp_path)))
    if word == passed.OURS:
        over.require_nothing("photos")  # or no strict run into the folder itself could be resumed
        return
    with pytest.raises(SourceError, match=f"passed over: 1 .*{word[-4:]}") as caught:
        over.require_nothing("photos")
    str(caught.value).encode()


def test_a_glob_counts_only_what_it_names(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.psd", "a/.3.jpg", "a/4", "b/1.jpg", "b/.x/1.jpg", "c/d/1.tif")
    (tmp_path / "b" / "link").symlink_to("../a")
    (tmp_path / "b" / "out.jpg").symlink_to("/etc/hostname")

    assert read(f"{tmp_path}/a/*.jpg") == (["1.jpg"], {"hidden file": 1})
    assert read(f"{tmp_path}/a/*") == (
        ["1.jpg"],
        {".psd": 1, "file without an ending": 1, "hidden file": 1},
    )
    assert read(f"{tmp_path}/[ac]*/*.jpg") == (["a/1.jpg"], {"hidden file": 1})
    assert read(f"{tmp_path}/*/d/*") == (["c/d/1.tif"], {})
    assert read(f"{tmp_path}/*/1.*") == (["a/1.jpg", "b/1.jpg"], {})


@pytest.mark.parametrize("source", ["out", "out/*", "out/**/*.jpg", "out/overlays", "out/o*/*.jpg"])
def test_a_folder_that_maskpool_wrote_is_no_source(tmp_path: Path, source: str) -> None:
    touch(tmp_path, "out/.maskpool-run/stack.lock", "out/overlays/1.jpg", "out/overlays/a/2.jpg")
    with pytest.raises(SourceError, match="maskpool wrote this folder"):
        open_source(f"{tmp_path}/{source}")


def test_a_folder_called_overlays_may_be_anybodys(tmp_path: Path) -> None:
    touch(tmp_path, "overlays/1.jpg")
    assert read(f"{tmp_path}/overlays") == (["1.jpg"], {})


# Links.


def test_a_linked_folder_is_entered_under_its_own_name_alone(tmp_path: Path) -> None:
    """All ways in which links may lead round in circles or meet."""
    touch(tmp_path, "a/1.jpg", "a/b/2.jpg", "c/3.jpg")
    for number, (link, target) in enumerate(
        [
            ("root", "."),
            ("a/up", ".."),
            ("a/b/here", "."),
            ("c/side", "../a"),
            ("twice", "c/side"),
            ("deep", "a/b"),
            ("absolute", str(tmp_path / "c")),
        ],
        1,
    ):
        (tmp_path / link).symlink_to(target)
        assert read(str(tmp_path)) == (
            ["a/1.jpg", "a/b/2.jpg", "c/3.jpg"],
            {"linked folder": number},
        )


@pytest.mark.parametrize("link", ["x", "x.jpg", "a/x"])
@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("{}/out", "leaves the folder"),
        ("{}", "leaves the folder"),
        ("/", "leaves the folder"),
        ("{}/in/../out", "leaves the folder"),
        ("{}/in/way", "leaves the folder"),
        ("{}/in/.secret", "hidden folder"),
        ("{}/in/a/.b/c", "hidden folder"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "{}/**/*.jpg"])
def test_a_linked_folder_whose_images_would_be_lost_is_refused_by_name(
    tmp_path: Path, form: str, target: str, sentence: str, link: str
) -> None:
    touch(tmp_path, "in/1.jpg", "in/.secret/2.jpg", "in/a/.b/c/3.jpg", "out/4.jpg")
    (tmp_path / "in" / "way").symlink_to(tmp_path / "out")
    (tmp_path / "in" / link).symlink_to(target.format(tmp_path))
    if "way" not in target:
        (tmp_path / "in" / "way").unlink()
    with pytest.raises(SourceError, match=sentence) as caught:
        read(form.format(tmp_path / "in"))
    assert f"'{link}'" in str(caught.value) or "'way'" in str(caught.value)


@pytest.mark.parametrize(
    ("glob", "is_right"),
    [
        ("**/*.jpg", True),
        ("*/*.jpg", True),
        ("**/b/*.jpg", True),
        ("[al]*/*.jpg", True),
        ("a/*.jpg", True),
        ("*/b/*.jpg", True),
        ("l*/*.jpg", False),
        ("l*/**/*.jpg", False),
        ("**/link/*.jpg", False),
        ("l*/b/2.jpg", False),
    ],
)
def test_a_glob_enters_no_linked_folder_and_loses_nothing_by_it(
    tmp_path: Path, glob: str, *, is_right: bool
) -> None:
    """The oracle enters links: what it finds must be found, under another name, or be refused."""
    touch(tmp_path, "a/1.jpg", "a/b/2.jpg", "c/d/3.jpg")
    (tmp_path / "link").symlink_to("a")
    if not is_right:
        with pytest.raises(SourceError, match="'link' is not entered"):
            read(f"{tmp_path}/{glob}")
        return
    found, _ = read(f"{tmp_path}/{glob}")
    entering = globbed(f"{tmp_path}/{glob}", recursive=True)  # noqa: PTH207 - Path.glob enters none
    named = {Path(path).resolve() for path in entering}
    base = tmp_path / "a" if glob.startswith("a/") else tmp_path
    assert {base / name for name in found} == named


def test_a_linked_image_is_read_wherever_it_lies_in_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, ".store/1", "deep/2.jpg")
    (tmp_path / "a.jpg").symlink_to(".store/1")
    (tmp_path / "b.jpg").symlink_to("deep/2.jpg")
    (tmp_path / "c.jpg").symlink_to("b.jpg")
    (tmp_path / "d.jpg").symlink_to("d.jpg")
    (tmp_path / "e.jpg").symlink_to("never.jpg")
    expected = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "deep/2.jpg", "e.jpg"]
    assert read(str(tmp_path)) == (expected, {"hidden folder": 1})


# The count itself.


def test_a_sentence_names_what_would_be_missed_first() -> None:
    over = PassedOver()
    for kind, count in {".txt": 90, ".json": 80, ".xml": 70, ".csv": 60, ".bak": 50}.items():
        over.add(kind, f"a{kind}", count)
    over.add(".jxl", "b.jxl")
    over.add(".jxl", "a.jxl")
    over.add("linked folder", "more")
    over.add("hidden file", ".a", 2)

    assert over.sentence() == (
        "passed over: 2 .jxl, 1 linked folder, 90 .txt, 80 .json, 70 .xml, 60 .csv, 52 others"
    )
    assert over.sentence(with_names=True).startswith(
        "passed over: 2 .jxl ('a.jxl', …), 1 linked folder ('more'), 90 .txt ('a.txt', …)"
    )
    assert PassedOver().sentence() == ""
    assert not PassedOver()


def test_every_kind_has_its_plural() -> None:
    for word in (
        *(passed.LINKED_FOLDER, passed.DEAD_LINK, passed.OURS, passed.HIDDEN_FOLDER),
        *(passed.HIDDEN_FILE, passed.ODD_KEY, "pipe", "socket", "device"),
        *("file without an ending", "file with an odd ending"),
    ):
        over = PassedOver()
        over.add(word, "x", 2)
        assert over.sentence().removeprefix("passed over: 2 ") not in ("", word)


def test_memory_does_not_grow_with_what_is_passed_over() -> None:
    over = PassedOver()
    tracemalloc.start()
    for number in range(100_000):
        name = f"scan.{number:06}"
        over.add(passed.ending(name), name)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(over.counts.values()) == 100_000
    assert size < 200_000


@pytest.mark.parametrize("seed", range(20))
def test_every_file_is_an_image_or_counted(tmp_path: Path, seed: int) -> None:
    """Trees of chance: what is found and what is counted is all that is there."""
    rng = random.Random(seed)
    expected: Counter[str] = Counter()
    images = set()
    for path in _tree(rng, depth=3):
        touch(tmp_path, path)
        parts = path.split("/")
        depth = next((n for n, part in enumerate(parts) if part.startswith(".")), None)
        if depth is not None:
            expected["/".join(parts[: depth + 1])] = 1
        elif names.is_image(path):
            images.add(path)
        else:
            expected[path] = 1
    found, counts = read(str(tmp_path))
    assert set(found) == images
    assert found == sorted(found, key=os.fsencode)
    assert sum(counts.values()) == sum(expected.values())


def _tree(rng: random.Random, depth: int, base: str = "") -> Iterator[str]:
    words = (
        "a",
        "b.jpg",
        "c-d",
        ".e",
        "f g",
        "#h.PNG",
        "ü.tif",
        "i.txt",
        "j.jxl",
        ".k.jpg",
        "l.gz",
    )
    for word in rng.sample(words, 6):
        if depth and rng.random() < 0.3:
            yield from _tree(rng, depth - 1, f"{base}{word}/")
        else:
            yield f"{base}{word}"


def test_a_source_without_images_says_what_it_has(tmp_path: Path) -> None:
    touch(tmp_path, "a.jxl", "b.jxl")
    assert read(str(tmp_path)) == ([], {".jxl": 2})


def test_lists_and_single_images_pass_nothing_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "m.txt").write_text("# june\n\na.jpg\n")
    for text in (f"{tmp_path}/a.jpg", f"{tmp_path}/m.txt", "https://x.org/a.jpg"):
        found, counts = read(text)
        assert (len(found), counts) == (1, {})
        passed.passed_over(open_source(text)).require_nothing(text)
