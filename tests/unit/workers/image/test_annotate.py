"""What becomes of an image that cannot be fetched just now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from maskpool.domain import Job, JobFailure, Klass, new_id
from maskpool.errors import BrokenOff, Unreachable
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
