"""CLIP as a scorer: how well crops agree with texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import CLIPModel

from maskpool.errors import ConfigError, SpecError
from maskpool.ports import Image
from workers.models.clip.crop import crop_for_clip
from workers.models.pixels import resize, upload
from workers.models.portions import Portions
from workers.models.precision import cast_weights_on_cuda, precision
from workers.models.text import TextCache, Tokens

__all__ = ["CROPS", "ClipScorer", "Preparation", "crop_for_clip"]

#: Crops in one pass of the image encoder.
CROPS = 64

#: Texts in one pass of the text encoder.
_TEXTS = 64

#: Pillow's numbers of the filters in use, as preprocessor files name them.
_FILTERS = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True, slots=True)
class Preparation:
    """The preprocessing a CLIP checkpoint was published with.

    Attributes:
        size: Pixels of the shorter side after resizing, or ``(height, width)`` whatever the aspect.
        crop: ``(height, width)`` cut out of the middle; None leaves the image whole.
        filter: ``bilinear`` or ``bicubic``.
        mean: By channel, of values in [0, 1].
        std: By channel, of values in [0, 1].
    """

    size: int | tuple[int, int]
    crop: tuple[int, int] | None
    filter: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, processor: Any) -> Self:  # noqa: ANN401 - transformers has no types
        """Read it off a loaded ``CLIPImageProcessor``.

        Raises:
            ConfigError: The file asks for something CLIP does not do.
        """
        size, kind = dict(processor.size), _FILTERS.get(int(processor.resample))
        known = size.keys() >= {"shortest_edge"} or size.keys() >= {"height", "width"}
        steps = (processor.do_resize, processor.do_rescale, processor.do_normalize)
        if kind is None or not known or not all(steps):
            raise ConfigError(
                "the CLIP model's preprocessor_config.json asks for something else than resizing "
                "(bilinear or bicubic), cropping the middle, rescaling and normalising"
            )
        crop = processor.crop_size if processor.do_center_crop else None
        return cls(
            size.get("shortest_edge") or (size["height"], size["width"]),
            (crop["height"], crop["width"]) if crop else None,
            kind,
            tuple(processor.image_mean),
            tuple(processor.image_std),
        )

    def pixels(self, crops: Sequence[Image], device: torch.device) -> torch.Tensor:
        """Prepare crops: float32 (crops, 3, height, width)."""
        prepared = torch.cat([self._one(crop, device) for crop in crops]).float().div_(255)
        mean = torch.tensor(self.mean, device=device).view(3, 1, 1)
        std = torch.tensor(self.std, device=device).view(3, 1, 1)
        return prepared.sub_(mean).div_(std)

    def _one(self, crop: Image, device: torch.device) -> torch.Tensor:
        resized = resize(upload(crop, device), self._size_of(crop), self.filter)
        return resized if self.crop is None else _middle(resized, self.crop)

    def _size_of(self, crop: Image) -> tuple[int, int]:
        if isinstance(self.size, tuple):
            return self.size
        height, width = crop.shape[:2]
        if height <= width:
            return self.size, int(self.size * width / height)
        return int(self.size * height / width), self.size


def _middle(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut out the middle, filled up with black where there is too little, as published."""
    missing = [max(0, want - have) for want, have in zip(size, pixels.shape[-2:], strict=True)]
    if any(missing):
        above, left = (-(-gap // 2) for gap in missing)
        pixels = functional.pad(pixels, (left, missing[1] - left, above, missing[0] - above))
    top, start = ((have - want) // 2 for want, have in zip(size, pixels.shape[-2:], strict=True))
    return pixels[..., top : top + size[0], start : start + size[1]]


class ClipScorer:
    """A ``Scorer`` over ``CLIPModel``. Not thread-safe: the engine's thread alone may use it.

    Args:
        model: On its device, fp32, in eval mode; on CUDA its weights
            are cast to the type they are used in.
        tokenizer: As ``AutoTokenizer`` loads it.
        preparation: The preprocessing of the crops.
        crops: Most crops in one pass.
        cached_texts: Texts whose features are kept.
    """

    def __init__(
        self,
        model: CLIPModel,
        tokenizer: Any,  # noqa: ANN401 - transformers has no types
        preparation: Preparation,
        *,
        crops: int = CROPS,
        cached_texts: int = 1024,
    ) -> None:
        self._model = cast("Any", model)
        self._device: torch.device = model.device
        cast_weights_on_cuda(model, self._device)
        self._preparation = preparation
        self._tokens = Tokens(tokenizer, self._model.config.text_config.max_position_embeddings)
        self._texts = TextCache(self._encode_texts, cached_texts)
        self._text_portions = Portions(_TEXTS)
        self._crop_portions = Portions(crops)

    @property
    def parameters(self) -> int:
        """Weights of the model."""
        return int(sum(weight.numel() for weight in self._model.parameters()))

    def check_texts(self, texts: Sequence[str]) -> None:
        """Refuse what the text encoder cannot read whole.

        Raises:
            SpecError: Names the text and its number of tokens.
        """
        for text in texts:
            if refusal := self._tokens.refusal(text):
                raise SpecError("prompts", refusal)

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """CLIP's logits, float32 (crops, texts); see ``maskpool.ports.Scorer``."""
        self.check_texts(texts)
        if not crops or not texts:
            return np.zeros((len(crops), len(texts)), dtype=np.float32)
        with torch.inference_mode(), precision(self._device):
            (text_features,) = self._texts.stacked(texts)
            image_features = torch.stack(self._crop_portions.map(crops, self._encode_crops))
            with torch.autocast(self._device.type, enabled=False):
                logits = image_features @ text_features.T * self._model.logit_scale.exp()
        similarities: npt.NDArray[np.float32] = logits.float().cpu().numpy()
        return similarities

    def _encode_crops(self, crops: Sequence[Image]) -> list[torch.Tensor]:
        pixels = self._preparation.pixels(crops, self._device)
        return list(_unit(self._model.get_image_features(pixel_values=pixels).pooler_output))

    def _encode_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        return self._text_portions.map(texts, self._encode_some_texts)

    def _encode_some_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        ids, attention = self._tokens.encode(texts, self._device)
        output = self._model.get_text_features(input_ids=ids, attention_mask=attention)
        return [(row,) for row in _unit(output.pooler_output)]


def _unit(features: torch.Tensor) -> torch.Tensor:
    return functional.normalize(features.float(), dim=-1)
