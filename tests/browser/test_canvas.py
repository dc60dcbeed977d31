"""The layers of the canvas, pixel by pixel."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from web.studio import assets

#: Shows ever other masks on one canvas and on a new one each time; tells where they differ, and how
#: often only parts were painted.
_COMPARE = """async ([layersAt, viewAt, [scale, x, y, ratio]]) => {
  const { Layers } = await import(layersAt), { View } = await import(viewAt);
  Object.defineProperty(globalThis, "devicePixelRatio", {value: ratio, configurable: true});
  let seed = 7;
  const random = (most) => (seed = (seed * 16807) % 2147483647) / 2147483647 * most;
  const masks = Array.from({length: 40}, (_, at) => {
    const [left, top, wide, high] = [random(260), random(180), 8 + random(70), 8 + random(50)];
    const path = new Path2D();
    for (let turn = 0; turn < 6.28; turn += 0.1) {
      path.lineTo(left + wide / 2 * (1 + Math.cos(turn)), top + high / 2 * (1 + Math.sin(turn)));
    }
    path.closePath();
    path.rect(left + wide / 2, top + high / 2, 3, 3);
    const colour = `hsl(${at * 40} 90% 50%)`, box = [left, top, left + wide, top + high];
    const look = {colour, dashed: at % 5 === 0, order: random(1)};
    return {outline: {path: () => path}, box, area: wide * high, ...look};
  });
  masks.sort((one, other) => other.area - one.area);
  const made = (shown) => {
    const view = Object.assign(new View(), {pictureWidth: 300, pictureHeight: 200});
    Object.assign(view, {width: 320, height: 220, scale, x, y, fits: false});
    const scene = {bitmap: null, masks: shown, veiled: false, points: []};
    const layers = new Layers(view, scene);
    layers.resize();
    return {layers, scene};
  };
  const data = ({layers: {canvases: {masks: {width, height}, masks: canvas}}}) => {
    const ink = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
    ink.fillStyle = "#888";
    ink.fillRect(0, 0, width, height);
    ink.drawImage(canvas, 0, 0);
    return ink.getImageData(0, 0, width, height).data;
  };
  const one = made(masks);
  let parts = 0;
  const next = one.layers.known.next.bind(one.layers.known);
  one.layers.known.next = (...all) => {
    const told = next(...all);
    parts += told === null ? 0 : 1;
    return told;
  };
  const differing = [], painted = [];
  for (const [step, score] of [0, 0.1, 0.12, 0.12, 0.4, 0.35, 0.9, 0.5, 0].entries()) {
    const shown = masks.filter((mask) => mask.order >= score);
    if (step === 5) shown[3].colour = "#123456";
    one.scene.masks = shown;
    one.layers.want("masks");
    one.layers.now();
    const [own, whole] = [data(one), data(made(shown))];
    differing.push(own.filter((value, at) => value !== whole[at]).length);
    painted.push(whole.filter((value) => value !== 0x88 && value !== 0xff).length);
  }
  return {differing, parts, least: Math.min(...painted)};
}"""


@pytest.mark.parametrize("place", [(1, 10, 10, 1), (1.37, -31.3, 4.7, 1), (0.8, 3.2, 9.1, 1.5)])
def test_parts_painted_anew_look_as_the_whole(page: Page, place: tuple[float, ...]) -> None:
    path = assets.load().path
    told = page.evaluate(_COMPARE, [path("layers.js"), path("view.js"), list(place)])
    assert not any(told["differing"]), told["differing"]
    assert told["parts"] >= 4
    assert told["least"] > 0
