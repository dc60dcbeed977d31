from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from services.albums import Album

from maskpool import rle
from maskpool.domain import Found, Instance
from maskpool.errors import ConfigError
from producer.formats import FORMATS, Counts, write_coco
from producer.formats.coco.read import read_coco
from producer.results.empty import EmptyMasks
from producer.results.records import ImageResult, LabelledInstance


def labelled(
    category: str, mask: np.ndarray, score: float = 0.75, clip_score: float | None = None
) -> LabelledInstance:
    runs = rle.to_runs(rle.encode(mask))
    x0, y0, x1, y1 = rle.box_xyxy(runs)
    found = Found(0, score, (float(x0), float(y0), float(x1), float(y1)), rle.encode(mask))
    return LabelledInstance(category, Instance(found, runs.area, 0.0, clip_score))


def result(
    name: str, *instances: LabelledInstance, size: tuple[int, int] = (20, 30)
) -> ImageResult:
    return ImageResult(0, name, f"file:///{name}", size[1], size[0], instances)


def block(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def load(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_reads_exactly_what_was_written(tmp_path: Path) -> None:
    mask = block(3, 4, 10, 9)
    images = [
        result("a/one.jpg", labelled("dog", mask, 0.9, 0.6), labelled("cat", block(0, 0, 2, 20))),
        result("a/empty.jpg"),
        result("two.jpg", labelled("cat", block(29, 19, 30, 20), 0.123456789)),
    ]
    target = tmp_path / "deep" / "coco.json"

    counts = write_coco(target, ["cat", "dog", "bird"], Album(images), {"description": "t"})

    assert counts == Counts(images=3, annotations=3)
    coco = load(target)
    assert [coco.imgs[i]["file_name"] for i in (1, 2, 3)] == ["a/one.jpg", "a/empty.jpg", "two.jpg"]
    assert {i: c["name"] for i, c in coco.cats.items()} == {1: "cat", 2: "dog", 3: "bird"}
    first = coco.anns[1]
    assert (first["image_id"], first["category_id"], first["iscrowd"]) == (1, 2, 0)
    assert first["bbox"] == [3, 4, 7, 5]
    assert first["area"] == 35 == coco_mask.area(first["segmentation"])
    assert (first["score"], first["clip_score"]) == (0.9, 0.6)
    assert np.array_equal(coco.annToMask(first).astype(bool), mask)
    assert "clip_score" not in coco.anns[2]
    assert coco.anns[3]["score"] == 0.123457
    assert coco.dataset["info"] == {"description": "t"}


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
            st.lists(st.sampled_from(["cat", "dog"]), max_size=3),
        ),
        max_size=6,
    )
)
def test_ids_are_unique_integers_from_one(
    tmp_path_factory: pytest.TempPathFactory, spec: list[tuple[str, list[str]]]
) -> None:
    target = tmp_path_factory.mktemp("coco") / "coco.json"
    images = [result(n, *(labelled(c, block(0, 0, 1, 1)) for c in cs)) for n, cs in spec]
    counts = write_coco(target, ["cat", "dog"], Album(images), {})
    data = json.loads(target.read_bytes())
    assert [row["id"] for row in data["images"]] == list(range(1, len(spec) + 1))
    assert [row["file_name"] for row in data["images"]] == [name for name, _ in spec]
    annotations = sum(len(categories) for _, categories in spec)
    assert [row["id"] for row in data["annotations"]] == list(range(1, annotations + 1))
    assert counts == Counts(len(spec), annotations)


def of_object(index: int, mask: np.ndarray, category: str = "cat") -> LabelledInstance:
    one = labelled(category, mask, 0.5).instance
    found = replace(one.found, object_index=index, predicted_iou=0.123456789)
    return LabelledInstance(category, replace(one, found=found))


def test_objects_come_in_their_order_and_say_which_they_are(tmp_path: Path) -> None:
    target = tmp_path / "coco.json"
    images = [result("a.jpg", of_object(0, block(0, 0, 1, 1)), of_object(1, block(2, 2, 5, 9)))]
    write_coco(target, ["cat"], Album(images), {})
    rows = json.loads(target.read_bytes())["annotations"]
    assert [(row["object_index"], row["predicted_iou"]) for row in rows] == [
        (0, 0.123457),
        (1, 0.123457),
    ]
    assert [row["score"] for row in rows] == [0.5, 0.5]


