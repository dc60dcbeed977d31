"""SAM3 as a segmenter: vision once an image for all that is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch.profiler import record_function
from transformers import Sam3Config, Sam3Model

from maskpool.abilities import Ability
from maskpool.domain import Found, PromptScores
from maskpool.errors import ConfigError, SpecError
from maskpool.ports import Answer, Image, ObjectAsk, Request
from workers.models.pixels import Square, Squares
from workers.models.portions import Portions
from workers.models.precision import cast_weights_on_cuda, precision
from workers.models.sam3.objects import ObjectRow, Objects
from workers.models.sam3.passes import Passes
from workers.models.sam3.text_rows import Stage, TextRows, pairs_of
from workers.models.sam3.tracker import Tracker
from workers.models.sam3.warm_up import warm_up
from workers.models.shares import Shares
from workers.models.text import TextCache, Tokens

#: (image × prompt) rows in one pass of the detector; about 0.3 GB each at SAM3's size in bf16.
PAIRS = 32

#: Texts in one pass of the text encoder.
_TEXTS = 32

_NO_TRACKER = (
    "this model cannot make masks from boxes and points: its checkpoint holds no tracker; use one "
    "that does, such as facebook/sam3"
)


def map_cells(config: Sam3Config) -> int:
    """Side of the square maps on which a SAM3 of such a configuration draws masks."""
    vision = cast("Any", config.vision_config)
    # As the finest level of the FPN has it: the tracker's maps are as fine.
    grid = int(config.image_size) // int(vision.backbone_config.patch_size)
    return int(grid * vision.scale_factors[0])


class _Call:
    """One call of the segmenter, while its parts are gathered.

    Attributes:
        requests: Each asks for something.
        sizes: ``(height, width)`` of each one's image, pixels.
        texts: All different texts of the requests.
        shares: Who pays how much.
        found: In each one's image so far.
        scores: Of each one's texts so far, by their places.
    """

    def __init__(
        self,
        requests: Sequence[Request[Square]],
        sizes: Sequence[tuple[int, int]],
        device: torch.device,
    ) -> None:
        self.requests = requests
        self.sizes = sizes
        self.texts = list(dict.fromkeys(text for one in requests for text in one.texts))
        self.shares = Shares(device, len(requests))
        self.found: list[list[Found]] = [[] for _ in requests]
        self.scores: list[dict[int, PromptScores]] = [{} for _ in requests]

    def answers(self) -> list[Answer]:
        """One for each request."""
        owed = self.shares.seconds()
        return [
            Answer(mine, seconds, tuple(scores[place] for place in range(len(request.texts))))
            for request, mine, seconds, scores in zip(
                self.requests, self.found, owed, self.scores, strict=True
            )
        ]


class Sam3Segmenter:
    """A ``Segmenter`` over ``Sam3Model``. Only ``prepare`` may be called by several threads.

    Args:
        model: On its device, fp32, in eval mode; on CUDA its weights are cast to what they are
            used as.
        tokenizer: As ``AutoTokenizer`` loads it.
        tracker: Draws objects from boxes and points, on the same backbone; None where the
            checkpoint has none.
        pairs: Most rows in one pass of the detector, and of the tracker.
        cached_texts: Texts whose features are kept.
        backend: Of ``torch.compile``; None runs everything as it is written.
        stage: Called with the name of each stage – ``vision``, ``detector``, ``masks``, ``rle``,
            ``objects`` – for a context around it.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: Any,  # noqa: ANN401 - transformers has no types
        *,
        tracker: Tracker | None = None,
        pairs: int = PAIRS,
        cached_texts: int = 1024,
        backend: str | None = None,
        stage: Stage = record_function,
    ) -> None:
        self._model = cast("Any", model)
        self._device: torch.device = model.device
        self._side = int(model.config.image_size)
        self._squares = Squares(self._side, self._device)
        self._passes = Passes(model, backend)
        self._plain = Passes(model) if backend else None
        # After the passes are made: they compute kernels from the fp32 weights.
        cast_weights_on_cuda(model, self._device)
        self._objects = None if tracker is None else Objects(tracker, pairs)
        self._tokens = Tokens(tokenizer, self._model.config.text_config.max_position_embeddings)
        self._texts = TextCache(self._encode_texts, cached_texts)
        self._text_portions = Portions(_TEXTS)
        self._pair_portions = Portions(pairs)
        self._stage = stage

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do beside finding instances of texts."""
        return frozenset({Ability.STUFF} | ({Ability.OBJECTS} if self._objects else set()))

    @property
    def pairs(self) -> int:
        """Rows in one pass of the detector at present; halved when the device's memory is short."""
        return self._pair_portions.size

    @property
    def parameters(self) -> int:
        """Weights of the model, without its tracker."""
        return int(sum(weight.numel() for weight in self._model.parameters()))

    @property
    def map_cells(self) -> int:
        """Side of the square maps on which it draws masks."""
        return map_cells(self._model.config)

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
                it, which takes minutes. What draws objects is never compiled.

        Raises:
            ConfigError: What was compiled does not compute what was written.
        """
        grey = np.full((64, 64, 3), 127, dtype=np.uint8)
        self.segment([Request(grey, ("warm up",))])
        if self._objects is not None:
            box = ObjectAsk(0, 0, (16.0, 16.0, 48.0, 48.0))
            self.segment([Request(grey, (), objects=(box,))])
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

    def segment(self, requests: Sequence[Request[Square]]) -> list[Answer]:
        """Segment a micro-batch, prepared or not; see ``maskpool.ports.Segmenter``."""
        for request in requests:
            self.check_prompts(request.texts)
            if request.objects and self._objects is None:
                raise ConfigError(_NO_TRACKER)
        asking = [request for request in requests if request.rows]
        answers = iter(self._answer(asking) if asking else ())
        return [next(answers) if request.rows else Answer([]) for request in requests]

    def _answer(self, requests: Sequence[Request[Square]]) -> list[Answer]:
        images = [one.image for one in requests]
        squares = [one if isinstance(one, Square) else self.prepare(one) for one in images]
        call = _Call(requests, [square.size for square in squares], self._device)
        keep_states = any(request.objects for request in requests)
        with torch.inference_mode(), precision(self._device):
            # Before the vision pass: a copy to the device waits for what runs there.
            encoded = self._texts.stacked(call.texts) if call.texts else ()
            with self._stage("vision"), call.shares.among([1] * len(requests)):
                pixels = self._squares.stacked(squares)
                image_features = self._passes.encode(pixels, keep_states=keep_states)
            if encoded:
                features, text_mask = encoded
                rows = TextRows(self._passes, image_features, features, text_mask, self._stage)
                self._read_texts(call, rows)
            if image_features.states is not None and self._objects is not None:
                self._draw(call, self._objects, image_features.states)
        return call.answers()

    def _read_texts(self, call: _Call, rows: TextRows) -> None:
        """Run the detector over every (image × prompt) and gather what it found by image."""
        pairs = pairs_of(call.requests, call.sizes, call.texts)
        for some, run in zip(pairs, (rows.instances, rows.regions), strict=True):
            if not some:
                continue
            counts = Counter(pair.image_index for pair in some)
            with call.shares.among([counts[image] for image in range(len(call.found))]):
                results = self._pair_portions.map(some, run)
            for pair, row in zip(some, results, strict=True):
                call.found[pair.image_index].extend(row.found)
                call.scores[pair.image_index][pair.prompt_index] = row.scores
        if all(pairs):
            for ones in call.found:
                ones.sort(key=lambda one: one.prompt_index)

    def _draw(self, call: _Call, objects: Objects, states: torch.Tensor) -> None:
        """Draw the objects of all images, behind what texts found."""
        images = [image for image, request in enumerate(call.requests) if request.objects]
        rows = [
            ObjectRow(place, call.sizes[image], ask)
            for place, image in enumerate(images)
            for ask in call.requests[image].objects
        ]
        asked = [len(request.objects) for request in call.requests]
        with self._stage("objects"):
            with call.shares.among([min(count, 1) for count in asked]):
                features = objects.encode(states[images])
            with call.shares.among(asked):
                drawn = objects.find(features, rows)
        for row, one in zip(rows, drawn, strict=True):
            call.found[images[row.image_index]].append(one)

    def _encode_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        return self._text_portions.map(texts, self._encode_some_texts)

    def _encode_some_texts(self, texts: Sequence[str]) -> list[tuple[torch.Tensor, ...]]:
        ids, attention = self._tokens.encode(texts, self._device)
        output = self._model.get_text_features(input_ids=ids, attention_mask=attention)
        return list(zip(output.pooler_output, attention.bool(), strict=True))
