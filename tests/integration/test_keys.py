"""A key stands for one question: the same key over other images, or after a cancel, is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from db import batches
from maskpool.errors import Conflict, SourceError
from maskpool.prompts import read_prompts
from maskpool.spec import BatchSpec
from producer.pool import Pool
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter

SPEC = BatchSpec.of("demo", read_prompts(["cone"]))
NAMES = ("b.jpg", "d.jpg", "f.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        (folder / name).touch()
    return folder


def submission(source: Path) -> Submission:
    return Submission(open_source(str(source)), SPEC, "ann", "key")


@pytest.fixture
def submitter(pool: Pool) -> Submitter:
    return Submitter(pool.database, lambda: None)


def test_the_same_again_is_the_same_batch(submitter: Submitter, folder: Path) -> None:
    first = submitter.submit(submission(folder))
    again = submitter.submit(submission(folder))
    assert (again.batch_id, again.total, again.created) == (first.batch_id, 3, False)


@pytest.mark.parametrize(
    ("new", "gone", "said"),
    [
        ("a.jpg", "", "1 image is new ('a.jpg');"),
        ("c.jpg", "", "1 image is new ('c.jpg');"),
        ("z.jpg", "", "1 image is new ('z.jpg');"),
        ("", "b.jpg", "1 image is gone ('b.jpg');"),
        ("", "f.jpg", "1 image is gone ('f.jpg');"),
        ("c.jpg", "d.jpg", "1 image is new ('c.jpg'), 1 image is gone ('d.jpg');"),
        (
            "1.jpg 2.jpg 3.jpg 4.jpg",
            "",
            "4 images are new ('1.jpg', '2.jpg', '3.jpg', …);",
        ),
    ],
)
def test_a_folder_that_changed_is_another_question(
    submitter: Submitter, folder: Path, new: str, gone: str, said: str
) -> None:
    first = submitter.submit(submission(folder))
    for name in new.split():
        (folder / name).touch()
    for name in gone.split():
        (folder / name).unlink()
    with pytest.raises(SourceError) as refused:
        submitter.submit(submission(folder))
    assert said in str(refused.value)
    assert str(first.batch_id) in str(refused.value)
    assert "another key" in str(refused.value)


def test_the_same_names_at_another_place_are_other_images(
    submitter: Submitter, tmp_path: Path, folder: Path
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("image,name\nphotos/b.jpg,one\nphotos/d.jpg,two\n")
    submitter.submit(submission(listed))
    listed.write_text("image,name\nphotos/b.jpg,one\nphotos/f.jpg,two\n")
    with pytest.raises(SourceError, match=r"1 image is elsewhere \('two'\)"):
        submitter.submit(submission(listed))
    listed.write_text("image,name\nphotos/d.jpg,two\nphotos/b.jpg,one\n")
    with pytest.raises(SourceError, match="another order"):
        submitter.submit(submission(listed))


@pytest.mark.parametrize("loaded", [True, False])
def test_after_a_cancel_nothing_runs_and_that_is_said(
    pool: Pool, submitter: Submitter, folder: Path, loaded: bool
) -> None:
    asked = submission(folder)
    if loaded:
        batch_id = submitter.submit(asked).batch_id
    else:
        new = batches.NewBatch("ann", "key", "photos", "demo", SPEC.dump(), str(folder))
        with pool.database.write() as session:
            batch_id = batches.create_or_find(session, new).batch_id
    with pool.database.write() as session:
        batches.cancel(session, batch_id)
    with pytest.raises(Conflict, match=f"{batch_id} of this key was cancelled"):
        submitter.submit(asked)
    with pool.database.write() as session:
        batches.remove(session, batch_id)
    assert submitter.submit(asked).created, "the way out that the sentence names"
    assert submitter.submit(replace(asked, key="other")).created
