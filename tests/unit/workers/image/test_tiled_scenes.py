"""Large pictures of drawn scenes through the demo model: what tiles find that one look loses."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bench.mosaics import score
from bench.tiles import PROMPTS, _counting, _singles
from maskpool.domain import Klass, new_id
from maskpool.settings import load_settings
from maskpool.tiling.plan import decide
from maskpool.tiling.record import Why
from training.mosaics import mosaic
from workers.image.views import Views
from workers.leases import Holding
from workers.models.load import load_for


@pytest.fixture(scope="module")
def views() -> Iterator[Views]:
    settings = load_settings(torch_threads=1, device="cpu")
    with load_for(settings).engine() as engine:
        yield Views(engine, Holding(new_id(), time.monotonic() + 3_600), Klass.BULK)


@pytest.mark.parametrize(("columns", "rows"), [(8, 2), (5, 4)], ids=["panorama", "aerial"])
def test_tiles_find_what_single_scenes_show_and_the_whole_view_loses(
    views: Views, columns: int, rows: int
) -> None:
    """A panorama of 4 to 1, and a grid as from the air; ``auto`` cuts both."""
    picture = mosaic(columns, rows, PROMPTS, seed=10_005_000)
    plan = decide("auto", picture.image.shape[:2], 320, things=True)
    assert plan.why is Why.LARGE

    single = score(list(_singles(views, picture)), picture.truths)
    whole = score(_counting(views.whole(picture.image, PROMPTS)), picture.truths)
    answer, tiled = views.tiled(picture.image, PROMPTS, plan)
    found = score(_counting(answer), picture.truths)

    assert tiled.count == len(plan.tiles) > columns * rows
    assert single.truths >= 20
    # One object of thirty is .03: how near tiles come to single scenes, bench/tiles.py says of
    # hundreds. Here they lag by a few objects, and the whole view loses nearly all.
    assert found.f1 >= 0.8, (single, found)
    assert whole.right < 0.3 * found.right
    height, width = picture.image.shape[:2]
    assert all(one.mask.size == (height, width) for one in answer.found)
