"""Texts on their way into a model: counted exactly, never cut off, encoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch


class Tokens:
    """A tokenizer and the context of the encoder behind it.

    Args:
        tokenizer: As ``AutoTokenizer`` loads it.
        context: Tokens that the encoder reads, begin and end included.
    """

    def __init__(self, tokenizer: Any, context: int) -> None:  # noqa: ANN401 - transformers has no types
        self._tokenizer = tokenizer
        self._context = context
        # The same prompts come with every micro-batch; counting 256 of them takes milliseconds.
        self._count = lru_cache(maxsize=4096)(self._count_tokens)

    def refusal(self, text: str) -> str | None:
        """Why the encoder cannot read ``text``; None if it can."""
        count = self._count(text)
        if count <= self._context:
            return None
        return (
            f"{text[:80]!r} has {count} tokens, but the model's text encoder reads {self._context} "
            "(begin and end included) and nothing is cut off silently; shorten it"
        )

    def _count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, truncation=False)["input_ids"])

    def encode(
        self, texts: Sequence[str], device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, int64 (texts, context) each, padded to the whole context.

        The fixed length keeps shapes static; the mask hides the padding from attention.
        """
        encoded = self._tokenizer(
            list(texts),
            padding="max_length",
            max_length=self._context,
            truncation=False,
            return_tensors="pt",
        )
        return encoded["input_ids"].to(device), encoded["attention_mask"].to(device)


class TextCache:
    """Text features by text; the least recently used go first.

    Args:
        encode: Encodes texts that are not in the cache: one tuple of tensors a text.
        size: Most texts kept.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Sequence[tuple[torch.Tensor, ...]]],
        size: int = 1024,
    ) -> None:
        self._encode = encode
        self._size = size
        self._known: OrderedDict[str, tuple[torch.Tensor, ...]] = OrderedDict()

    def stacked(self, texts: Sequence[str]) -> tuple[torch.Tensor, ...]:
        """The features of ``texts``, each tensor stacked over them."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._encode(missing), strict=True))
        for text in texts:
            self._known.move_to_end(text)
        rows = [self._known[text] for text in texts]
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return tuple(torch.stack(column) for column in zip(*rows, strict=True))
