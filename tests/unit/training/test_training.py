"""The parts of training, and one run so short that it only proves the wiring."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, Sam3Model

from training.losses import PairTargets, box_iou_and_giou, mask_losses, match
from training.optimiser import MovingAverage, Muon, orthogonalise, set_rate
from training.questions import pick_phrases, wording
from training.scene_pool import pool_row
from training.scenes import MAX_OBJECTS, draw_scene
from training.train import parse, train_sam3
from training.vocabulary import COLOURS, SHAPES, Phrase


def test_iou_of_equal_disjoint_and_half_covered_boxes() -> None:
    box = torch.tensor([0.5, 0.5, 0.2, 0.2])
    others = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1], [0.6, 0.5, 0.2, 0.2]])
    iou, giou = box_iou_and_giou(box.expand(3, 4), others)
    assert iou.tolist() == pytest.approx([1, 0, 1 / 3], abs=1e-5)
    assert giou[0] == pytest.approx(1, abs=1e-5)
    assert giou[1] < 0


def test_matching_gives_each_wanted_object_the_nearest_query() -> None:
    boxes = torch.tensor([[[0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1], [0.5, 0.5, 0.9, 0.9]]])
    truth = torch.tensor([[[0.8, 0.79, 0.1, 0.1], [0.21, 0.2, 0.1, 0.1], [0.5, 0.5, 0.9, 0.9]]])
    targets = PairTargets(torch.tensor([[True, True, False]]), truth)
    matches = match(torch.zeros(1, 3), boxes, targets)
    assert matches.pair.tolist() == [0, 0]
    assert dict(zip(matches.item.tolist(), matches.query.tolist(), strict=True)) == {0: 1, 1: 0}


def test_matching_nothing_is_empty() -> None:
    targets = PairTargets(torch.zeros(2, 3, dtype=torch.bool), torch.rand(2, 3, 4))
    assert len(match(torch.zeros(2, 5), torch.rand(2, 5, 4), targets).pair) == 0


def test_a_good_mask_costs_less_than_a_bad_one() -> None:
    truth = torch.zeros(1, 16, 16)
    truth[:, 4:9, 4:9] = 1
    good, bad = (truth * 20 - 10), (10 - truth * 20)
    assert sum(mask_losses(good, truth)) < 0.01 < sum(mask_losses(bad, truth))


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((2, 8, 8), (2, 16, 8), (2, 8, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert 0.4 < values.min() <= values.max() < 1.4


def test_muon_descends() -> None:
    torch.manual_seed(0)
    weight, goal = torch.nn.Parameter(torch.randn(6, 4)), torch.randn(6, 4)
    optimiser = Muon([weight], lr=0.05, momentum=0.9, weight_decay=0)
    first = float((weight - goal).square().sum().detach())
    for _ in range(200):
        optimiser.zero_grad()
        (weight - goal).square().sum().backward()
        optimiser.step()
    assert float((weight - goal).square().sum().detach()) < first / 10


def test_the_rate_rises_stays_and_falls() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
    rates = [set_rate([optimiser], 2.0, progress) for progress in (0, 0.02, 0.3, 0.6, 1, 1.5)]
    assert rates[0] < rates[1] == rates[2] == 2.0 > rates[3] > rates[4] == rates[5] > 0


def test_the_moving_average_lags_behind() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    average = MovingAverage(list(layer.named_parameters()), decay=0.9)
    torch.nn.init.ones_(layer.weight)
    average.update()
    assert 0 < float(average.state()["weight"]) < 1


def test_asked_phrases_are_present_first_then_nearly_right() -> None:
    rng = np.random.default_rng(0)
    kinds = np.full((MAX_OBJECTS, 2), -1, np.int64)
    kinds[0] = SHAPES.index("circle"), COLOURS.index("red")
    kinds[1] = SHAPES.index("star"), COLOURS.index("blue")
    for _ in range(50):
        combination, second, near, *_ = pick_phrases(kinds, 5, rng)
        assert combination in {Phrase("red", "circle"), Phrase("blue", "star")}
        assert second is not None
        assert second.matches("red", "circle") or second.matches("blue", "star")
        assert near is not None
        assert not near.matches("red", "circle")
        assert not near.matches("blue", "star")


def test_wordings_use_articles_and_plurals() -> None:
    rng = np.random.default_rng(0)
    texts = {wording(Phrase("red", "cross"), rng) for _ in range(200)}
    assert {"red cross", "red crosses", "the red cross"} <= texts


def test_pool_rows_keep_masks_and_boxes_in_proportion() -> None:
    scene = draw_scene(3)
    image, masks, boxes, kinds = pool_row(scene, 64, 32)
    count = len(scene.objects)
    assert image.shape == (3, 64, 64)
    assert (kinds[:count] >= 0).all()
    assert (kinds[count:] == -1).all()
    shares = [item.mask.mean() for item in scene.objects]
    assert masks[:count].mean((1, 2)) / 255 == pytest.approx(shares, abs=0.005)
    assert (boxes[:count] >= 0).all()
    assert (boxes[:count] <= 1).all()


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_a_very_short_run_leaves_weights_which_load(tmp_path: Path) -> None:
    flags = f"--minutes 0.05 --scenes 6 --batch 1 --processes 1 --only sam3 --work {tmp_path}/work"
    options = parse([*flags.split(), "--out", str(tmp_path), "--device", "cpu"])
    options.work.mkdir()
    train_sam3(0, options)
    model = Sam3Model.from_pretrained(tmp_path / "sam3", dtype=torch.float32)
    assert model.config.image_size == 160
    assert AutoTokenizer.from_pretrained(tmp_path / "sam3").pad_token_id == 0
