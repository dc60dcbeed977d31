"""Images of a source meet those of a file by their paths; what could mean two is refused."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from producer.formats.boxes import Matcher, read_boxes
from producer.formats.boxes.keys import path_key, stem_key


def coco(tmp_path: Path, *names: str) -> Matcher:
    """A file with one box for each name, its left edge the name's place."""
    data = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [n, 0, 1, 1]}
            for n in range(len(names))
        ],
    }
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(data))
    return Matcher(read_boxes(path))


def yolo(tmp_path: Path, *names: str) -> Matcher:
    """A folder with one box for each label file, its class the name's place."""
    (tmp_path / "classes.txt").write_text("\n".join(map(str, range(len(names)))))
    for n, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{n} 0.5 0.5 0.5 0.5")
    return Matcher(read_boxes(tmp_path))


def found(matcher: Matcher, name: str) -> int | None:
    """Which of the file's names an image is found by."""
    asks = matcher.asks_of(name)
    if asks is None:
        return None
    (one,) = asks.objects
    return int(one.class_name) if matcher._file.by_stem else int((one.box_xyxy or (-1,))[0])


@pytest.mark.parametrize(
    ("names", "image", "place"),
    [
        (["b.jpg", "a.jpg"], "a.jpg", 1),
        (["train/a.jpg", "val/a.jpg"], "val/a.jpg", 1),
        (["a.jpg"], "train/a.jpg", 0),
        (["train2017/a.jpg"], "a.jpg", 0),
        (["images/train/a.jpg"], "train/a.jpg", 0),
        (["train/a.jpg"], "coco/train/a.jpg", 0),
        (["a.jpg", "x/a.jpg"], "y/x/a.jpg", 1),
        (["a.jpg", "q/x/a.jpg"], "x/a.jpg", 1),
        (["http://host.test/p/a.jpg"], "a.jpg", 0),
        (["http://host.test/p/a.jpg"], "host.test/p/a.jpg", 0),
        (["C:\\photos\\a.jpg"], "photos/a.jpg", 0),
        (["../images/./a.jpg"], "images/a.jpg", 0),
        ([unicodedata.normalize("NFC", "Käse.jpg")], unicodedata.normalize("NFD", "Käse.jpg"), 0),
        (["a.jpg"], "b.jpg", None),
        (["a.jpg"], "a.png", None),
        (["A.jpg"], "a.jpg", None),
        (["ba.jpg"], "a.jpg", None),
        (["x/a.jpg"], "y/a.jpg", None),
        (["seq1/f.jpg", "seq2/f.jpg"], "seq3/f.jpg", None),
    ],
)  # fmt: skip
def test_paths_of_coco(tmp_path: Path, names: list[str], image: str, place: int | None) -> None:
    assert found(coco(tmp_path, *names), image) == place


@pytest.mark.parametrize(
    ("names", "image", "place"),
    [
        (["a.txt", "b.txt"], "b.png", 1),
        (["a.b.txt"], "a.b.jpg", 0),
        (["labels/train/a.txt", "labels/val/a.txt"], "images/val/a.jpg", 1),
        (["labels/train/a.txt", "labels/val/a.txt"], "val/a.jpg", 1),
        (["train/labels/a.txt", "valid/labels/a.txt"], "valid/images/a.jpg", 1),
        (["train/labels/a.txt"], "a.jpg", 0),
        (["a.txt"], "JPEGImages/a.jpg", 0),
        (["obj_train_data/a.txt"], "obj_train_data/a.jpg", 0),
        (["a.txt"], "a.b.jpg", None),
        (["train/a.txt"], "val/a.jpg", None),
    ],
)  # fmt: skip
def test_stems_of_label_files(
    tmp_path: Path, names: list[str], image: str, place: int | None
) -> None:
    assert found(yolo(tmp_path, *names), image) == place


@pytest.mark.parametrize(
    "images", [("a/x.jpg", "b/x.jpg"), ("a/x.jpg", "x.jpg"), ("x.jpg", "a/x.jpg")]
)
def test_one_entry_for_two_images_is_refused_in_any_order(
    tmp_path: Path, images: tuple[str, str]
) -> None:
    matcher = coco(tmp_path, "x.jpg")
    assert found(matcher, images[0]) == 0
    with pytest.raises(SourceError) as caught:
        matcher.asks_of(images[1])
    assert str(caught.value) == (
        f"{tmp_path}/boxes.json: 'x.jpg' could be the image {images[0]!r} or {images[1]!r} of the "
        "source; write its path into the file, or name a source with one of them"
    )


def test_one_image_for_two_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        coco(tmp_path, "train/x.jpg", "val/x.jpg").asks_of("x.jpg")
    assert str(caught.value) == (
        f"{tmp_path}/boxes.json: the image 'x.jpg' of the source could be 'train/x.jpg' or "
        "'val/x.jpg'; name a source above its folder"
    )


def test_two_images_of_one_stem_are_refused(tmp_path: Path) -> None:
    matcher = yolo(tmp_path, "x.txt")
    assert found(matcher, "x.jpg") == 0
    with pytest.raises(SourceError, match=r"'x\.txt' could be the image 'x\.jpg' or 'x\.png'"):
        matcher.asks_of("x.png")


def test_an_image_may_be_asked_for_again(tmp_path: Path) -> None:
    matcher = coco(tmp_path, "x.jpg")
    assert [found(matcher, name) for name in ("x.jpg", "-x.jpg"[1:])] == [0, 0]


def test_what_is_left_is_counted_and_named(tmp_path: Path) -> None:
    matcher = coco(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    for name in ("x/a.jpg", "other.jpg", "more.jpg"):
        matcher.asks_of(name)
    left = matcher.unmatched()
    assert left.entries == ("b.jpg", "c.jpg", "d.jpg", "e.jpg")
    assert (left.objects, left.asked, left.without, left.example) == (4, 3, 2, "other.jpg")
    assert str(left) == (
        "4 images of the file, with 4 objects, match no image of the source: 'b.jpg', 'c.jpg', "
        "'d.jpg', …; the file says nothing of e.g. 'other.jpg'"
    )


def test_nothing_left_is_nothing_to_say(tmp_path: Path) -> None:
    matcher = coco(tmp_path, "a.jpg")
    matcher.asks_of("a.jpg")
    matcher.asks_of("b.jpg")
    assert str(matcher.unmatched()) == ""
    assert matcher.unmatched().without == 1


parts = st.lists(st.sampled_from(["a", "b", "images", "x.jpg"]), min_size=1, max_size=4)
paths = parts.map("/".join)


@given(st.lists(paths, unique=True, max_size=8), paths)
def test_the_longest_common_end_counts(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], image: str
) -> None:
    """As a plain search through all names finds it."""
    wanted = image.split("/")
    ends = {}
    for place, name in enumerate(names):
        given_parts = name.split("/")
        size = min(len(given_parts), len(wanted))
        if given_parts[-size:] == wanted[-size:]:
            ends[place] = (name == image, size)
    best = [place for place, end in ends.items() if end == max(ends.values())]
    matcher = coco(tmp_path_factory.mktemp("match"), *names)
    if len(best) > 1:
        with pytest.raises(SourceError, match="could be"):
            matcher.asks_of(image)
    else:
        assert found(matcher, image) == (best[0] if best else None)


@given(st.text("abIMAGESlabels/\\.: é", max_size=20))
def test_a_key_of_a_key_is_itself(name: str) -> None:
    assert path_key(path_key(name)) == path_key(name)
    assert "//" not in f"/{stem_key(name + 'x.jpg')}/"
