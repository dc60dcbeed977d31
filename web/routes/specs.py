"""A spec file, read as the command line reads it: JSON or YAML, with the line of what is wrong."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from maskpool.spec_file import Question
from maskpool.yaml_file import parse_yaml
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import needs
from web.router import Router
from web.shapes import Asked, Shown

router = Router(prefix="/api/v1/specs", tags=["batches"])


#: Characters; a million of YAML would keep a process busy for nine seconds.
_MAX_TEXT = 100_000


class SpecText(Asked):
    """The content of a file for `maskpool submit --spec`."""

    text: str = Field(max_length=_MAX_TEXT, examples=["prompts:\n  - yellow school bus\n"])


class Spec(Shown):
    """What it says."""

    spec: dict[str, Any] = Field(
        description="As a batch is made of it; prompts in their long form.",
        examples=[{"prompts": [{"name": "bus", "text": "bus", "not": []}]}],
    )


@router.post("")
def read_spec(caller: Annotated[Caller, needs(Right.SUBMIT)], asked: SpecText) -> Spec:
    """Read a spec file; nothing is kept."""
    del caller
    question = Question.read(parse_yaml(asked.text))
    return Spec(spec=question.model_dump(mode="json", by_alias=True, exclude_none=True))
