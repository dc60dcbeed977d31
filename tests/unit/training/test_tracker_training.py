"""Training the tracker: its losses, its wiring, and a run too short to learn anything."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from transformers import Sam3Model, Sam3TrackerModel

from training.clicks import Prompts
from training.evaluate import WEIGHTS
from training.evaluate_tracker import Viewer, evaluate_tracker, resolution_bound, worst_mistake
from training.export import read_detector
from training.features import backbone_tokens
from training.network import new_sam3
from training.scene_pool import build_pool
from training.scenes import HELD_OUT_SEED, draw_scene
from training.tracker_losses import candidate_loss, mask_costs, real_iou
from training.tracker_network import new_tracker
from training.train import main, parse
from training.train_tracker import balance, decode, embed, take_rows, trained_parameters

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def detector() -> Sam3Model:
    return Sam3Model.from_pretrained(WEIGHTS / "sam3", dtype=torch.float32)


@pytest.fixture(scope="module")
def tracker() -> Sam3TrackerModel:
    return Sam3TrackerModel.from_pretrained(WEIGHTS / "sam3", dtype=torch.float32)


def square() -> torch.Tensor:
    masks = torch.zeros(1, 16, 16)
    masks[:, 4:9, 4:9] = 1
    masks[:, 9, 4:9] = 0.5
    return masks


def test_the_loss_is_least_where_probabilities_are_shares() -> None:
    masks = square()
    exact = masks.clamp(0.001, 0.999).logit()
    candidates = torch.stack([exact, exact.roll(1, 1), exact + 1, -exact, exact - 1], 1)
    costs = mask_costs(candidates, masks)[0]
    assert costs.argmin() == 0
    assert costs[0] < 0.05


def test_iou_of_candidates() -> None:
    masks = square()
    candidates = torch.stack([masks - 0.7, masks - 2, 0 * masks + 1], 1)
    assert real_iou(candidates, masks)[0].tolist() == pytest.approx([1, 0, 25 / 256])


def test_only_the_best_candidate_is_trained_and_the_guesses_of_all() -> None:
    masks = square()
    logits = torch.stack([masks - 2, 4 * masks - 2, masks * 0], 1).requires_grad_()
    guesses = torch.tensor([[0.9, 0.4, 0.1]], requires_grad=True)
    loss, taken, iou = candidate_loss(logits, guesses, masks)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert guesses.grad is not None
    assert logits.grad[0].abs().sum((1, 2)).gt(0).tolist() == [False, True, False]
    assert guesses.grad[0].ne(0).all()
    # A reader believes the highest guess, so it is that mask which a click corrects.
    assert torch.equal(taken[0], logits[0, 0])
    assert iou == 0


@torch.inference_mode()
def test_training_s_way_through_the_model_equals_the_published_one(
    detector: Sam3Model, tracker: Sam3TrackerModel
) -> None:
    pixels = torch.rand(2, 3, 160, 160) * 2 - 1
    points = torch.tensor([[[30.0, 40.0], [9.0, 2.0]], [[150.0, 20.0], [80.0, 80.0]]])
    labels, boxes = torch.tensor([[1, 0], [1, 1]]), torch.tensor([[1.0, 2.0, 60.0, 70.0]] * 2)
    embeddings = embed(tracker, backbone_tokens(detector, pixels))
    for prompts in (Prompts(points, labels), Prompts(boxes=boxes), Prompts(points, labels, boxes)):
        given = {
            "input_points": None if prompts.points is None else points[:, None],
            "input_labels": None if prompts.points is None else labels[:, None],
            "input_boxes": None if prompts.boxes is None else boxes[:, None],
        }
        expected = tracker(pixel_values=pixels, **given)
        masks, guesses = decode(tracker, embeddings, prompts)
        assert torch.allclose(masks, expected.pred_masks[:, 0], atol=1e-4)
        assert torch.allclose(guesses, expected.iou_scores[:, 0], atol=1e-5)


def test_an_untrained_tracker_looks_where_it_was_clicked() -> None:
    detector = new_sam3()
    tracker = new_tracker(detector.state_dict())
    layer = tracker.mask_decoder.transformer.layers[0].cross_attn_token_to_image
    place = tracker.prompt_encoder.shared_embedding(torch.tensor([[[[0.28, 0.72]]]]))[0, 0]
    image = tracker.get_image_wide_positional_embeddings()[0].flatten(1).T
    scores = layer.q_proj(place) @ layer.k_proj(image).T
    row, column = divmod(int(scores[0].argmax()), 16)
    assert abs(row - 11) <= 1
    assert abs(column - 4) <= 1


def test_the_backbone_and_what_images_never_reach_are_not_trained(
    tracker: Sam3TrackerModel,
) -> None:
    names = {name for name, _ in trained_parameters(tracker)}
    assert any(name.startswith("vision_encoder.neck.fpn_layers.0.") for name in names)
    assert any(name.startswith("prompt_encoder.point_embed") for name in names)
    assert any(name.startswith("mask_decoder.iou_prediction_head") for name in names)
    assert not any("backbone" in name or "mask_embed" in name for name in names)


@torch.no_grad()
def test_a_balanced_neck_is_as_loud_on_every_level(detector: Sam3Model) -> None:
    tracker = new_tracker(read_detector(WEIGHTS / "sam3"))
    tokens = backbone_tokens(detector, torch.rand(2, 3, 160, 160) * 2 - 1).detach()
    balance(tracker, tokens)
    levels = [layer(tokens.permute(0, 3, 1, 2)) for layer in tracker.vision_encoder.neck.fpn_layers]
    assert [float(level.std()) for level in levels[:3]] == pytest.approx([0.5] * 3, rel=0.01)


def test_rows_are_the_objects_of_the_scenes(tmp_path: Path) -> None:
    pool = build_pool(tmp_path, HELD_OUT_SEED, 3, side=160, grid=64, processes=1)
    rows = take_rows(pool, np.array([0, 2]), CPU)
    counts = [len(draw_scene(HELD_OUT_SEED + index).objects) for index in (0, 2)]
    assert rows.scene.tolist() == [0] * counts[0] + [1] * counts[1]
    for mask, (left, top, right, bottom) in zip(rows.masks, rows.boxes / 2.5, strict=True):
        inside = mask[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
        assert inside.sum() == pytest.approx(float(mask.sum()), rel=0.01)


def test_the_worst_mistake_is_the_middle_of_the_largest() -> None:
    wanted, found = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    wanted[5:10, 5:10] = True
    found[20:31, 20:31] = True
    assert worst_mistake(found, wanted) == (25.5, 25.5, 0)
    assert worst_mistake(wanted, wanted) == (7.5, 7.5, 1)
    assert worst_mistake(wanted & False, wanted) == (7.5, 7.5, 1)


def test_coarse_grids_bound_what_can_be_reached() -> None:
    mask = draw_scene(HELD_OUT_SEED).objects[0].mask
    assert 0.5 < resolution_bound(mask, 16) < resolution_bound(mask, 64) < 1


def test_the_shipped_tracker_knows_shapes(detector: Sam3Model, tracker: Sam3TrackerModel) -> None:
    scenes = [draw_scene(HELD_OUT_SEED + 1000 + index) for index in range(12)]
    figures = evaluate_tracker(detector, tracker, scenes)
    assert figures.one_click > 0.83
    assert figures.three_clicks > 0.88
    assert figures.box > 0.88
    assert figures.guess_error < 0.1


def test_a_viewer_answers_in_the_image_s_own_size(
    detector: Sam3Model, tracker: Sam3TrackerModel
) -> None:
    image = np.zeros((70, 110, 3), np.uint8)
    mask, guess = Viewer(detector, tracker, image).segment([(5.0, 5.0, 1)], (0.0, 0.0, 50.0, 60.0))
    assert mask.shape == (70, 110)
    assert mask.dtype == np.bool_
    assert 0 <= guess <= 1


def run_shortly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    copytree(WEIGHTS / "sam3", tmp_path / "out" / "sam3")
    flags = "--minutes 0.1 --scenes 6 --batch 1 --processes 1 --only tracker --device cpu"
    folders = ["--work", f"{tmp_path}/work", "--out", f"{tmp_path}/out"]
    monkeypatch.setattr("sys.argv", ["train", *flags.split(), *folders, *more])
    main()


def distance(one: Sam3TrackerModel, other: Sam3TrackerModel) -> float:
    weights = dict(other.named_parameters())
    pairs = [(weight, weights[name]) for name, weight in trained_parameters(one)]
    return sum(float((a - b).detach().abs().mean()) for a, b in pairs) / len(pairs)


def test_a_run_that_goes_on_stays_near_where_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: Sam3TrackerModel
) -> None:
    run_shortly(tmp_path, monkeypatch, "--go-on")
    after = Sam3TrackerModel.from_pretrained(tmp_path / "out" / "sam3", dtype=torch.float32)
    fresh = new_tracker(read_detector(WEIGHTS / "sam3"))
    assert 0 < distance(after, tracker) < 0.2 * distance(after, fresh)


def test_only_the_tracker_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--go-on"])
    assert "--only tracker" in capsys.readouterr().err


def test_a_very_short_run_changes_the_tracker_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shortly(tmp_path, monkeypatch)
    after = Sam3TrackerModel.from_pretrained(tmp_path / "out" / "sam3", dtype=torch.float32)
    before, now = read_detector(WEIGHTS / "sam3"), read_detector(tmp_path / "out" / "sam3")
    assert all(torch.equal(before[name], now[name]) for name in before)
    fresh = dict(new_tracker(before).named_parameters())
    changed = [
        name
        for name, weight in trained_parameters(after)
        if not torch.allclose(weight, fresh[name], atol=1e-3)
    ]
    assert len(changed) > 50
