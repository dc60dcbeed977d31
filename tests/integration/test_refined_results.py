"""``results`` and ``eval`` with masks made finer on the way: stored ones are what counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from services.pictured import CELL, SIDE, Pictured, bar, disc, specked
from services.plain_pool import PlainPool

from maskpool import rle
from maskpool.errors import NotFound, SourceError, SpecError
from maskpool.fineness import Fineness
from producer.evaluation import evaluate_batch, evaluate_file
from producer.export import export
from producer.pool import Pool
from producer.refining import refine


@pytest.fixture
def batch(pool: Pool, work: PlainPool, tmp_path: Path) -> Pictured:
    return Pictured(pool, work, tmp_path / "images", 3)


def maskpool(batch: Pictured, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb on the batch's pool."""
    settings = batch.pool.settings
    env = {
        **os.environ,
        "MASKPOOL_DATABASE_URL": settings.database_url.get_secret_value(),
        "MASKPOOL_STORE_URL": settings.store_url,
        "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",
        "MASKPOOL_SOURCE_ROOTS": str(batch.paths[0].parent),
        "COLUMNS": "120",
    }
    command = [sys.executable, "-P", "-m", "producer.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def written(path: Path, masks: list[list[Any]], info: dict[str, Any] | None = None) -> Path:
    """A COCO file: of each image the masks of its categories a and b."""
    content = {
        "info": info or {},
        "images": [
            {"id": seq, "file_name": f"{seq:03}.png", "width": SIDE, "height": SIDE}
            for seq in range(len(masks))
        ],
        "categories": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}],
        "annotations": [
            {
                "id": 2 * seq + category,
                "image_id": seq,
                "category_id": category,
                "segmentation": {"size": [SIDE, SIDE], "counts": rle.encode(mask).counts},
            }
            for seq, each in enumerate(masks)
            for category, mask in enumerate(each)
        ],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Discs without specks, beside where they were found by a pixel; and the bars."""
    return written(tmp_path / "truth.json", [[disc(0), bar()]] * 3)


def test_results_show_finer_masks_and_say_what_became_of_them(batch: Pictured) -> None:
    done = maskpool(batch, "results", str(batch.id), "--json", "--refine", "medium", "--limit", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["image"] for line in lines] == ["000.png", "001.png"]
    for line in lines:
        for shown, mask in zip(line["instances"], (specked(1), bar()), strict=True):
            made = refine(rle.encode(mask), Fineness.MEDIUM, CELL)
            assert shown["segmentation"]["counts"] == made.mask.counts
            assert shown["area"] == made.area
            assert tuple(shown["box_xyxy"]) == made.box
        assert line["refine"]["taken"] == {"none": 0, "low": 1, "medium": 1, "high": 0}
    assert "making about 4 masks of 2 images medium" in done.stderr
    assert "2 of 4 masks are less fine than medium" in done.stderr
    plain = maskpool(batch, "results", str(batch.id), "--json", "--limit", "1")
    [stored] = [json.loads(line) for line in plain.stdout.splitlines()]
    assert stored["instances"][0]["area"] == specked(1).sum()
    assert "refine" not in stored


def test_one_image_is_drawn_to_its_own_picture(batch: Pictured) -> None:
    batch.paths[1].unlink()
    asked = ("results", str(batch.id), "--json", "--refine", "high", "--image")
    [seen] = [json.loads(one) for one in maskpool(batch, *asked, "000.png").stdout.splitlines()]
    drawn = rle.decode(rle.Rle((SIDE, SIDE), seen["instances"][0]["segmentation"]["counts"]))
    assert (drawn ^ disc(0)).sum() < 0.5 * (specked(1) ^ disc(0)).sum()
    done = maskpool(batch, *asked, "001.png")
    [unseen] = [json.loads(line) for line in done.stdout.splitlines()]
    assert unseen["refine"]["unseen_images"][0]["file_name"] == "001.png"
    assert "pictures of 1 images could not be used" in done.stderr


@pytest.mark.parametrize("beside", [[], ["--failed", "--json"], ["--explain", "--json"]])
def test_finer_masks_are_refused_where_none_would_be_shown(
    batch: Pictured, beside: list[str]
) -> None:
    done = maskpool(batch, "results", str(batch.id), "--refine", "low", *beside)
    assert done.returncode == 2
    assert done.stderr.startswith("maskpool: --refine: makes masks finer, which --json alone shows")


def test_a_batch_is_scored_as_stored_and_finer_beside_it(batch: Pictured, truth: Path) -> None:
    said: list[str] = []
    plain = evaluate_batch(batch.pool, str(batch.id), truth)
    finer = evaluate_batch(
        batch.pool, str(batch.id), truth, fineness=Fineness.HIGH, say=said.append
    )
    assert plain.finer is None
    assert plain.stored == finer.stored
    assert finer.finer is not None
    before, after = (one.by_category[0] for one in (finer.stored, finer.finer))
    assert before.mean_iou is not None
    assert after.mean_iou is not None
    assert before.mean_boundary_iou is not None
    assert after.mean_boundary_iou is not None
    # 40 pixels of radius: a pixel beside is 3 % of the disc, and more of its outline.
    assert before.mean_iou < 0.98
    assert after.mean_iou > 0.99
    assert before.mean_boundary_iou < 0.8
    assert after.mean_boundary_iou > 0.95
    assert finer.made.taken == (0, 3, 0, 3)
    assert [one for one in said if one.startswith("making about 6 masks of 3 images high")]
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("maskpool-*/high.json"))


def test_a_file_is_scored_with_the_cells_that_are_given(
    batch: Pictured, truth: Path, tmp_path: Path
) -> None:
    pred = tmp_path / "pred.json"
    export(batch.pool, [str(batch.id)], pred)
    found = evaluate_file(pred, truth, threshold=0.5, fineness=Fineness.MEDIUM, cells=64)
    of_batch = evaluate_batch(batch.pool, str(batch.id), truth, fineness=Fineness.MEDIUM)
    assert found.finer is not None
    assert of_batch.finer is not None
    assert found.finer.by_category == of_batch.finer.by_category
    assert found.stored.by_category == of_batch.stored.by_category
    assert found.made == of_batch.made
    assert found.notes == of_batch.notes != ()
    # Wider cells smooth more.
    wide = evaluate_file(pred, truth, threshold=0.5, fineness=Fineness.MEDIUM, cells=16)
    assert wide.finer is not None
    assert wide.finer.by_category != found.finer.by_category


def test_what_a_file_cannot_give_is_refused(batch: Pictured, truth: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^cells: is not given, and a file does not say"):
        evaluate_file(truth, truth, threshold=0.5, fineness=Fineness.LOW)
    with pytest.raises(SpecError, match=r"^refine: high draws masks to their pictures' edges"):
        evaluate_file(truth, truth, threshold=0.5, fineness=Fineness.HIGH, cells=64)
    with pytest.raises(SpecError, match=r"^cells: .* wants refine, too"):
        evaluate_file(truth, truth, threshold=0.5, cells=64)
    finer = tmp_path / "finer.json"
    export(batch.pool, [str(batch.id)], finer, refine=Fineness.LOW, processes=1)
    with pytest.raises(SourceError, match=r"made finer already \(low\)"):
        evaluate_file(finer, truth, threshold=0.5, fineness=Fineness.MEDIUM, cells=64)
    assert evaluate_file(finer, truth, threshold=0.5).finer is None
    with pytest.raises(NotFound):
        evaluate_batch(batch.pool, "nosuch", truth)


def test_the_verb_says_which_masks_its_figures_are_of(batch: Pictured, truth: Path) -> None:
    done = maskpool(batch, "eval", str(batch.id), str(truth), "--refine", "medium")
    assert done.returncode == 0, done.stderr
    assert "what counts in the batch; masks made finer: medium" in done.stdout
    stored, finer = (
        next(line for line in done.stdout.splitlines() if line.startswith(begin))
        for begin in ("as stored: F1 1.000 · mean IoU 0.9", "medium: F1 1.000 · mean IoU 0.9")
    )
    assert "boundary IoU" in stored
    assert stored.partition(": ")[2] != finer.partition(": ")[2]
    told = maskpool(batch, "eval", str(batch.id), str(truth), "--refine", "medium", "--json")
    data = json.loads(told.stdout)
    assert data["refine"]["asked"] == "medium"
    assert data["overall"]["mean_iou"] != data["as_stored"]["overall"]["mean_iou"]
    plain = json.loads(maskpool(batch, "eval", str(batch.id), str(truth), "--json").stdout)
    assert plain == data["as_stored"]
    gone = maskpool(batch, "eval", "no.json", str(truth))
    assert gone.returncode == 2
    assert "no.json: there is no such file" in gone.stderr
    cells = maskpool(batch, "eval", str(batch.id), str(truth), "--cells", "64")
    assert "--cells: is of files" in cells.stderr


def test_an_export_says_first_how_long_it_takes(batch: Pictured, tmp_path: Path) -> None:
    out = tmp_path / "finer.json"
    done = maskpool(batch, "export", str(batch.id), "-o", str(out), "--refine", "low")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stderr.splitlines()
    assert first.startswith("estimate: 3 images, about 6 masks, about 0.0 core-minutes")
    assert not [one for one in rest if one.startswith("making about")], "it is said once"
    assert "go on?" not in done.stderr
