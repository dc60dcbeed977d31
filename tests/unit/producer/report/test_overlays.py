from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskpool import rle
from maskpool.domain import Found, Instance
from maskpool.errors import ImageError, Unreachable
from producer.report.colours import palette, variant
from producer.report.overlays import LONGEST_SIDE, draw, save_overlays
from producer.report.safe_names import SafeNames
from producer.results.records import ImageResult, LabelledInstance

CATEGORIES = ["red circle", "blue square"]


def labelled(
    category: str, size: tuple[int, int], box_xyxy: tuple[int, int, int, int]
) -> LabelledInstance:
    mask = np.zeros(size, dtype=bool)
    x0, y0, x1, y1 = box_xyxy
    mask[y0:y1, x0:x1] = True
    found = Found(0, 0.9, (float(x0), float(y0), float(x1), float(y1)), rle.encode(mask))
    return LabelledInstance(category, Instance(found, int(mask.sum()), 0.0))


def grey(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (128, 128, 128))


def results(names: list[str], size: tuple[int, int] = (60, 80)) -> list[ImageResult]:
    found = labelled(CATEGORIES[0], size, (5, 5, 40, 40))
    return [
        ImageResult(i, name, name, size[1], size[0], (found,) if i % 2 == 0 else ())
        for i, name in enumerate(names)
    ]


def test_fill_is_inside_the_mask_and_the_contour_is_louder() -> None:
    size = (700, 900)
    drawn = np.asarray(draw(grey(900, 700), [labelled("cat", size, (300, 300, 600, 600))]))
    colour = np.array(palette(["cat"])["cat"])
    assert drawn.shape == (700, 900, 3)
    outside = drawn.copy()
    outside[265:600, 300:600] = 128  # the mask, and the label above it
    assert (outside == 128).all()
    middle, edge = drawn[450, 450].astype(int), drawn[450, 301].astype(int)
    assert np.abs(middle - (128 + 0.45 * (colour - 128))).max() <= 1
    assert np.abs(edge - colour).max() < np.abs(middle - colour).max() / 4


def test_a_small_mask_lies_on_top_of_the_large_one_it_is_in() -> None:
    size = (700, 900)
    small, large = labelled("a", size, (400, 300, 500, 400)), labelled("b", size, (0, 0, 900, 700))
    one, other = draw(grey(900, 700), [small, large]), draw(grey(900, 700), [large, small])
    edge = (400, 350)
    colour = np.array(palette(["a", "b"])["a"])
    for drawn in (one, other):
        assert np.abs(np.array(drawn.getpixel(edge)) - colour).max() < 12


def test_tiny_masks_have_no_contour_and_no_label() -> None:
    size = (700, 900)
    drawn = np.asarray(draw(grey(900, 700), [labelled("cat", size, (100, 100, 110, 110))]))
    changed = (drawn != 128).any(axis=2)
    assert changed.sum() == 100
    assert len(np.unique(drawn[100:110, 100:110].reshape(-1, 3), axis=0)) == 1


def test_labels_stay_inside_the_image_and_apart() -> None:
    size = (300, 500)
    boxes = [(0, 0, 200, 120), (10, 10, 210, 130), (300, 180, 500, 300), (0, 0, 500, 300)]
    found = [labelled("a rather long category name", size, box) for box in boxes]
    assert draw(grey(500, 300), found).size == (500, 300)


def test_labels_never_show_boxes_for_letters() -> None:
    def drawn(category: str) -> bytes:
        found = labelled(category, (300, 500), (100, 100, 400, 250))
        return draw(grey(500, 300), [found], {category: (200, 100, 50)}).tobytes()

    assert drawn("café") == drawn("cafe")
    assert drawn("犬") == drawn("собака") == drawn("")
    assert drawn("cafe") != drawn("")


@pytest.mark.parametrize(
    ("size", "drawn_size"),
    [((100, 60), (500, 300)), ((480, 10), (480, 10)), ((3200, 100), (LONGEST_SIDE, 50)),
     ((1, 1), (480, 480))],
)  # fmt: skip
def test_the_drawing_is_of_a_size_that_people_can_see(
    size: tuple[int, int], drawn_size: tuple[int, int]
) -> None:
    width, height = size
    whole = labelled("cat", (height, width), (0, 0, width, height))
    assert draw(grey(width, height), [whole]).size == drawn_size


@given(st.data())
def test_any_mask_can_be_drawn_at_any_scale(data: st.DataObject) -> None:
    width = data.draw(st.sampled_from([1, 7, 130, 1700]))
    height = data.draw(st.sampled_from([1, 9, 130]))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0, width)), data.draw(st.integers(y0, height))
    drawn = draw(grey(width, height), [labelled("cat", (height, width), (x0, y0, x1, y1))])
    assert max(drawn.size) <= LONGEST_SIDE


def test_an_empty_mask_is_neither_drawn_nor_counted(tmp_path: Path) -> None:
    nothing = labelled("cat", (60, 80), (0, 0, 0, 0))
    there = labelled("dog", (60, 80), (5, 5, 40, 40))
    shown = [ImageResult(0, "a.jpg", "a.jpg", 80, 60, (nothing, there))]
    [overlay] = save_overlays(
        shown, lambda _: grey(80, 60), tmp_path, total=1, categories=["cat", "dog"]
    )
    assert overlay.counts == {"dog": 1}


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a mask of 80×60 over an image of 60×80"):
        draw(grey(60, 80), [labelled("cat", (60, 80), (0, 0, 9, 9))])


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_is_drawn_in_rgb(mode: str) -> None:
    image = Image.new(mode, (60, 50))
    assert draw(image, []).mode == "RGB"


