"""The glossary of a pool: lists of words, and what is sent by them."""

from __future__ import annotations

from db.glossary import Entry
from db.teams import Team
from producer.glossary.composing import (
    composed,
    composed_prompts,
    composed_question,
    composed_with,
    current,
    of,
    sent,
    sentences,
)
from producer.glossary.lists import (
    Done,
    Preview,
    Stale,
    listing,
    preview,
    put,
    remove,
    revert,
    words_of,
)

__all__ = [
    "Done",
    "Entry",
    "Preview",
    "Stale",
    "Team",
    "composed",
    "composed_prompts",
    "composed_question",
    "composed_with",
    "current",
    "listing",
    "of",
    "preview",
    "put",
    "remove",
    "revert",
    "sent",
    "sentences",
    "words_of",
]
