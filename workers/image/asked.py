"""What a batch asks of each of its images in texts: its prompts, then their negatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskpool.errors import SpecError
from maskpool.spec import BatchSpec
from maskpool.spec_prompt import Prompt, rows_of

_ROW = re.compile(r"prompts\[(?P<row>\d+)\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """The texts that run on one vision pass.

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
        rows = rows_of(prompts)
        return cls(tuple(prompts), rows.texts, rows.negatives, verify)

    @classmethod
    def of_spec(cls, spec: BatchSpec) -> Asked:
        """What a batch asks of each of its images."""
        return cls(spec.prompts, spec.rows.texts, spec.rows.negatives, spec.clip_weighs)

    def named(self, error: SpecError) -> SpecError:
        """A refusal of one of the texts, by the text's place in the spec.

        Args:
            error: What a segmenter says of ``prompts[3].text``, where 3 is the row.
        """
        named = _ROW.match(error.field)
        row = int(named["row"]) if named else 0
        if row >= len(self.prompts):
            for index, rows in enumerate(self.negatives):
                if row in rows:
                    place = f"prompts[{index}].not[{rows.index(row)}]"
                    return SpecError(place, error.reason)
        return error
