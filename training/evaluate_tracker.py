"""Measures the demo tracker on scenes it never saw: masks from clicks and boxes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from scipy.ndimage import distance_transform_edt
from transformers import Sam3Model, Sam3TrackerModel

from training.clicks import Prompts
from training.features import backbone_tokens
from training.predict import Mask, mask_iou
from training.scene_pool import normalise, squash
from training.scenes import Scene, SceneObject
from training.train_tracker import decode, embed

Rng = np.random.Generator

#: Clicks an object gets: the first anywhere on it, the others in the middle of the worst mistake.
CLICKS = 5
#: Objects that cover less of the image count as small.
SMALL = 0.015


@dataclass(frozen=True, slots=True)
class TrackerFigures:
    """Mean mask IoU with the visible part, at the images' own resolution."""

    one_click: float
    two_clicks: float
    three_clicks: float
    five_clicks: float
    box: float
    box_and_click: float
    #: Of objects that cover less than `SMALL` of the image.
    one_click_small: float
    box_small: float
    #: Share of objects at IoU 0.75 or better.
    one_click_at_iou_75: float
    box_at_iou_75: float
    #: Mean distance of the guessed IoU from the real one, over all of the above.
    guess_error: float
    #: The best that masks of the model's resolution could reach.
    bound: float
    objects: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What one object got: real IoU and guess after each click, of its box, of box and click."""

    clicks: list[tuple[float, float]]
    box: tuple[float, float]
    box_and_click: tuple[float, float]
    bound: float
    area: float


@torch.inference_mode()
def evaluate_tracker(
    detector: Sam3Model, tracker: Sam3TrackerModel, scenes: list[Scene]
) -> TrackerFigures:
    """Measures every object of the scenes.

    Args:
        detector: The model whose backbone the tracker was trained over, in float32.
        tracker: The tracker.
        scenes: Held-out scenes.

    Returns:
        The figures.
    """
    rng = np.random.default_rng(6)
    answers = []
    for scene in scenes:
        viewer = Viewer(detector, tracker, scene.image)
        answers += [_answer(viewer, item, rng) for item in scene.objects]
    small = [answer for answer in answers if answer.area < SMALL]
    pairs = [pair for one in answers for pair in (*one.clicks, one.box, one.box_and_click)]
    return TrackerFigures(
        one_click=_mean([answer.clicks[0][0] for answer in answers]),
        two_clicks=_mean([answer.clicks[1][0] for answer in answers]),
        three_clicks=_mean([answer.clicks[2][0] for answer in answers]),
        five_clicks=_mean([answer.clicks[4][0] for answer in answers]),
        box=_mean([answer.box[0] for answer in answers]),
        box_and_click=_mean([answer.box_and_click[0] for answer in answers]),
        one_click_small=_mean([answer.clicks[0][0] for answer in small]),
        box_small=_mean([answer.box[0] for answer in small]),
        one_click_at_iou_75=_mean([answer.clicks[0][0] >= 0.75 for answer in answers]),
        box_at_iou_75=_mean([answer.box[0] >= 0.75 for answer in answers]),
        guess_error=_mean([abs(real - guess) for real, guess in pairs]),
        bound=_mean([answer.bound for answer in answers]),
        objects=len(answers),
    )


class Viewer:
    """One image, seen once, of which any number of objects is asked."""

    @torch.inference_mode()
    def __init__(
        self, detector: Sam3Model, tracker: Sam3TrackerModel, image: npt.NDArray[np.uint8]
    ) -> None:
        """Runs the backbone on uint8 `(height, width, 3)`, RGB."""
        side = detector.config.image_size
        height, width = image.shape[:2]
        pixels = normalise(squash(image, side)[None]).to(detector.device)
        self.size = (height, width)
        self._scale = torch.tensor([side / width, side / height])
        self._tracker = tracker
        self._embeddings = embed(tracker, backbone_tokens(detector, pixels))
        #: Side of the masks before they are enlarged.
        self.grid = self._embeddings[0].shape[-1]

    @torch.inference_mode()
    def segment(
        self,
        clicks: list[tuple[float, float, int]],
        box_xyxy: tuple[float, float, float, float] | None = None,
    ) -> tuple[Mask, float]:
        """Segments one object.

        Args:
            clicks: x and y in pixels of the image, and 1 or 0 each.
            box_xyxy: In pixels of the image.

        Returns:
            bool `(height, width)` and the guessed IoU of the best candidate.
        """
        prompts = Prompts()
        if box_xyxy is not None:
            corners = torch.tensor(box_xyxy).view(2, 2) * self._scale
            prompts = Prompts(boxes=corners.view(1, 4))
        for x, y, label in clicks:
            place = torch.tensor([[x, y]]) * self._scale
            prompts = prompts.with_click(place, torch.tensor([label]))
        logits, guesses = decode(self._tracker, self._embeddings, prompts)
        best = int(guesses[0].argmax())
        grown = F.interpolate(logits[:, best, None], self.size, mode="bilinear")
        return (grown[0, 0] > 0).numpy(), float(guesses[0, best])


def _answer(viewer: Viewer, item: SceneObject, rng: Rng) -> Answers:
    """Asks for one object in every way."""
    rows, columns = np.nonzero(item.mask)
    place = int(rng.integers(len(rows)))
    clicks = [(columns[place] + 0.5, rows[place] + 0.5, 1)]
    first, steps = clicks[0], []
    for _ in range(CLICKS):
        mask, guess = viewer.segment(clicks)
        steps.append((mask_iou(mask, item.mask), guess))
        clicks = [*clicks, worst_mistake(mask, item.mask)]
    box, box_guess = viewer.segment([], item.box_xyxy)
    both, both_guess = viewer.segment([first], item.box_xyxy)
    return Answers(
        steps,
        (mask_iou(box, item.mask), box_guess),
        (mask_iou(both, item.mask), both_guess),
        resolution_bound(item.mask, viewer.grid),
        float(item.mask.mean()),
    )


def worst_mistake(found: Mask, wanted: Mask) -> tuple[float, float, int]:
    """Returns the place deepest inside a wrong region as x and y in pixels, and 1 if it was missed.

    A mask without mistake gets one more click deep inside.
    """
    wrong = found != wanted
    depth = distance_transform_edt(np.pad(wrong if wrong.any() else wanted, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5, int(wanted[row, column])


def resolution_bound(mask: Mask, grid: int) -> float:
    """Returns the IoU of a bool mask with itself, after one coarse `grid` and back."""
    soft = F.interpolate(torch.from_numpy(mask)[None, None].float(), (grid, grid), mode="area")
    back = F.interpolate(soft, mask.shape, mode="bilinear")[0, 0] > 0.5
    return mask_iou(back.numpy(), mask)


def _mean(values: list[float]) -> float:
    """Returns the mean, 0 of nothing."""
    return float(np.mean(values)) if values else 0.0
