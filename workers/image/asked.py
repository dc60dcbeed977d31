"""What a batch asks of each of its images in texts: its prompts, then their negatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskpool.errors import SpecError
from maskpool.spec import Prompt

_ROW = re.compile(r"prompts\[(?P<row>\d+)\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """The texts that run on one vision pass; made once for a chunk.

    Attributes:
        prompts: Those of the batch.
        texts: One row each: the prompts' texts, then the distinct negatives that are no prompt's.
        negatives: For each prompt the rows of its negatives, in the prompt's order. A negative
            that is another prompt's text has that prompt's row.
        verify: Whether CLIP weighs the negatives, too.
    """

    prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]
    negatives: tuple[tuple[int, ...], ...]
    verify: bool = False

    @classmethod
    def of(cls, prompts: Sequence[Prompt], *, verify: bool = False) -> Asked:
        """Lay out the rows of some prompts."""
        texts = [prompt.text for prompt in prompts]
        texts += dict.fromkeys(
            negative for prompt in prompts for negative in prompt.negatives if negative not in texts
        )
        # Two prompts may have one text: the first one's row is looked at.
        row = {text: index for index, text in reversed(list(enumerate(texts)))}
        negatives = tuple(tuple(row[text] for text in prompt.negatives) for prompt in prompts)
        return cls(tuple(prompts), tuple(texts), negatives, verify)

    def named(self, error: SpecError) -> SpecError:
        """A refusal of one of the texts, by the text's place in the spec.

        Args:
            error: What a segmenter says of ``prompts[3].text``, where 3 is the row.
        """
        place = _ROW.match(error.field)
        row = int(place["row"]) if place else 0
        if row < len(self.prompts):
            return error
        index = next(index for index, rows in enumerate(self.negatives) if row in rows)
        negative = self.negatives[index].index(row)
        return SpecError(f"prompts[{index}].not[{negative}]", error.reason)