def test_an_empty_mask_is_no_annotation_and_is_named(tmp_path: Path) -> None:
    nothing = block(0, 0, 0, 0)
    target = tmp_path / "coco.json"
    images = [
        result("a.jpg", of_object(0, block(0, 0, 1, 1)), of_object(1, nothing)),
        result("b.jpg", *(of_object(index, nothing, "dog") for index in range(4))),
        result("c.jpg", of_object(0, block(0, 0, 2, 2))),
    ]
    counts = write_coco(target, ["cat", "dog"], Album(images), {"description": "t"})

    assert (counts.images, counts.annotations, counts.empty.count) == (3, 2, 5)
    data = json.loads(target.read_bytes())
    assert [(row["id"], row["area"]) for row in data["annotations"]] == [(1, 1), (2, 4)]
    assert data["info"]["empty_masks"] == 5
    assert data["info"]["empty_mask_objects"][:2] == [
        {"file_name": "a.jpg", "object": 1, "category": "cat"},
        {"file_name": "b.jpg", "object": 0, "category": "dog"},
    ]
    assert counts.empty.sentence() == (
        "5 objects gave empty masks, which are not in the dataset: a.jpg objects[1], "
        "b.jpg objects[0], b.jpg objects[1] and 2 more"
    )


def test_of_very_many_empty_masks_the_first_are_named() -> None:
    image = result("a.jpg", *(of_object(index, block(0, 0, 0, 0)) for index in range(700)))
    empty = EmptyMasks().and_those_of(image).and_those_of(image)
    assert (empty.count, len(empty.named)) == (1_400, 1_000)


def test_one_empty_mask_is_said_so() -> None:
    empty = EmptyMasks().and_those_of(result("a.jpg", of_object(7, block(0, 0, 0, 0))))
    assert empty.sentence() == (
        "1 object gave an empty mask, which is not in the dataset: a.jpg objects[7]"
    )
    assert EmptyMasks().sentence() == ""


def test_an_export_that_goes_on_still_knows_the_empty_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.formats.parts.STEP", 1)

    def broken(place: int) -> None:
        if place == 2:
            msg = "the database went away"
            raise ConnectionError(msg)

    target = tmp_path / "coco.json"
    images = [result(name, of_object(0, block(0, 0, 0, 0))) for name in ("a", "b", "c")]
    with pytest.raises(ConnectionError):
        write_coco(target, ["cat"], Album(images, before=broken), {})
    resumed = Album(images)
    counts = write_coco(target, ["cat"], resumed, {})
    assert resumed.opened == [2]
    assert [str(one) for one in counts.empty.named] == [f"{n} objects[0]" for n in "abc"]
    whole = tmp_path / "whole.json"
    write_coco(whole, ["cat"], Album(images), {})
    assert target.read_bytes() == whole.read_bytes()


def test_a_stream_that_breaks_early_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "coco.json"
    target.write_text("old")

    def broken(place: int) -> None:
        if place == 1:
            msg = "the database went away"
            raise ConnectionError(msg)

    images = [result(name, labelled("cat", block(0, 0, 1, 1))) for name in ("a.jpg", "b.jpg")]
    with pytest.raises(ConnectionError):
        write_coco(target, ["cat"], Album(images, before=broken), {})
    assert [path.name for path in tmp_path.iterdir()] == ["coco.json"]
    assert target.read_text() == "old"


def test_success_leaves_only_the_target(tmp_path: Path) -> None:
    FORMATS["coco"].write(tmp_path / "coco.json", ["cat"], Album([]), {})
    assert [path.name for path in tmp_path.iterdir()] == ["coco.json"]
    assert json.loads((tmp_path / "coco.json").read_bytes())["annotations"] == []


def test_a_folder_as_target_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a file"):
        write_coco(tmp_path, ["cat"], Album([]), {})


def test_a_foreign_category_is_a_bug_and_named(tmp_path: Path) -> None:
    images = [result("a.jpg", labelled("dog", block(0, 0, 1, 1)))]
    with pytest.raises(ValueError, match=r"a\.jpg: category 'dog'"):
        write_coco(tmp_path / "coco.json", ["cat"], Album(images), {})


some_masks = hnp.arrays(np.bool_, (5, 7))


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
        st.lists(st.tuples(st.sampled_from(["cat", "dog"]), some_masks, st.floats(0, 1))),
        max_size=4,
    )
)
def test_our_own_reader_takes_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: dict[str, list[tuple[str, np.ndarray, float]]],
) -> None:
    target = tmp_path_factory.getbasetemp() / "round_trip.json"
    images = [
        result(name, *(labelled(*one) for one in masks), size=(5, 7))
        for name, masks in wanted.items()
    ]
    write_coco(target, ["cat", "dog"], Album(images), {}, fresh=True)
    read = read_coco(target)
    assert tuple(read.sizes) == tuple(wanted)
    assert read.categories == ("cat", "dog")
    for name, masks in wanted.items():
        for category in read.categories:
            # An empty mask is no annotation.
            given = [
                (mask, score) for other, mask, score in masks if other == category and mask.any()
            ]
            found = read.masks.get((name, category), [])
            assert len(found) == len(given)
            for one, (mask, score) in zip(found, given, strict=True):
                assert one.score == pytest.approx(score, abs=1e-6)
                assert not one.crowd
                assert np.array_equal(rle.decode(rle.from_runs(one.runs)), mask)
