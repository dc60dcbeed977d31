"""What no worker of a pool may read is refused at once, at its line: lists × kinds of places."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile.paths import NAMES

from maskpool.errors import SourceError
from maskpool.settings import Settings
from maskpool.spec_file import asked as asked_for
from maskpool.text import readable
from producer import submission
from producer.sources import open_source
from producer.sources.allowed import Allowed
from producer.submission import Submission

#: A list of lines, and the number of its third line.
FORMS: dict[str, tuple[Callable[[list[str]], str], int]] = {
    "list.txt": ("\n".join, 3),
    "list.csv": (lambda lines: "\n".join(["path", *(f'"{line}"' for line in lines)]), 4),
    "list.jsonl": (lambda lines: "\n".join(json.dumps(line) for line in lines), 3),
}

#: What may be read, and what may not: a line of each kind of place, and what to write.
PLACES = [
    ("{root}/a.png", "{out}/b.png", r"maskpool up --root .*/out, or add it to MASKPOOL_SOURCE_R"),
    ("a.png", "../out/b.png", r"maskpool up --root .*/out, "),
    ("deep/a.png", "link/b.png", r"maskpool up --root .*/link, "),
    ("file://{root}/a%20b.png", "file://{out}/b%20b.png", r"maskpool up --root .*/out, "),
    ("s3://open/a.png", "s3://closed/b.png", r"MASKPOOL_SOURCE_BUCKETS only; add 'closed' to it"),
    ("s3://pool/masks/a.png", "s3://pool/other/b.png", r"add 'pool' to it"),
    ("https://x.org/a.png", "https://y.org/b.png", r"MASKPOOL_SOURCE_HOSTS only; add 'y.org'"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "out")
    return tmp_path / "root"


def pool(root: Path, **settings: object) -> Settings:
    told: dict[str, object] = {
        "source_roots": (root,),
        "source_buckets": "open",
        "source_hosts": "x.org",
        "store_url": "s3://pool/masks",
    }
    return Settings(**{**told, **settings})


def prepare(settings: Settings, source: Path, *, same_paths: bool = True) -> Submission:
    prompts = asked_for(None, ["circle"])
    return submission.prepare(settings, str(source), prompts, same_paths=same_paths)


def names(asked: Submission) -> int:
    return sum(1 for _ in asked.source.refs())


def listed(root: Path, form: str, lines: list[str]) -> Path:
    places = {"root": root, "out": root.parent / "out"}
    (root / form).write_text(FORMS[form][0]([line.format(**places) for line in lines]))
    return root / form


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("good", "bad", "advice"), PLACES)
def test_a_line_that_no_worker_may_read_is_named(
    root: Path, form: str, good: str, bad: str, advice: str
) -> None:
    assert names(prepare(pool(root), listed(root, form, [good]))) == 1
    source = listed(root, form, [good, "z.png", bad, good])
    with pytest.raises(SourceError, match=advice) as caught:
        names(prepare(pool(root), source))
    assert caught.value.line == FORMS[form][1]
    assert str(source) in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("store", ["s3://pool/masks", "file://{root}/objects"])
def test_a_list_may_lie_anywhere_if_its_lines_do_not(root: Path, form: str, store: str) -> None:
    elsewhere = root.parent / "lists"
    elsewhere.mkdir()
    source = listed(root, form, ["{root}/a.png", "https://x.org/a.png", "s3://open/a.png"])
    settings = pool(root, store_url=store.format(root=root))
    assert names(prepare(settings, source.rename(elsewhere / form))) == 3
    with pytest.raises(SourceError, match="maskpool up --root"):
        names(prepare(settings, listed(root, form, ["a.png"]).rename(elsewhere / form)))


def test_files_in_the_store_are_read(root: Path) -> None:
    store = root.parent / "objects #1"
    settings = pool(root, store_url=store.as_uri())
    assert names(prepare(settings, listed(root, "list.txt", [f"{store}/a.png"]))) == 1


@pytest.mark.parametrize("bad", ["s3://closed/b.png", "https://y.org/b.png"])
def test_nothing_is_uploaded_of_a_list_that_is_refused(root: Path, bad: str) -> None:
    outside = "{out}/b.png"  # is copied into the store, so no worker need see it
    submission = prepare(pool(root), listed(root, "list.txt", [outside]), same_paths=False)
    assert submission.upload
    with pytest.raises(SourceError, match="line 2: "):
        prepare(pool(root), listed(root, "list.txt", [outside, bad]), same_paths=False)


def test_without_roots_nothing_is_known_of_the_workers(root: Path) -> None:
    unknown = pool(root, source_roots=())
    assert names(prepare(unknown, listed(root, "list.txt", ["{out}/b.png"]))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_advice_can_be_pasted_into_a_shell(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    allowed = Allowed(roots=(tmp_path / "other",))
    with pytest.raises(SourceError) as caught:
        allowed.require_root(open_source(str(folder)))
    _, _, advice = str(caught.value).partition("start the stack with ")
    # No error moves the cursor: a carriage return is told, and cannot be pasted.
    assert shlex.split(advice.partition(", or add it to ")[0])[-1] == readable(str(folder))
    assert ("as JSON" in advice) is (os.pathsep in name)


def test_a_sentence_names_a_few_of_many_roots(tmp_path: Path) -> None:
    allowed = Allowed(roots=tuple(Path(f"/roots/{number}") for number in range(50)))
    with pytest.raises(SourceError, match=r"under /roots/0, .*, /roots/4 and 45 more only"):
        allowed.require_root(open_source(str(tmp_path)))


def test_the_file_system_is_asked_once_a_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = list[str](), os.path.realpath

    def noting(path: str, **options: bool) -> str:
        asked.append(str(path))
        return real(path, **options)

    lines = [f"{number % 3}/{number}.png" for number in range(300)]
    source = prepare(pool(root), listed(root, "list.txt", lines)).source
    monkeypatch.setattr(os.path, "realpath", noting)
    assert sum(1 for _ in source.refs()) == 300
    assert sorted(path for path in asked if path.startswith(f"{root}/")) == [
        f"{root}/{number}" for number in range(3)
    ]
