"""Modules of the page beside what they say once more: pycocotools, the reading rule, ``-p``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page
from pycocotools import mask as coco

from maskpool.domain import Found, Instance
from maskpool.packed_mask import Rle
from maskpool.picture_sizes import VIEW_SIDE, fitted
from maskpool.prompts import parse
from maskpool.reading import Reading
from maskpool.reasons import reasons
from web.studio import assets

MASKS, CASES = 300, 400


def call(page: Page, module: str, code: str, value: Any) -> Any:
    """What an expression over a module ``m`` and a value ``v`` answers."""
    script = f"async ([at, v]) => {{ const m = await import(at); return {code}; }}"
    return page.evaluate(script, [assets.load().path(module), value])


def some_masks() -> list[npt.NDArray[np.bool_]]:
    """Noise of every density, blobs with holes, lines, what is empty and what is full."""
    random = np.random.default_rng(14)
    masks = []
    for _ in range(MASKS):
        height, width = (int(one) for one in random.integers(1, 24, 2))
        noise = random.random((height, width))
        kind = random.integers(4)
        if kind == 0:
            masks.append(noise < random.random())
            continue
        y, x = np.ogrid[:height, :width]
        away = np.hypot(y - random.uniform(0, height), x - random.uniform(0, width))
        radius = random.uniform(0, 14)
        masks.append(np.broadcast_to(away < radius, (height, width)) ^ (noise < 0.04 * kind))
    return [*masks, np.zeros((3, 5), bool), np.ones((5, 3), bool)]


def encoded(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


def test_masks_are_decoded_as_pycocotools_has_them(page: Page) -> None:
    masks = some_masks()
    code = """v.map((rle) => {
      const runs = m.decode(rle), [height, width] = rle.size;
      const inside = [];
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) inside.push(+runs.contains(x, y));
      const painted = [...runs.paint(new Uint8Array(width * height), 1)];
      return {area: runs.area, box: runs.box, inside, painted};
    })"""
    for mask, told in zip(
        masks, call(page, "rle.js", code, list(map(encoded, masks))), strict=True
    ):
        rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert told["area"] == coco.area(rle)
        assert told["inside"] == told["painted"] == mask.ravel().astype(int).tolist()
        left, top, wide, high = coco.toBbox(rle)
        assert told["box"] == ([left, top, left + wide, top + high] if mask.any() else None)


def test_a_large_mask_is_decoded_and_a_wrong_one_is_refused(page: Page) -> None:
    mask = np.zeros((1500, 2048), bool)
    mask[100:1400, 7:2000] = True
    mask[300:900, 500:700] = False
    code = "(() => { const r = m.decode(v); return [r.area, r.box, r.contains(600, 500)]; })()"
    told = call(page, "rle.js", code, encoded(mask))
    assert told == [int(mask.sum()), [7, 100, 2000, 1400], False]
    wrong = "(() => { try { m.decode(v); } catch (error) { return error.message; } })()"
    assert "3 × 4" in call(page, "rle.js", wrong, {"size": [3, 4], "counts": "5"})


def test_a_filled_outline_holds_the_centres_of_the_masks_pixels_alone(page: Page) -> None:
    masks = some_masks()
    code = """(await import(at.replace("outlines", "rle")).then(({decode}) => v.map((rle) => {
      const runs = decode(rle), path = new m.Outline(runs).path(4), [height, width] = rle.size;
      const ink = document.createElement("canvas").getContext("2d");
      const inside = [];
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++)
        inside.push(+ink.isPointInPath(path, x + .5, y + .5, "evenodd"));
      return {inside, corners: m.rings(runs).flat().length / 2};
    })))"""
    told = call(page, "outlines.js", code, list(map(encoded, masks)))
    for mask, one in zip(masks, told, strict=True):
        assert one["inside"] == mask.ravel().astype(int).tolist(), mask
    assert told[-1]["corners"] <= 9, "a rectangle has four cut corners"


@pytest.mark.parametrize("scale", [0.1, 0.4, 0.6, 1.0, 3.0])
def test_a_drawn_outline_lies_beside_the_traced_one_by_less_than_is_seen(
    page: Page, scale: float
) -> None:
    y, x = np.ogrid[:300, :400]
    masks = [*some_masks(), ((x - 200) / 190) ** 2 + ((y - 150) / 120) ** 2 < 1]
    code = """(await import(at.replace("outlines", "rle")).then(({decode}) => v[1].map((rle) =>
      m.rings(decode(rle)).map((ring) => [ring, [...m.simplified(ring, v[0])]])
    )))"""
    tolerance = 0.5 / scale
    told = call(page, "outlines.js", code, [tolerance, list(map(encoded, masks))])
    for rings in told:
        for whole, few in rings:
            traced, drawn = (np.reshape(one, (-1, 2)) for one in (whole, few))
            assert len(drawn) >= 3
            assert {tuple(one) for one in drawn} <= {tuple(one) for one in traced}
            assert beside(traced, drawn).max() <= tolerance + 1e-9
    [[ellipse, few]] = told[-1]
    assert len(few) <= len(ellipse) / {0.1: 20, 0.4: 10, 0.6: 5, 1.0: 1.2, 3.0: 1}[scale]


def test_an_outline_has_fewer_corners_where_it_is_small(page: Page) -> None:
    y, x = np.ogrid[:300, :400]
    code = """(await import(at.replace("outlines", "rle")).then(({decode}) => {
      let corners = 0;
      globalThis.Path2D = class { moveTo() { corners++; } lineTo() { corners++; } closePath() {} };
      const outline = new m.Outline(decode(v));
      return [4, 1, 0.4, 0.1, 0.4].map((scale) => {
        corners = 0;
        outline.path(scale);
        return corners;
      });
    }))"""
    mask = ((x - 200) / 190) ** 2 + ((y - 150) / 120) ** 2 < 1
    every, whole, small, tiny, again = call(page, "outlines.js", code, encoded(mask))
    assert every > whole > 5 * small > 5 * tiny
    assert again == 0, "the path of a scale is made once"


def beside(corners: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """How far each corner lies from the nearest side of a closed ring."""
    start, side = ring, np.roll(ring, -1, axis=0) - ring
    length = (side**2).sum(1)
    way = ((corners[:, None] - start) * side).sum(2) / np.where(length > 0, length, 1)
    nearest = start + side * np.clip(way, 0, 1)[..., None]
    return np.hypot(*np.moveaxis(corners[:, None] - nearest, 2, 0)).min(axis=1)


@pytest.mark.parametrize(
    ("drawn", "count"),
    [
        ("##.##\n##.##", 2),
        ("#####\n#...#\n#####", 2),
        ("#.#\n#.#\n###", 1),
        ("####\n.##.\n#..#", 3),
    ],
    ids=["two blocks", "a hole", "a fork", "two lone pixels below"],
)
def test_each_edge_of_a_mask_is_one_ring(page: Page, drawn: str, count: int) -> None:
    mask = np.array([[pixel == "#" for pixel in line] for line in drawn.splitlines()])
    code = 'm.rings((await import(at.replace("outlines", "rle"))).decode(v)).length'
    assert call(page, "outlines.js", code, encoded(mask)) == count


def some_instances(random: np.random.Generator) -> list[Instance]:
    """Of one image, on a coarse grid of values so that many meet a bound exactly."""
    count = int(random.integers(0, 12))

    def share() -> float:
        return float(random.integers(0, 11)) / 10

    def maybe(value: Any) -> Any:
        return value if random.random() < 0.6 else None

    return [
        Instance(
            found=Found(
                prompt_index=int(random.integers(0, 3)),
                score=share(),
                box_xyxy=(0.0, 0.0, 1.0, 1.0),
                mask=Rle((1, 1), "01"),
                object_index=0 if random.random() < 0.1 else None,
            ),
            area=int(random.integers(0, 6)),
            overlap=share(),
            clip_score=maybe(share()),
            against=maybe(share()),
            contender=maybe(int(random.integers(0, max(1, count)))),
        )
        for _ in range(count)
    ]


def some_reading(random: np.random.Generator) -> Reading:
    own = {
        name: {
            "threshold": [None, 0.3, 0.7][random.integers(3)],
            "min_area": [None, 2][random.integers(2)],
            "max_area": [None, 4][random.integers(2)],
            "max_count": [None, 1, 2][random.integers(3)],
        }
        for name in ("a", "b", "toString")
        if random.random() < 0.4
    }
    return Reading.read(
        {
            "threshold": float(random.integers(0, 11)) / 10,
            "max_overlap": [None, 0.0, 0.5][random.integers(3)],
            "max_against": float(random.integers(0, 11)) / 10,
            "exclusive": bool(random.integers(2)),
            "prompts": own,
        }
    )


def as_shown(one: Instance) -> dict[str, Any]:
    return {
        "prompt": one.found.prompt_index,
        "score": one.found.score,
        "area": one.area,
        "overlap": one.overlap,
        "clip_score": one.clip_score,
        "against": one.against,
        "contender": one.contender,
        "object_index": one.found.object_index,
    }


def test_the_page_reads_as_the_rule_does(page: Page) -> None:
    random = np.random.default_rng(7)
    names = ["a", "b", "toString"]
    cases = [(some_instances(random), some_reading(random)) for _ in range(CASES)]
    asked = [[list(map(as_shown, some)), reading.dump()] for some, reading in cases]
    code = "v[0].map(([some, reading]) => m.reasons(some, reading, v[1]))"
    told = call(page, "reading.js", code, [asked, names])
    for (some, reading), words in zip(cases, told, strict=True):
        rule = reading.rule_for(names)
        counting = [one for one, word in zip(some, words, strict=True) if word == ""]
        assert [id(one) for one in counting] == [id(one) for one in rule.admitted(some)]
        assert words == reasons(rule, some)
    said = {word for words in told for word in words}
    assert said == {"", "score", "area", "overlap", "clip", "against", "contender", "count"}
    assert call(page, "reading.js", "m.usual()", None) == Reading().dump()


def test_views_are_as_large_as_the_server_makes_them(page: Page) -> None:
    random = np.random.default_rng(3)
    sizes = [[int(one) for one in random.integers(1, 9000, 2)] for _ in range(CASES)]
    sizes += [[2048, 2048], [2049, 1], [4096, 3], [1, 4097]]
    told = call(page, "view-size.js", "v.map((one) => m.fitted(...one))", sizes)
    assert told == [list(fitted(width, height, VIEW_SIDE)) for width, height in sizes]


PROMPTS = (
    "red circle",
    "  red   circle ",
    "vehicle=yellow school bus",
    "circle, not red circle, not  ring",
    "a=b, NOT c",
    '"a=b"=c, not "d, not e"',
    'sign="a ""b"" = c"',
    "red, round",
    "a knot, nothing",
    'say "hello" there',
    "圆=circle",
)


def test_prompts_are_read_and_written_as_on_a_command_line(page: Page) -> None:
    read = call(page, "prompts.js", "v.map(m.parse)", list(PROMPTS))
    expected = [
        {"name": one.name, "text": one.text, "not": list(one.negatives)}
        for one in map(parse, PROMPTS)
    ]
    assert read == expected
    typed = call(page, "prompts.js", "v.map(m.typed)", read)
    assert [parse(one) for one in typed] == [parse(one) for one in PROMPTS]
    unclear = ["", "  ", "a=", "=b", "a=b=c", "a, not b=c", "a, not "]
    assert call(page, "prompts.js", "v.map(m.parse)", unclear) == [None] * len(unclear)


def test_the_palette_is_the_stylesheets(page: Page) -> None:
    css = (Path(assets.FOLDER) / "studio.css").read_text("utf-8")
    colours = re.findall(r"--m\d: (#[0-9a-f]{6})", css)
    assert len(colours) == 8
    assert call(page, "palette.js", "m.COLOURS", None) == colours
    looks = call(page, "palette.js", "[0, 7, 8, 15].map((one) => m.look(one))", None)
    assert [one["dashed"] for one in looks] == [False, False, True, True]
    assert [one["colour"] for one in looks] == [colours[0], colours[7]] * 2


def test_undo_goes_back_and_an_answer_changes_every_step(page: Page) -> None:
    code = """(() => {
      const undo = new m.Undo([]);
      undo.push([1]); undo.push([1, 2]); undo.undo();
      undo.amend((step) => step.map((one) => one * 10));
      const back = undo.now; undo.redo();
      const forth = undo.now; undo.undo(); undo.push([5]);
      return {back, forth, now: undo.now, redo: undo.canRedo, undo: undo.canUndo};
    })()"""
    told = call(page, "undo.js", code, None)
    assert told == {"back": [10], "forth": [10, 20], "now": [5], "redo": False, "undo": True}


def test_a_zoom_leaves_what_is_under_the_pointer_where_it_is(page: Page) -> None:
    code = """(() => {
      const view = new m.View();
      Object.assign(view, {pictureWidth: 600, pictureHeight: 400});
      view.resize(1000, 800);
      const fits = view.scale;
      const before = view.toPicture(700, 300);
      view.zoom(2.5, 700, 300);
      const after = view.toPicture(700, 300);
      view.pan(99999, 0);
      const kept = view.x <= view.width;
      view.fit();
      const same = before.every((one, at) => Math.abs(one - after[at]) < 1e-9);
      return {fits, same, kept, again: view.scale};
    })()"""
    told = call(page, "view.js", code, None)
    assert told["fits"] == told["again"] == pytest.approx((1000 - 64) / 600)
    assert told["same"]
    assert told["kept"]


def test_the_enter_of_an_input_method_takes_no_half_word(page: Page) -> None:
    code = """(() => {
      const field = document.createElement("input"), taken = [];
      m.onEnter(field, () => taken.push(field.value));
      for (const [value, isComposing] of v) {
        field.value = value;
        field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", isComposing}));
      }
      return taken;
    })()"""
    assert call(page, "dom.js", code, [["hongse", True], ["红色汽车", False]]) == ["红色汽车"]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ([], ""),
        (["yard/a.png", "yard/b/c.png"], "yard"),
        (["yard.zip"], "yard"),
        (["a.png"], "a.png"),
        (["a.png", "b.png", "yard/c.png", "yard/d.png"], "a.png +2"),
        (["x" * 300], "x" * 200),
    ],
)
def test_a_batch_without_a_name_gets_its_files(page: Page, files: list[str], name: str) -> None:
    assert call(page, "batch-name.js", "m.proposedName(v)", files) == name


@pytest.mark.parametrize(
    ("now", "typed"),
    [
        (["van", "truck"], ["面包车", "卡车"]),
        (["truck"], ["卡车"]),
        (["truck", "bus"], ["卡车", "bus"]),
        (["bus"], None),
        ([], None),
    ],
)
def test_negatives_stay_as_typed_when_others_come_and_go(
    page: Page, now: list[str], typed: list[str] | None
) -> None:
    prompt = {"text": "car", "name": "汽车", "not": ["van", "truck"], "typed": ["面包车", "卡车"]}
    code = """(() => { const asked = m.readSpec(v.spec); asked.prompts[0].not = v.now;
      return m.toSpec(asked).prompts[0]; })()"""
    made = call(page, "spec-form.js", code, {"spec": {"prompts": [prompt]}, "now": now})
    assert made.get("typed") == typed
    assert made.get("not", []) == now
