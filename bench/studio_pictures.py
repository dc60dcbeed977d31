"""Pictures of every page of the Studio, for the README and for who changes how it looks.

    make studio-pictures                       # two minutes; into docs/images
    python bench/studio_pictures.py --into /tmp/seen --only pool account

A local stack with the demo models annotates the sample scenes; then headless Chromium opens each
page on a laptop, in English and light and in Chinese and dark, and some on a phone, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from services.command_line import maskpool, maskpool_json
from services.studio import LAPTOP, PHONE, Desk, Site, running_chromium, running_stack

SCENES = ROOT / "samples" / "scenes"
PROMPTS = ("red circle", "yellow star", "circle", "triangle")

#: Language and theme, together: each is seen once, and there are half as many files.
LOOKS = (("en", "light"), ("zh", "dark"))


def as_it_is(page: Page) -> None:
    """Nothing is done before the picture is taken."""


def on_a_sample(page: Page) -> None:
    """A sample with masks, one of them selected."""
    page.locator("[data-sample]").first.click()
    for prompt in PROMPTS:
        page.locator("#add").fill(prompt)
        page.keyboard.press("Enter")
    page.wait_for_function(
        "(count) => document.querySelectorAll('#masks tbody tr').length >= count",
        arg=len(PROMPTS),
    )
    page.locator("#exclusive").check()
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowDown")


def with_its_tiles(page: Page) -> None:
    """A batch whose tiles, as far as the window reaches, have their pictures."""
    page.locator("#tiles a[href]").first.wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll("#tiles a[href]")]
          .filter((tile) => tile.getBoundingClientRect().top < innerHeight)
          .every((tile) => tile.querySelector("img").naturalWidth > 0)"""
    )


@dataclass(frozen=True)
class View:
    """One page.

    Attributes:
        name: Of its files.
        path: Where it is; ``{batch}`` is the id of a batch.
        prepare: What is done on it first.
        phone: Whether it is also seen on a phone.
        user: Who looks; None: nobody who is logged in.
    """

    name: str
    path: str
    prepare: Callable[[Page], None] = as_it_is
    phone: bool = False
    user: str | None = "ann"


VIEWS = (
    View("login", "/login", user=None),
    View("try-first", "/try"),
    View("try", "/try", on_a_sample, phone=True),
    View("batches", "/batches", phone=True),
    View("batch", "/batches/{batch}", with_its_tiles, phone=True),
    View("new-batch", "/batches/new"),
    View("glossary", "/glossary?list=shipped"),
    View("pool", "/pool"),
    View("account", "/account", user="zoe"),
)


def main() -> None:
    """Take the pictures."""
    asked = arguments()
    asked.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(SCENES, folder / "scenes")
        with running_stack(folder) as site:
            batch = annotate(folder)
            take(site, batch, asked.into, [one for one in VIEWS if one.name in asked.only])


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [view.name for view in VIEWS]
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    return parser.parse_args()


def annotate(folder: Path) -> str:
    """Two batches, one after the other; the id of the first."""
    prompts = [word for prompt in PROMPTS for word in ("-p", prompt)]
    made = [
        str(maskpool_json("submit", "scenes", *words, "--name", name, cwd=folder)["id"])
        for name, words in (("Shapes, first try", prompts), ("Circles", ("-p", "circle")))
    ]
    for batch in made:
        maskpool("status", "--watch", batch, cwd=folder)
    return made[0]


def take(site: Site, batch: str, into: Path, views: list[View]) -> None:
    """Take the pictures of some views."""
    with sync_playwright() as playwright, running_chromium(playwright) as browser:
        desk = Desk(browser, site)
        for view in views:
            for language, theme in LOOKS:
                for size, window in (("", LAPTOP), ("-phone", PHONE)):
                    if size and not view.phone:
                        continue
                    path = view.path.format(batch=batch)
                    options = {"language": language, "theme": theme, "window": window}
                    page = desk.open(path, view.user, **options)
                    view.prepare(page)
                    # Events never end, so the network is never idle.
                    page.wait_for_timeout(1_500)
                    file = into / f"studio-{view.name}{size}-{language}.png"
                    keep(page.screenshot(), file)
                    page.context.close()
                    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
        desk.close()


def keep(png: bytes, file: Path) -> None:
    """Write a picture with 256 colours: a quarter of the bytes, and a page has hardly more."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=1).save(file, optimize=True)


if __name__ == "__main__":
    main()
