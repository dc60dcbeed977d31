"""Texts that a text encoder reads whole: nothing is cut off silently."""

from __future__ import annotations

import re

from maskpool.strict import Unfit
from maskpool.text import is_one_line

#: Text encoder context of SAM3 (``processing_sam3.py`` pads to 32), begin and end token included.
TEXT_CONTEXT = 32

#: Splits text as CLIP's tokenizer does before byte pairs are merged; every piece is at least one
#: token, so the count is a lower bound that holds for each tokenizer in use.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+", re.IGNORECASE)


def least_tokens(text: str) -> int:
    """A lower bound of the tokens of ``text``, begin and end token included."""
    return len(_PIECES.findall(text)) + 2


def require_text(text: str) -> None:
    """Refuse what no tokenizer, row or answer takes: it would fail only there.

    Raises:
        ValueError: It holds a control character, or half of a character.
    """
    if not is_one_line(text):
        msg = "holds a control character or half of a character; write words only"
        raise Unfit(msg, code="prompt.control")


def checked_text(text: str) -> str:
    """``text`` with single blanks.

    Raises:
        ValueError: It is empty, too long for the encoder, or no text.
    """
    text = " ".join(text.split())
    require_text(text)
    if not text:
        msg = "is empty; write what to look for, e.g. 'yellow school bus'"
        raise Unfit(msg, code="prompt.empty")
    if least_tokens(text) > TEXT_CONTEXT:
        msg = (
            f"has at least {least_tokens(text)} tokens, but the text encoder reads {TEXT_CONTEXT} "
            "(begin and end included) and nothing is cut off silently; shorten it"
        )
        raise Unfit(msg, code="prompt.long", params={"text": text})
    return text
