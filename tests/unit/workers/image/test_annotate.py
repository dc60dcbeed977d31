"""What becomes of an image that cannot be fetched just now, or whose texts are refused."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from maskpool.domain import Job, JobFailure, Klass, new_id
from maskpool.errors import BrokenOff, SpecError, Unreachable
from maskpool.spec import Prompt
from storage.objects.folder import FolderStore
from workers.image.annotate import Annotator
from workers.image.asked import Asked
from workers.leases import Holding


@dataclass
class Failing:
    """A fetcher to which the same happens each time."""

    error: Exception

    def fetch(self, _uri: str) -> Any:
        raise self.error


@pytest.mark.parametrize("kind", [Unreachable, BrokenOff])
def test_a_host_that_breaks_off_is_told_from_one_that_is_away(
    kind: type[Unreachable], tmp_path: Any
) -> None:
    fetcher: Any = Failing(kind("https://x.org/a.jpg", "as it says"))
    engine: Any = None
    annotator = Annotator(fetcher, engine, FolderStore(tmp_path))
    holding = Holding(new_id(), time.monotonic() + 60)
    job = Job(3, "a.jpg", "https://x.org/a.jpg")
    end = annotator.annotate(job, Asked.of([Prompt(text="cat")]), holding, Klass.BULK)
    sentence = "https://x.org/a.jpg is unreachable: as it says"
    assert end == JobFailure(3, sentence, transient=True, broken_off=kind is BrokenOff)


@dataclass
class Fetched:
    """What a fetcher brings."""

    image: np.ndarray
    sha256: str = "ab" * 32

    def fetch(self, _uri: str) -> Fetched:
        return self


class Refusing:
    """An engine whose text encoder cannot read the last text whole."""

    def submit(self, _image: Any, texts: Any, _klass: Any) -> Future[Any]:
        refused: Future[Any] = Future()
        refused.set_exception(SpecError(f"prompts[{len(texts) - 1}].text", "has 40 tokens"))
        return refused


def test_a_negative_that_is_too_long_is_named_as_the_spec_names_it(tmp_path: Any) -> None:
    fetcher: Any = Fetched(np.zeros((4, 4, 3), np.uint8))
    engine: Any = Refusing()
    annotator = Annotator(fetcher, engine, FolderStore(tmp_path))
    cat = Prompt.model_validate({"text": "cat", "not": ["dog", "a very long text"]})
    holding = Holding(new_id(), time.monotonic() + 60)
    job = Job(3, "a.jpg", "https://x.org/a.jpg")
    end = annotator.annotate(job, Asked.of([cat]), holding, Klass.BULK)
    assert end == JobFailure(3, "prompts[0].not[1]: has 40 tokens")
