"""SAM3 as a segmenter: vision once per image for all its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import Sam3Model

from maskpool.domain import Found
from maskpool.errors import SpecError
from maskpool.ports import Image
from workers.models.bucket import Bucket
from workers.models.head import Head, Seen
from workers.models.postprocess import Pair, found_in_rows, kept_queries, scores_of
from workers.models.precision import precision
from workers.models.preprocess import to_squares
from workers.models.text import TextCache, Tokens

#: (image × prompt) rows in one pass of the head; about 0.3 GB each at SAM3's size in bf16.
PAIRS = 32

#: Texts in one pass of the text encoder.
_TEXTS = 32


class Sam3Segmenter:
    """A ``Segmenter`` over ``Sam3Model``. Not thread-safe: the engine's thread alone may use it.

    Args:
        model: On its device, fp32, in eval mode.
        tokenizer: As ``AutoTokenizer`` loads it.
        pairs: Most (image × prompt) rows in one pass of the head.
        cached_texts: Texts whose features are kept.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: Any,  # noqa: ANN401 - transformers has no types
        *,
        pairs: int = PAIRS,
        cached_texts: int = 1024,
    ) -> None:
        self._model = cast("Any", model)
        self._device: torch.device = model.device
        self._side = int(model.config.image_size)
        self._head = Head(model)
        self._tokens = Tokens(tokenizer, self._model.config.text_config.max_position_embeddings)
        self._texts = TextCache(self._encode_texts, cached_texts)
        self._text_bucket = Bucket(_TEXTS)
        self._pair_bucket = Bucket(pairs)

    @property
    def pairs(self) -> int:
        """Rows in one pass of the head at present; halved where the device's memory was short."""
        return self._pair_bucket.size

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

    def warm_up(self) -> None:
        """Run once on a grey image, so that the first real one does not pay for set-up."""
        self.segment([np.full((64, 64, 3), 127, dtype=np.uint8)], ["warm up"])

    def segment(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Found]]:
        """Segment a micro-batch; see ``maskpool.ports.Segmenter``."""
        self.check_prompts(prompts)
        if not images or not prompts:
            return [[] for _ in images]
        with torch.inference_mode(), precision(self._device):
            features, attention = self._texts.stacked(prompts)
            vision = self._see(to_squares(images, self._side, self._device))
            return self._read(images, vision, features, attention)

    def _encode_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        return self._text_bucket.map(texts, self._encode_some_texts)

    def _encode_some_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        ids, attention = self._tokens.encode(texts, self._device)
        output = self._model.get_text_features(input_ids=ids, attention_mask=attention)
        return list(zip(output.pooler_output, attention, strict=True))

    def _see(self, pixels: torch.Tensor) -> Seen:
        """The vision encoder, without the level and the encodings that nobody reads.

        The neck's own forward would also keep position encodings of every batch size in a cache.
        """
        encoder = self._model.vision_encoder
        states = encoder.backbone(pixels).last_hidden_state
        cells = self._side // encoder.config.backbone_config.patch_size
        grid = states.view(len(pixels), cells, cells, -1).permute(0, 3, 1, 2)
        levels = [layer(grid) for layer in encoder.neck.fpn_layers[:-1]]
        coarsest = levels[-1][:1]
        position = encoder.neck.position_encoding(coarsest.shape, coarsest.device, coarsest.dtype)
        return self._head.look(levels, position)

    def _read(
        self,
        images: Sequence[Image],
        seen: Seen,
        features: torch.Tensor,
        attention: torch.Tensor,
    ) -> list[list[Found]]:
        """Run the head over every (image × prompt) and gather what it found by image."""

        def run(portion: Sequence[Pair]) -> list[list[Found]]:
            prompts = [pair.prompt_index for pair in portion]
            about = [pair.image_index for pair in portion]
            answers = self._head.ask(seen, about, features[prompts], attention[prompts])
            scores = scores_of(answers.logits, answers.presence)
            kept = kept_queries(scores)
            if not kept:
                return [[] for _ in portion]
            return found_in_rows(portion, scores, kept, self._head.draw(seen, answers, kept))

        pairs = [
            Pair(image_index, prompt_index, (image.shape[0], image.shape[1]))
            for image_index, image in enumerate(images)
            for prompt_index in range(len(features))
        ]
        found: list[list[Found]] = [[] for _ in images]
        for pair, instances in zip(pairs, self._pair_bucket.map(pairs, run), strict=True):
            found[pair.image_index].extend(instances)
        return found
