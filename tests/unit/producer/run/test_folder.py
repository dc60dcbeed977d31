"""The folder of a run: what it holds before, what it holds after, and what it must never lose."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from maskpool import failpoints
from maskpool.errors import ConfigError, Conflict
from maskpool.prompts import read_prompts
from maskpool.spec import BatchSpec
from producer.run.folder import Question, RunFolder, new_question, taken

PLACES = [place for place in failpoints.PLACES if place.startswith("run.")]


def question(prompt: str = "cone", source: str = "photos") -> Question:
    return new_question(source, BatchSpec.of("demo", read_prompts([prompt])).dump())


def run(
    out: Path,
    results: dict[str, str],
    *,
    resume: bool = False,
    asked: Question | None = None,
    said: list[str] | None = None,
) -> None:
    """A run that writes these results."""
    say = (said if said is not None else []).append
    with taken(out, asked or question(), resume=resume, say=say) as folder:
        make(folder, results)
        folder.publish()


def make(folder: RunFolder, results: dict[str, str]) -> None:
    place = folder.begin_results()
    for name, content in results.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)


def content(out: Path) -> dict[str, str]:
    """Everything in the folder but what is ours alone."""
    return {
        str(path.relative_to(out)): path.read_text()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.relative_to(out).parts[0].startswith(".maskpool-run")
    }


OLD = {"coco.json": "old", "index.html": "old", "summary.json": "old", "overlays/a/1.jpg": "old"}
NEW = {"coco.json": "new", "index.html": "new", "summary.json": "new", "overlays/b/2.jpg": "new"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    run(out, OLD)
    return out


def test_the_next_run_replaces_what_the_last_one_wrote_and_nothing_else(out: Path) -> None:
    (out / "notes.txt").write_text("mine")
    (out / "overlays" / "mine.txt").write_text("mine")
    run(out, NEW)
    assert content(out) == NEW | {"notes.txt": "mine", "overlays/mine.txt": "mine"}
    assert not (out / "overlays" / "a").exists(), "a folder that we emptied goes"
    assert [path.name for path in out.glob(".maskpool-run*")] == [".maskpool-run"]


def test_until_the_new_result_is_whole_the_old_one_stays(out: Path) -> None:
    with taken(out, question("bus"), resume=False, say=print) as folder:
        assert content(out) == OLD
        make(folder, NEW)
    assert content(out) == OLD
    with taken(out, question("bus"), resume=True, say=print) as folder:
        assert folder.resumed
        assert content(out) == OLD
    run(out, NEW, asked=question("tree"))
    assert content(out) == NEW


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("visit", [1, 3])
@pytest.mark.parametrize("resume", [True, False])
def test_a_process_that_dies_while_it_moves_them_loses_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch, place: str, visit: int, resume: bool
) -> None:
    (out / "notes.txt").write_text("mine")
    visits = [0]

    def reach(reached: str) -> None:
        visits[0] += reached == place
        if visits[0] == visit and reached == place:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", reach)
        if visit == 1 or place == "run.moving":
            with pytest.raises(KeyboardInterrupt):
                run(out, NEW)
        else:
            run(out, NEW)
    moved = place != "run.made" or visit > 1
    with taken(out, question(), resume=resume, say=print) as folder:
        expected = NEW if moved else OLD
        assert content(out) == expected | {"notes.txt": "mine"}, "completed at the next start"
        assert folder.resumed == resume
    run(out, OLD)
    assert content(out) == OLD | {"notes.txt": "mine"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("coco.json", "edited"),
        ("coco.json", "link"),
        ("index.html", "link"),
        ("summary.json", "folder"),
        ("overlays", "file"),
        ("coco.json", "protected"),
    ],
)
def test_what_the_user_put_in_the_way_is_refused_before_any_work(
    out: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path, elsewhere = out / name, tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    if name == "overlays":
        (out / "overlays" / "a" / "1.jpg").unlink()
        (out / "overlays" / "a").rmdir()
        path.rmdir()
    elif kind != "edited":
        path.unlink()
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir()
    elif kind == "protected":
        path.write_text("old")
        path.chmod(0o444)
    else:
        path.write_text("precious")
    with pytest.raises(Conflict, match=f"{name} (is in the way|was edited|is write-protected)"):
        run(out, NEW)
    assert not (out / ".maskpool-run-before").exists(), "nothing had begun"
    assert elsewhere.read_text() == "precious"


@pytest.mark.parametrize("name", ["overlays/b/2.jpg", "coco.json"])
def test_what_came_in_the_way_meanwhile_stays_and_so_do_the_results(out: Path, name: str) -> None:
    with taken(out, question(), resume=False, say=print) as folder:
        make(folder, NEW)
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
        with pytest.raises(Conflict, match=name):
            folder.publish()
        assert content(out) == OLD | {name: "mine"}
        (out / name).unlink()
    run(out, NEW, resume=True)
    assert content(out) == NEW


def test_a_folder_of_results_on_another_disk(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def other_disk(self: Path, target: Path) -> Path:
        if "overlays" in target.parts and not self.name.endswith(".part"):
            raise OSError(18, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", other_disk)
    run(out, NEW)
    assert content(out) == NEW


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (question("bus"), "other prompts"),
        (question(source="pictures"), "source 'pictures'"),
        (question("bus", "pictures"), "source 'pictures' and other prompts"),
        (question().model_copy(update={"spec": {**question().spec, "model": "x"}}), "model 'x'"),
        (question().model_copy(update={"spec": {**question().spec, "more": 1}}), "something else"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_only_the_same_question_is_resumed(
    tmp_path: Path, asked: Question, said: str, finished: bool
) -> None:
    out = tmp_path / "out"
    with taken(out, question(), resume=False, say=print) as folder:
        make(folder, OLD)
        if finished:
            folder.publish()
    with pytest.raises(Conflict, match=said):
        run(out, NEW, resume=True, asked=asked)
    assert content(out) == (OLD if finished else {})
    said_now: list[str] = []
    run(out, NEW, resume=True, said=said_now)
    assert (content(out), said_now) == (NEW, [])


def test_a_run_that_cannot_be_resumed_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    run(tmp_path / "new", NEW, resume=True, said=said)
    assert "there is no run in" in said[0]
    (tmp_path / "new" / ".maskpool-run" / "question.json").unlink()
    with pytest.raises(Conflict, match="is not recorded"):
        run(tmp_path / "new", OLD, resume=True)
    assert content(tmp_path / "new") == NEW


def test_results_of_earlier_versions_are_replaced(out: Path) -> None:
    (out / ".maskpool-run" / "written.json").write_text(json.dumps(sorted(OLD)))
    run(out, NEW)
    assert content(out) == NEW


@pytest.mark.parametrize("path", ["file", "file/g", "file/g/h", "gone"])
def test_what_is_no_folder_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"(file|gone) is not a directory"):
        run(tmp_path / path, NEW)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Conflict, match="holds other files"):
        run(tmp_path, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def _try(out: Path, answers: multiprocessing.Queue[str]) -> None:
    try:
        run(out, NEW)
        answers.put("ran")
    except Conflict as error:
        answers.put(str(error))


def test_two_at_once_do_not_meet(out: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    with taken(out, question(), resume=False, say=print):
        other = context.Process(target=_try, args=(out, answers))
        other.start()
        assert "another run works on" in answers.get(timeout=60)
        other.join()
    run(out, NEW)
    assert content(out) == NEW


def test_bytes_that_are_no_text_are_escaped() -> None:
    asked = new_question("ph\udcffoto", {})
    assert asked.source == "ph\\xffoto"
    assert asked.model_dump_json()
    assert not asked.differs_in(new_question("ph\udcffoto", {}))


def test_another_threshold_is_no_other_question(out: Path) -> None:
    with taken(out, question("bus"), resume=False, say=print) as folder:
        make(folder, NEW)
    asked = question("bus")
    changed = asked.model_copy(update={"spec": {**asked.spec, "settings": {"threshold": 0.9}}})
    with taken(out, changed, resume=True, say=print) as folder:
        assert folder.resumed
