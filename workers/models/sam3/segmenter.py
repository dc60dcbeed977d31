"""SAM3 as a segmenter: vision once per image for all its prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import numpy as np
import torch
from torch.profiler import record_function
from transformers import Sam3Model

from maskpool.domain import Found
from maskpool.errors import SpecError
from maskpool.ports import Image
from workers.models.pixels import Square, Squares
from workers.models.portions import Portions
from workers.models.precision import cast_weights_on_cuda, precision
from workers.models.sam3.passes import ImageFeatures, Passes
from workers.models.sam3.postprocess import Pair, found_in_rows, kept_queries, scores_of
from workers.models.sam3.warm_up import warm_up
from workers.models.text import TextCache, Tokens

#: (image × prompt) rows in one pass of the detector; about 0.3 GB each at SAM3's size in bf16.
PAIRS = 32

#: Texts in one pass of the text encoder.
_TEXTS = 32


class Sam3Segmenter:
    """A ``Segmenter`` over ``Sam3Model``. Only ``prepare`` may be called by several threads.

    Args:
        model: On its device, fp32, in eval mode; on CUDA its weights are cast to what they are
            used as.
        tokenizer: As ``AutoTokenizer`` loads it.
        pairs: Most (image × prompt) rows in one pass of the detector.
        cached_texts: Texts whose features are kept.
        backend: Of ``torch.compile``; None runs everything as it is written.
        stage: Called with the name of each stage – ``vision``, ``detector``, ``masks``, ``rle`` –
            for a context around it.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: Any,  # noqa: ANN401 - transformers has no types
        *,
        pairs: int = PAIRS,
        cached_texts: int = 1024,
        backend: str | None = None,
        stage: Callable[[str], AbstractContextManager[object]] = record_function,
    ) -> None:
        self._model = cast("Any", model)
        self._device: torch.device = model.device
        self._side = int(model.config.image_size)
        self._squares = Squares(self._side, self._device)
        self._passes = Passes(model, backend)
        self._plain = Passes(model) if backend else None
        # After the passes are made: they compute kernels from the fp32 weights.
        cast_weights_on_cuda(model, self._device)
        self._tokens = Tokens(tokenizer, self._model.config.text_config.max_position_embeddings)
        self._texts = TextCache(self._encode_texts, cached_texts)
        self._text_portions = Portions(_TEXTS)
        self._pair_portions = Portions(pairs)
        self._stage = stage

    @property
    def pairs(self) -> int:
        """Rows in one pass of the detector at present; halved when the device's memory is short."""
        return self._pair_portions.size

    @property
    def parameters(self) -> int:
        """Weights of the model."""
        return int(sum(weight.numel() for weight in self._model.parameters()))

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """Refuse what the text encoder cannot read whole.

        Raises:
            SpecError: Names the prompt and its number of tokens.
        """
        for index, text in enumerate(prompts):
            if refusal := self._tokens.refusal(text):
                raise SpecError(f"prompts[{index}].text", refusal)

    def warm_up(self, most_images: int = 1) -> None:
        """Run once on a grey image, so that the first real one does not pay for set-up.

        Args:
            most_images: Of a micro-batch; where passes are compiled, they are for all sizes up to
                it, which takes minutes.

        Raises:
            ConfigError: What was compiled does not compute what was written.
        """
        self.segment([np.full((64, 64, 3), 127, dtype=np.uint8)], ["warm up"])
        if self._plain is not None:
            with torch.inference_mode(), precision(self._device):
                features, _ = self._texts.stacked(["warm up"])
                rows = self._pair_portions.size
                warm_up(
                    self._passes,
                    self._plain,
                    features,
                    self._side,
                    most_images=most_images,
                    most_rows=rows,
                )

    def prepare(self, image: Image) -> Square:
        """Copy an image to the device and resize it there; any thread may, ahead of need."""
        return self._squares.make(image)

    def segment(
        self, images: Sequence[Image | Square], prompts: Sequence[str]
    ) -> list[list[Found]]:
        """Segment a micro-batch, prepared or not; see ``maskpool.ports.Segmenter``."""
        self.check_prompts(prompts)
        if not images or not prompts:
            return [[] for _ in images]
        squares = [one if isinstance(one, Square) else self.prepare(one) for one in images]
        with torch.inference_mode(), precision(self._device):
            features, text_mask = self._texts.stacked(prompts)
            with self._stage("vision"):
                image_features = self._passes.encode(self._squares.stacked(squares))
            return self._read(
                [square.size for square in squares], image_features, features, text_mask
            )

    def _encode_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        return self._text_portions.map(texts, self._encode_some_texts)

    def _encode_some_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        ids, attention = self._tokens.encode(texts, self._device)
        output = self._model.get_text_features(input_ids=ids, attention_mask=attention)
        return list(zip(output.pooler_output, attention.bool(), strict=True))

    def _read(
        self,
        sizes: Sequence[tuple[int, int]],
        image_features: ImageFeatures,
        features: torch.Tensor,
        text_mask: torch.Tensor,
    ) -> list[list[Found]]:
        """Run the detector over every (image × prompt) and gather what it found by image."""
        pairs = [
            Pair(image_index, prompt_index, size)
            for image_index, size in enumerate(sizes)
            for prompt_index in range(len(features))
        ]

        def run(portion: Sequence[Pair]) -> list[list[Found]]:
            return self._read_some(portion, image_features, features, text_mask)

        found: list[list[Found]] = [[] for _ in sizes]
        for pair, instances in zip(pairs, self._pair_portions.map(pairs, run), strict=True):
            found[pair.image_index].extend(instances)
        return found

    def _read_some(
        self,
        portion: Sequence[Pair],
        image_features: ImageFeatures,
        features: torch.Tensor,
        text_mask: torch.Tensor,
    ) -> list[list[Found]]:
        prompts = [pair.prompt_index for pair in portion]
        about = [pair.image_index for pair in portion]
        with self._stage("detector"):
            detections = self._passes.detect(
                image_features, about, features[prompts], text_mask[prompts]
            )
            scores = scores_of(detections.logits, detections.presence)
        kept = kept_queries(scores)
        if not kept:
            return [[] for _ in portion]
        with self._stage("masks"):
            drawn = self._passes.decode_masks(image_features, detections, kept)
        with self._stage("rle"):
            return found_in_rows(portion, scores, kept, drawn)
