"""Prompts as people type them with ``-p``: the grammar, and what is refused as ambiguous.

    prompt  =  [ name "=" ] text { "," "not" text }

* ``text`` is what the segmenter looks for, ``name`` the category in exports (the text where none is
  given), each ``text`` after ``, not`` a negative that CLIP weighs against it. ``not`` is read in
  upper and lower case, and only after a comma: ``red, round`` and ``a knot, nothing`` are one text.
* Blanks around a part are dropped, and those within it become single spaces.
* A part in double quotes is taken as written: with ``=``, ``, not`` or a comma at its ends. A quote
  within is doubled: ``sign="a ""b"" = c"``. Quotes that stand within a text belong to it.

What could be read in two ways is refused, with both ways to write it. Whatever the spec refuses as
well (an empty text, too many tokens) is refused by ``maskpool.spec``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from maskpool.errors import SpecError
from maskpool.spec_prompt import Prompt
from maskpool.strict import Unfit, spec_error
from maskpool.text import is_storable, one_line

#: A whole part in double quotes, a quote within it doubled.
_QUOTED = r'"(?:[^"]|"")*"'

_NOT = r",\s*not(?=\s|$)"
_SEPARATOR = re.compile(rf"(?P<equals>=)|{_NOT}", re.IGNORECASE)

#: Quotes protect only a whole part: from where it begins to the next separator or the end.
_WHOLE = re.compile(rf"\s*{_QUOTED}\s*(?=$|=|{_NOT})", re.IGNORECASE)

#: What looks like a negative without a text: ``, not`` before a sign or at the end of a part.
_DANGLING = re.compile(r",\s*not(?![\w'’-])", re.IGNORECASE)

#: A quote that opens before a word and is not closed in the same part.
_OPEN_QUOTE = re.compile(r'(?<!\S)"(?=\S)[^"]*$')

#: Words that deny what follows.
_NEGATION = re.compile(r"(?:^|\s)(?:without|no|except)\s", re.IGNORECASE)

#: Characters of a prompt that a refusal shows at most.
_MAX_SHOWN = 80


def read_prompts(texts: Sequence[str]) -> tuple[Prompt, ...]:
    """Read prompts as typed on a command line; the grammar stands at the head of this module.

    Args:
        texts: One for each ``-p``, as ``cone``, ``cone, not barrel`` or ``vehicle=school bus``.

    Raises:
        SpecError: Names the prompt by its place, from 0, and says how to write what was meant.
    """
    prompts = tuple(_read(index, text) for index, text in enumerate(texts))
    refuse_alike(prompts)
    return prompts


def _read(index: int, typed: str) -> Prompt:
    try:
        return parse(typed)
    except ValidationError as error:
        raise spec_error(error, ("prompts", index)) from None
    except Unfit as error:
        shown = one_line(typed)
        shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}…"
        reason, code, params = f"{shown!r} {error}", error.code, error.params
        raise SpecError(f"prompts[{index}]", reason, code=code, params=params) from None


def parse(typed: str) -> Prompt:
    """Read one prompt.

    Raises:
        Unfit: It can be read in two ways, or holds what no text may hold.
        ValidationError: The spec refuses a part.
    """
    _refuse_controls(typed)
    name, texts = _split(typed)
    parts = texts if name is None else [name, *texts]
    for part in parts:
        _refuse_slips(part, alone=len(parts) == 1)
    _refuse_lists(name, texts[1:])
    text, *negatives = map(_unquoted, texts)
    refuse_contradictions(text, negatives)
    return Prompt.model_validate(
        {"name": _unquoted(name or ""), "text": text, "not": tuple(negatives)}
    )


def _split(typed: str) -> tuple[str | None, list[str]]:
    """The name, None where there is none, and the texts; quotes are still around them."""
    pieces = list(_pieces(typed))
    separators = [separator for separator, _ in pieces]
    if separators.count("=") > 1:
        raise Unfit(
            "has more than one '=' and could be divided at each; put the part that holds one in "
            "double quotes: '\"a=b\"=text' or 'name=\"a=b\"'",
            code="prompt.equals",
            params={"text": typed},
        )
    if "=" in separators[2:]:
        raise Unfit(
            "has a '=' after ', not'; a name stands at the beginning, 'name=cone, not barrel', and "
            "a negative that holds '=' is put in double quotes, 'cone, not \"a=b\"'",
            code="prompt.late_name",
            params={"text": typed},
        )
    texts = [part for _, part in pieces]
    return (texts[0], texts[1:]) if "=" in separators else (None, texts)


def _pieces(typed: str) -> Iterator[tuple[str, str]]:
    """Each part after its separator: nothing, ``=`` or ``not``."""
    separator, rest = "", typed
    while True:
        whole = _WHOLE.match(rest)
        found = _SEPARATOR.search(rest, whole.end() if whole else 0)
        yield separator, (rest[: found.start()] if found else rest).strip()
        if found is None:
            return
        separator, rest = ("=" if found["equals"] else "not"), rest[found.end() :]


def _is_quoted(part: str) -> bool:
    return re.fullmatch(_QUOTED, part, re.DOTALL) is not None


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if _is_quoted(part) else part


def _quoted(part: str) -> str:
    """How a part is written so that it is taken as it is."""
    return '"' + part.replace('"', '""') + '"'


def _refuse_controls(typed: str) -> None:
    if not is_storable(typed):
        reason = "is not UTF-8; type it in a terminal whose locale is UTF-8"
        raise Unfit(reason, code="prompt.control")
    # A line feed or a tab is a blank here; what else is escaped was never meant to be looked for.
    flat = " ".join(typed.split())
    if one_line(flat) != flat:
        raise Unfit("holds a control character; write words only", code="prompt.control")
    if flat and not any(unicodedata.category(one)[0] in "LNPSM" for one in flat):
        reason = "holds only invisible characters; write what to look for"
        raise Unfit(reason, code="prompt.empty")


def _refuse_slips(part: str, *, alone: bool) -> None:
    """Refuse a part that is more likely a slip than meant; in quotes it is meant.

    Args:
        part: Name, text or negative as typed.
        alone: Whether it is the whole prompt.
    """
    if _is_quoted(part):
        plain = part[1:-1].strip()
        if plain and '"' not in plain and not _slip(plain, alone=False) and "," not in plain:
            reason = f"has quotes that it does not need; write {plain} without them"
            raise Unfit(reason, code="prompt.quotes", params={"text": part, "plain": plain})
    elif slip := _slip(part, alone=alone):
        raise slip


def _slip(part: str, *, alone: bool) -> Unfit | None:
    """What of an unquoted part can be read in two ways; None where nothing can."""
    two_ways = {"text": part, "quoted": _quoted(part)}
    if not alone and "=" in part:
        return Unfit("holds '='", code="prompt.equals", params=two_ways)
    if re.match(r"not(\s|$)", part, re.IGNORECASE):
        return Unfit(
            "begins a text with 'not'; a negative follows what it is weighed against, 'cone, not "
            f"barrel'; to look for these words, write '{_quoted(part)}'",
            code="prompt.begins_with_not",
            params=two_ways,
        )
    if part.startswith(",") or part.endswith(","):
        return Unfit(
            f"has a comma at the edge of {part!r}; write each prompt by itself, or "
            f"'{_quoted(part)}' if the comma belongs to it",
            code="prompt.comma",
            params=two_ways,
        )
    if _DANGLING.search(part):
        return Unfit(
            f"has ', not' without a text after it; write 'cone, not barrel', or '{_quoted(part)}' "
            "if these words belong together",
            code="prompt.ends_with_not",
            params=two_ways,
        )
    if not alone and _OPEN_QUOTE.search(part):
        return Unfit(
            "has a double quote that is not closed before '=' or ', not'; quotes hold a whole name "
            "or text, 'name=\"a=b\"', and one within it is doubled",
            code="prompt.open_quote",
            params=two_ways,
        )
    return None


def _refuse_lists(name: str | None, negatives: Sequence[str]) -> None:
    """A comma in a name or a negative could begin another prompt, or another negative."""
    if name and "," in name and not _is_quoted(name):
        raise Unfit(
            f"has a comma in its name {name!r}; write each prompt by itself, or "
            f"'{_quoted(name)}=…' if the comma belongs to the name",
            code="prompt.comma",
            params={"text": name, "quoted": _quoted(name)},
        )
    for negative in negatives:
        if "," in negative and not _is_quoted(negative):
            raise Unfit(
                f"has a comma in {negative!r}; write ', not' before each negative, or "
                f"', not {_quoted(negative)}' if the comma belongs to it",
                code="prompt.comma_in_not",
                params={"text": negative, "quoted": _quoted(negative)},
            )


def refuse_contradictions(text: str, negatives: Sequence[str]) -> None:
    """Refuse the same twice, which says nothing.

    Raises:
        Unfit: Two of the texts are one.
    """
    seen = {_folded(text)}
    for negative in filter(None, negatives):
        if _folded(negative) == _folded(text):
            reason = f"asks for {text!r} and not for it; leave one of them out"
            raise Unfit(reason, code="prompt.same", params={"text": text})
        if _folded(negative) in seen:
            reason = f"has the negative {negative!r} twice; leave one of them out"
            raise Unfit(reason, code="prompt.twice", params={"text": negative})
        seen.add(_folded(negative))


def why_misread(prompt: Prompt) -> str:
    """Why a text that says what is *not* wanted will hardly do that; empty for others.

    Encoders of text read ``cone without snow`` as a cone with snow (docs/PROMPTS.md).
    """
    found = _NEGATION.search(prompt.text)
    if found is None:
        return ""
    text, other = prompt.text[: found.start()].strip(" ,"), prompt.text[found.end() :].strip()
    return (
        f"{prompt.text!r}: models hardly read {found[0].strip().lower()!r}; write what it is not "
        f"as a negative: '{text or 'text'}, not {other or 'other'}'"
    )


def refuse_alike(prompts: Sequence[Prompt]) -> None:
    """Names that differ in case, or in how an accent is stored, are one for people and models."""
    names: dict[str, str] = {}
    for index, prompt in enumerate(prompts):
        other = names.setdefault(_folded(prompt.name), prompt.name)
        if other != prompt.name:
            raise SpecError(
                f"prompts[{index}]",
                f"{prompt.name!r} and {other!r} differ only in case, or in how an accent is "
                "stored; leave one out, or give it another name: 'other=text'",
                code="prompt.alike",
                params={"name": prompt.name, "other": other},
            )


def _folded(text: str) -> str:
    """As models and people compare texts: without case, blanks and the form of accents."""
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())
