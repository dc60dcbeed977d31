"""What is sent for texts: the shipped words, the pool's over them, and a team's over both.

``composed`` is the one place where a Chinese prompt becomes the English that is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from db import glossary as rows
from db.glossary import POOL
from maskpool.encoder_text import checked_text
from maskpool.errors import SpecError
from maskpool.glossary import Glossary, compose, shipped
from maskpool.glossary.chinese import has_chinese
from maskpool.glossary.words import SHIPPED_VERSION
from maskpool.prompts import refuse_contradictions
from maskpool.spec_file import Asked, Question
from maskpool.spec_prompt import Prompt
from maskpool.strict import Unfit
from producer.glossary.lists import words_of
from producer.pool import Pool

#: A prompt with or without what counts of it on reading.
P = TypeVar("P", bound=Prompt)


def current(session: Session, team_id: UUID | None) -> Glossary:
    """The glossary of a team, or of who has none, as it is now."""
    scopes = [POOL] if team_id is None else [POOL, team_id]
    version = rows.versions(session, scopes)
    if not version:
        return shipped()
    # The pool's words first: the team's are laid over them.
    found = sorted(rows.entries(session, scopes), key=lambda one: one.scope != POOL)
    team = version.get(team_id, 0) if team_id else 0
    name = f"{SHIPPED_VERSION}.{version.get(POOL, 0)}.{team}"
    return shipped().overlaid(name, words_of(found))


def of(pool: Pool, team_id: UUID | None) -> Glossary:
    """As ``current``, in a transaction of its own."""
    with pool.database.read() as session:
        return current(session, team_id)


def composed(pool: Pool, team_id: UUID | None, asked: Asked) -> Asked:
    """A question with its Chinese texts as they are sent; the names stay as they were typed.

    Args:
        pool: Asked for the words only where there is a Chinese text.
        team_id: Whose words count beside the pool's.
        asked: The question.

    Raises:
        GlossaryError: A text has not exactly one reading.
        SpecError: A prompt and its negative are sent as the same.
    """
    return composed_with(lambda: of(pool, team_id), asked)


def composed_with(words: Callable[[], Glossary], asked: Asked) -> Asked:
    """As ``composed``, with words that are at hand; they are taken where there is Chinese."""
    prompts, version = composed_prompts(words, asked.prompts)
    return replace(asked, prompts=prompts, glossary=version) if version else asked


def composed_question(pool: Pool, team_id: UUID | None, question: Question) -> tuple[Question, str]:
    """As ``composed``, for a question as a file writes it; and the glossary's version."""
    prompts, version = composed_prompts(lambda: of(pool, team_id), question.prompts)
    return (question.model_copy(update={"prompts": prompts}) if version else question), version


def composed_prompts(
    words: Callable[[], Glossary], prompts: Sequence[P]
) -> tuple[tuple[P, ...], str]:
    """Prompts as they are sent, and the glossary's version; empty where no text is Chinese."""
    if not any(has_chinese(text) for one in prompts for text in (one.text, *one.negatives)):
        return tuple(prompts), ""
    glossary = words()
    english = (_sent(glossary, one, f"prompts[{index}]") for index, one in enumerate(prompts))
    return tuple(english), glossary.version


def sent(words: Glossary, text: str, field: str = "text") -> str:
    """What is sent for one text; one without Chinese is sent as it is.

    Raises:
        GlossaryError: It has not exactly one reading; names the field.
    """
    return compose(words, text, field).sent if has_chinese(text) else text


def _sent(words: Glossary, prompt: P, field: str) -> P:
    text = sent(words, prompt.text, f"{field}.text")
    negatives = tuple(
        sent(words, one, f"{field}.not[{at}]") for at, one in enumerate(prompt.negatives)
    )
    if (text, negatives) == (prompt.text, prompt.negatives):
        return prompt
    try:
        refuse_contradictions(checked_text(text), negatives)
    except ValueError as error:
        reason = f"{prompt.name!r}, as it is sent, {error}"
        code, params = (error.code, error.params) if isinstance(error, Unfit) else ("", {})
        raise SpecError(field, reason, code=code, params=params) from None
    composed_some = negatives != prompt.negatives
    typed = prompt.typed or (prompt.negatives if composed_some else ())
    return prompt.model_copy(update={"text": text, "negatives": negatives, "typed": typed})


def sentences(asked: Asked) -> list[str]:
    """What is sent for each prompt of a question that was composed."""
    return [
        f"{one.name} is sent as: {', not '.join((one.text, *one.negatives))}"
        for one in (asked.prompts if asked.glossary else ())
        if one.name != one.text or one.negatives
    ]
