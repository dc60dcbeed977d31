"""A run's workers may read what its source names, and nothing else: lists × kinds of places."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile.paths import ALL_IN_ONE, NAMES
from PIL import Image
from pydantic import SecretStr

from maskpool.errors import SourceError
from maskpool.setting_lists import roots_text
from maskpool.settings import Settings
from maskpool.spec_file import asked as asked_for
from producer.run import Run, _private
from producer.sources import open_source
from producer.sources.granted import Grants, granted_by
from storage.images.fetch import Fetcher
from storage.objects.folder import FolderStore
from storage.uris import file_uri


def as_txt(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def as_csv(lines: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["path"], *([line] for line in lines)])
    return text.getvalue()


def as_jsonl(lines: list[str]) -> str:
    return "".join(f"{json.dumps({'uri': line})}\n" for line in lines)


#: The path becomes the image's name, where a backslash is refused and a line of text ends.
ODD = ALL_IN_ONE.replace("\n", "").replace("\\", "")

FORMS = {"list.txt": as_txt, "list.csv": as_csv, "list.jsonl": as_jsonl}

#: How a line may name a file, given its absolute path and the folder of the list.
WAYS: dict[str, Callable[[Path, Path], str]] = {
    "absolute": lambda path, _: str(path),
    "uri": lambda path, _: file_uri(str(path)),
    "host": lambda path, _: file_uri(str(path)).replace("file://", "file://localhost"),
    "relative": os.path.relpath,
    "dotted": lambda path, base: f"./x/../{os.path.relpath(path, base)}",
}


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, "PNG")
    return path


def listed(folder: Path, form: str, lines: list[str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / form).write_text(FORMS[form](lines), newline="")
    return str(folder / form)


def grants(source: str) -> Grants:
    return granted_by(open_source(source))


def reads(grants: Grants, uris: list[str], tmp_path: Path) -> list[bool]:
    """Whether a worker that was told these grants reads each image."""
    told = Settings(source_roots=roots_text(map(str, grants.roots)))
    fetcher = Fetcher(FolderStore(tmp_path / "store"), told)
    return [bool(fetcher.read(uri)) for uri in uris]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["photos", ODD])
def test_images_in_other_folders_are_read(tmp_path: Path, form: str, way: str, name: str) -> None:
    places = [picture(tmp_path / name / str(number) / "a.png") for number in range(3)]
    lines = [WAYS[way](place, tmp_path / "lists") for place in places]
    source = open_source(listed(tmp_path / "lists", form, lines))
    granted = granted_by(source)
    assert granted == Grants(roots=tuple(place.parent for place in places))
    assert all(reads(granted, [ref.uri for ref in source.refs()], tmp_path))


@pytest.mark.parametrize("name", [name for name in NAMES if "\\" not in name])
def test_a_folder_of_any_name_is_granted_and_read(tmp_path: Path, name: str) -> None:
    place = picture(tmp_path / name / "a.png")
    source = open_source(listed(tmp_path / "lists", "list.jsonl", [str(place)]))
    assert all(reads(granted_by(source), [ref.uri for ref in source.refs()], tmp_path))
    as_folder = open_source(str(place.parent))
    assert all(reads(granted_by(as_folder), [ref.uri for ref in as_folder.refs()], tmp_path))


@pytest.mark.parametrize("form", FORMS)
def test_a_list_opens_just_the_places_of_its_lines(tmp_path: Path, form: str) -> None:
    here = picture(tmp_path / "lists" / "deep" / "a.png")
    there = picture(tmp_path / "there" / "b.png")
    picture(tmp_path / "other" / "c.png")
    lines = ["deep/a.png", str(there), "s3://one/k/a.jpg", "s3://two/b.jpg", "https://x.org/a.jpg"]
    found = grants(listed(tmp_path / "lists", form, lines))
    assert found == Grants((here.parent, there.parent), ("one", "two"), ("x.org",))


def test_what_is_no_list_opens_itself(tmp_path: Path) -> None:
    image = picture(tmp_path / "photos" / "a.png")
    assert grants(str(tmp_path / "photos")) == Grants(roots=(tmp_path / "photos",))
    assert grants(f"{tmp_path}/photos/*.png") == Grants(roots=(tmp_path / "photos",))
    assert grants(str(image)) == Grants(roots=(tmp_path / "photos",))
    assert grants("https://x.org/a.jpg") == Grants(hosts=("x.org",))


def test_links_are_read_where_they_lead(tmp_path: Path) -> None:
    target = picture(tmp_path / "far" / "away" / "a.png")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "file.png").symlink_to(target)
    (lists / "folder").symlink_to(target.parent)
    (lists / "root").symlink_to("/")
    (lists / "nothing.png").symlink_to(tmp_path / "nowhere" / "a.png")
    (lists / "loop.png").symlink_to(lists / "loop.png")
    for line in ("file.png", "folder/a.png", f"root{target}"):
        source = open_source(listed(lists, "list.txt", [line]))
        granted = granted_by(source)
        assert granted.roots == (target.parent,), line
        assert all(reads(granted, [ref.uri for ref in source.refs()], tmp_path))
    assert grants(listed(lists, "list.txt", ["nothing.png"])).roots == (tmp_path,)
    assert "/" not in map(str, grants(listed(lists, "list.txt", ["loop.png"])).roots)


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    """A root that is missing would look like a disk to wait for."""
    (tmp_path / "there").mkdir()
    lines = [f"{tmp_path}/there/no/such/a.png", "/no-such-folder-at-all/a.png", "/no-such.png"]
    found = grants(listed(tmp_path / "lists", "list.txt", lines))
    assert found.roots == (tmp_path / "there",)


@pytest.mark.parametrize("count", [1, 1_000])
def test_a_list_opens_its_own_hosts(tmp_path: Path, count: int) -> None:
    lines = [f"https://h{number:04}.org/a.jpg" for number in range(count)]
    expected = tuple(f"h{number:04}.org" for number in range(count))
    assert grants(listed(tmp_path, "list.txt", lines)).hosts == expected


@pytest.mark.parametrize(("count", "size"), [(1_001, 1), (600, 60)])
def test_a_list_of_the_whole_web_opens_every_public_host(
    tmp_path: Path, count: int, size: int
) -> None:
    """Also where the names would be too long for a process's environment."""
    below = ".".join(["n" * size] * 3)
    lines = [f"https://h{number}.{below}.org/a.jpg" for number in range(count)]
    assert grants(listed(tmp_path, "list.txt", lines)).hosts == ("*",)


