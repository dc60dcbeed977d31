"""A submit tells what of its source is not in the batch, once, however often it is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import batches
from maskpool.errors import SourceError
from maskpool.prompts import read_prompts
from maskpool.settings import Settings
from maskpool.spec import BatchSpec
from maskpool.spec_file import asked as asked_for
from producer.pool import Pool
from producer.sources import open_source
from producer.submission import Submission, prepare
from producer.submit import Submitter

SPEC = BatchSpec.of("demo", read_prompts(["cone"]))
OVER = {".jxl": 2, "linked folder": 1, "hidden file": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "a/3.jpg", "a/4.jxl", "5.jxl", ".6.jpg"):
        (folder / name).touch()
    (folder / "b").symlink_to("a")
    return folder


def submission(source: Path) -> Submission:
    return Submission(open_source(str(source)), SPEC, "ann", "key")


def test_a_submit_tells_what_is_passed_over_and_so_does_the_same_again(
    pool: Pool, folder: Path
) -> None:
    submitter = Submitter(pool.database, lambda: None)
    for is_new in (True, False):
        done = submitter.submit(submission(folder))
        assert (done.total, done.created) == (3, is_new)
        assert done.passed_over.counts == OVER


def test_a_submit_that_is_resumed_counts_once(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    submitter = Submitter(pool.database, lambda: None)
    monkeypatch.setattr(batches, "activate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        submitter.submit(submission(folder))
    monkeypatch.undo()
    assert submitter.submit(submission(folder)).passed_over.counts == OVER


def test_strict_refuses_before_anything_is_written(folder: Path) -> None:
    wanted = asked_for(None, ["cone"])
    settings = Settings(source_roots=(folder,))
    sentence = r"passed over: 2 \.jxl \('5\.jxl', …\), 1 linked folder \('b'\), 1 hidden file"
    with pytest.raises(SourceError, match=sentence):
        prepare(settings, str(folder), wanted, strict=True)
    for name in ("a/4.jxl", "5.jxl", ".6.jpg", "b"):
        (folder / name).unlink()
    assert prepare(settings, str(folder), wanted, strict=True).source.text == str(folder)


def test_a_source_of_other_files_alone_says_so(pool: Pool, folder: Path) -> None:
    for path in folder.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(SourceError, match=r"no image in it; passed over: 2 \.jxl .*, 1 linked"):
        Submitter(pool.database, lambda: None).submit(submission(folder))
