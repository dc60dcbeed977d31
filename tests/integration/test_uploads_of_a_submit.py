"""Images that a submit copies into the store: one that cannot be read keeps its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from db import jobs
from db.session import Database
from maskpool.domain import ImageRef, new_id
from maskpool.errors import ImageError
from maskpool.settings import Settings
from maskpool.spec import BatchSpec
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter
from producer.upload import upload
from storage.images.fetch import Fetcher
from storage.objects import keys, open_store

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone"}]})


def test_an_unreadable_file_fails_alone(sqlite_url: str, s3_store_url: str, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "good.png")
    (images / "folder.png").mkdir()  # there, and yet not to be read
    manifest = images / "list.jsonl"
    names = ("folder.png", "good.png", "missing.png")
    manifest.write_text("".join(json.dumps({"uri": name}) + "\n" for name in names))
    settings = Settings()
    store = open_store(s3_store_url, endpoint_url=settings.s3_endpoint_url)
    database = Database(sqlite_url)

    submission = Submission(open_source(str(manifest)), SPEC, "ann", "key")
    done = Submitter(database, lambda: None, upload_to=store).submit(submission)

    with database.read() as session:
        uris = {job.name: job.image_uri for job in jobs.page(session, done.batch_id)}
    database.close()
    fetcher = Fetcher(store, settings)
    assert fetcher.fetch(uris["good.png"], done.batch_id).image.shape == (8, 8, 3)
    for name in ("folder.png", "missing.png"):
        with pytest.raises(ImageError, match="there is no object"):
            fetcher.fetch(uris[name], done.batch_id)


def test_what_an_interrupted_submit_copied_is_copied_again(
    s3_store_url: str, tmp_path: Path
) -> None:
    image, batch_id = tmp_path / "a.bin", new_id()
    store = open_store(s3_store_url, endpoint_url=Settings().s3_endpoint_url)
    refs = [ImageRef("a.bin", image.as_uri())]
    for content in (b"first", b"other"):  # of one size
        image.write_bytes(content)
        [copied] = upload(store, batch_id, refs)
        assert store.get(keys.source_object(batch_id, "a.bin")) == content
        assert copied.uri.startswith("s3://")