def test_more_buckets_than_workers_can_be_told_are_refused(tmp_path: Path) -> None:
    lines = [f"s3://bucket-{number:03}/a.jpg" for number in range(391)]
    with pytest.raises(SourceError, match="names 391 buckets, and a run reads from at most 390"):
        grants(listed(tmp_path, "list.txt", lines))
    assert len(grants(listed(tmp_path, "list.txt", lines[1:])).buckets) == 390


def test_grants_come_beside_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(source_buckets="mine", source_hosts="cdn.org")
    added = Grants(buckets=("one",), hosts=("x.org",)).added_to(settings)
    assert added.source_buckets == ("mine", "one")
    assert added.source_hosts == ("cdn.org", "x.org")


def test_a_run_joins_no_pool_that_the_environment_names(tmp_path: Path) -> None:
    pool = Settings(
        database_url=SecretStr("postgresql://h/x"),
        redis_url=SecretStr("redis://h"),
        store_url="s3://masks",
    )
    asked = Run("list.txt", asked_for(None, ["circle"]), tmp_path / "out")
    private = _private(asked, Grants(hosts=("x.org",)), pool)
    assert private.source_hosts == ("x.org",)
    assert not private.database_url.get_secret_value()
    assert not private.redis_url.get_secret_value()
    assert not private.store_url