def test_sixteen_bits_keep_their_greys() -> None:
    image = Image.fromarray(np.full((480, 480), 0x8000, dtype=np.uint16))
    assert draw(image, []).getpixel((5, 5)) == (0x80, 0x80, 0x80)


def test_overlays_lie_under_their_names(tmp_path: Path) -> None:
    images = results(["a/x.png", "a/x.jpg", "../../etc/passwd", "/abs.png", "b.jpg/c.png", "b.png"])
    drawn = save_overlays(
        iter(images),
        lambda _: grey(80, 60),
        tmp_path / "overlays",
        total=len(images),
        categories=CATEGORIES,
    )
    relative = [overlay.path.relative_to(tmp_path / "overlays").as_posix() for overlay in drawn]
    assert relative == [
        "a/x.jpg", "a/x.jpg.jpg", "etc/passwd.jpg", "abs.jpg", "b.jpg_/c.jpg", "b.jpg",
    ]  # fmt: skip
    assert [overlay.counts for overlay in drawn[:2]] == [{"red circle": 1}, {}]
    for overlay in drawn:
        with Image.open(overlay.path) as image:
            assert (image.format, image.size) == ("JPEG", (overlay.width, overlay.height))


@pytest.mark.parametrize(("total", "limit"), [(10, 3), (1000, 200), (7, 7), (5, 9), (5, 0)])
def test_a_sample_is_spread_evenly_and_opens_nothing_else(
    tmp_path: Path, total: int, limit: int
) -> None:
    opened: list[str] = []

    def open_image(uri: str) -> Image.Image:
        opened.append(uri)
        return grey(8, 6)

    bare = [ImageResult(i, str(i), str(i), 8, 6, ()) for i in range(total)]
    save_overlays(bare, open_image, tmp_path, total=total, categories=CATEGORIES, limit=limit)
    assert len(opened) == min(total, limit)
    if limit > 1:
        gaps = np.diff([int(uri) for uri in opened])
        assert gaps.max() - gaps.min() <= 1


def test_what_cannot_be_opened_any_more_is_logged_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def open_image(uri: str) -> Image.Image:
        if uri == "gone":
            raise ImageError("no such file")
        if uri == "torn":
            raise OSError("image file is truncated")
        if uri == "away":
            raise Unreachable("https://x.org/away", "it answers 503")
        return grey(80, 60) if uri == "good" else grey(60, 80)

    with caplog.at_level(logging.WARNING):
        drawn = save_overlays(
            results(["gone", "torn", "away", "turned", "good"]),
            open_image,
            tmp_path,
            total=5,
            categories=CATEGORIES,
        )
    assert [overlay.name for overlay in drawn] == ["good"]
    assert "no overlay of gone: no such file" in caplog.text
    assert "no overlay of torn" in caplog.text
    assert "no overlay of away: https://x.org/away is unreachable" in caplog.text
    assert "no overlay of turned: it was 80×60 when annotated and is 60×80" in caplog.text


def test_colours_do_not_depend_on_order_and_never_repeat() -> None:
    names = [f"category {i}" for i in range(40)]
    colours = palette(names)
    assert colours == palette(reversed(names))
    assert len(set(colours.values())) == len(names)
    shades = {variant(colours[names[0]], rank, 1) for rank in range(12)}
    assert len(shades) == 12


@given(st.lists(st.text(max_size=30), max_size=12))
def test_safe_names_never_leave_nor_meet(names: list[str]) -> None:
    safe = SafeNames(".jpg")
    paths = [safe.claim(name) for name in names]
    assert len({str(path).casefold() for path in paths}) == len(paths)
    folders = {str(parent).casefold() for path in paths for parent in path.parents}
    for path in paths:
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert path.name.endswith(".jpg")
        assert not set('<>:"|?*\\\0') & set(str(path))
        assert str(path).casefold() not in folders
        assert max(len(part.encode()) for part in path.parts) <= 255


def test_long_names_are_cut_and_stay_apart() -> None:
    safe = SafeNames(".jpg")
    one, other = safe.claim("é" * 300 + "1.png"), safe.claim("é" * 300 + "2.png")
    assert one != other
    assert len(one.name.encode()) <= 255


def test_a_chosen_colour_is_the_colour_and_moves_no_other() -> None:
    plain = palette(["cat", "dog"])
    assert palette(["cat", "dog"], {"cat": "#3366CC"}) == plain | {"cat": (0x33, 0x66, 0xCC)}


def test_overlays_are_drawn_in_the_chosen_colour(tmp_path: Path) -> None:
    def drawn(chosen: dict[str, str]) -> list[int]:
        [overlay] = save_overlays(
            results(["a.jpg"]),
            lambda _: grey(80, 60),
            tmp_path,
            total=1,
            categories=CATEGORIES,
            chosen=chosen,
        )
        return [int(value) for value in np.asarray(Image.open(overlay.path))[120, 120]]

    red, green, blue = drawn({"red circle": "#00ff00"})
    assert green > max(red, blue) + 40
    red, green, blue = drawn({"red circle": "#0000ff"})
    assert blue > max(red, green) + 40
