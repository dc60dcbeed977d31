"""The folder that a run writes into: an earlier result stays until the new one is whole.

    OUT/coco.json, index.html, …   results of the run that finished last
    OUT/.maskpool-run              home of the run's private stack; its results while they are made
    OUT/.maskpool-run-before       home of the finished run, while another one is in hand

A home with ``written.json`` is a finished run's, any other one an unfinished run's. What we did not
write is never touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from maskpool.errors import ConfigError, Conflict, Option
from maskpool.files import write_whole
from maskpool.spec import question_of
from producer import marks
from producer.formats.targets import remove_tree
from producer.local.endpoints import is_held
from producer.run import publish as publishing

#: In a home: what the run was asked.
_QUESTION = "question.json"

#: With less free disk space, in bytes, nothing can be finished.
_MIN_FREE = 256 * 1024


class Question(BaseModel):
    """What a run is asked; only a run that is asked the same goes on with an unfinished one.

    Attributes:
        source: As its user wrote it.
        place: The same as an absolute path, where it is a path.
        spec: ``maskpool.spec.question_of`` it.
        began: When it was asked first, seconds since the epoch.
    """

    source: str
    place: str
    spec: dict[str, Any]
    began: float

    def differs_in(self, other: Question) -> str:
        """What the other one asks instead, for a sentence; empty where both are equal."""
        ours, theirs = question_of(self.spec), question_of(other.spec)
        differences = {
            f"source {other.source!r}": (self.source, self.place) != (other.source, other.place),
            "other prompts": ours.get("prompts") != theirs.get("prompts"),
            f"model {theirs.get('model')!r}": ours.get("model") != theirs.get("model"),
        }
        found = [words for words, differ in differences.items() if differ]
        return " and ".join(found) or ("something else" if ours != theirs else "")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that is ours as long as the run lasts; made by ``taken``.

    Attributes:
        out: The folder.
        question: What is asked; of a run that goes on, what was asked first.
        resumed: Whether an earlier run goes on.
    """

    out: Path
    question: Question
    resumed: bool

    @property
    def home(self) -> Path:
        """The home of the private stack."""
        return self.out / marks.RUN

    @property
    def results(self) -> Path:
        """Where the results are made; ``publish`` puts them into ``out``."""
        return publishing.folder(self.home)

    def begin_results(self) -> Path:
        """An empty folder for the results."""
        remove_tree(self.results)
        self.results.mkdir()
        return self.results

    def publish(self) -> None:
        """Put the results into ``out``, in place of those that the last run wrote.

        Raises:
            Conflict: A file that we did not write is in the way; the results stay where they are.
        """
        publishing.publish(self.out, self.home, self.out / marks.RUN_BEFORE)


@contextmanager
def taken(
    out: Path, question: Question, *, resume: bool, say: Callable[[str], None]
) -> Iterator[RunFolder]:
    """Make ``out`` ours, for one run at a time, and complete what a run that died left half-moved.

    Args:
        out: The folder; made where it is missing.
        question: What is asked.
        resume: Go on with the run that was interrupted, or has finished, here.
        say: Takes sentences for the user.

    Raises:
        Conflict: It holds other files, another run works on it, or the run that is to be resumed
            was asked something else.
        ConfigError: It cannot be a folder.
    """
    _require_folder(out)
    home, before = out / marks.RUN, out / marks.RUN_BEFORE
    if out.exists() and not home.is_dir() and not before.is_dir() and any(out.iterdir()):
        raise Conflict(f"{out} holds other files; give a new or empty folder", option=Option.OUT)
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        if is_held(home):
            raise _in_use(out)
        publishing.complete(out, home, before)
        publishing.require_ours(out, before if before.is_dir() else home)
        first = _to_resume(out, question) if resume else None
        if first is None:
            if resume:
                say(f"there is no run in {out} to resume; a new one begins")
            _begin(home, before, question)
        yield RunFolder(out, first or question, resumed=first is not None)


def new_question(source: str, spec: dict[str, Any]) -> Question:
    """A question of now; bytes of a path that are no text are escaped."""
    place = source if "://" in source else str(Path(source).absolute())
    return Question(source=_text(source), place=_text(place), spec=spec, began=time.time())


def require_room(folder: Path) -> None:
    """Refuse a full disk, which fails every commit again and again, in one sentence.

    Raises:
        ConfigError: There is next to no free space.
    """
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE:
        raise ConfigError(
            f"no space is left under {folder} ({free:,} bytes); make room, then resume the run",
            option=Option.RESUME,
        )


def _text(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _require_folder(out: Path) -> None:
    """Refuse a path that leads through a file, as ``coco.json/`` does."""
    there = next((path for path in (out, *out.parents) if os.path.lexists(path)), out)
    if os.path.lexists(there) and not there.is_dir():
        sentence = f"{there} is not a directory; give a new or empty folder"
        raise ConfigError(sentence, option=Option.OUT)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep other runs away; the lock ends with this process, whatever ends that."""
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(out) from None
        except OSError:
            pass  # some network file systems lock no folders; the home has a lock of its own
        yield
    finally:
        os.close(handle)


def _in_use(out: Path) -> Conflict:
    return Conflict(f"another run works on {out}; wait for it, or give another folder")


def _to_resume(out: Path, question: Question) -> Question | None:
    """What the run here was asked, if there is one; a run that asks something else is refused."""
    home = out / marks.RUN
    if not home.is_dir():
        return None
    try:
        first = Question.model_validate_json((home / _QUESTION).read_bytes())
    except (OSError, ValidationError):
        raise Conflict(
            f"what was asked of the run in {out} is not recorded; begin it anew",
            option=Option.ANEW,
        ) from None
    if instead := first.differs_in(question):
        raise Conflict(
            f"the run in {out} was asked something else, this one asks {instead}; write it as it "
            "was, or begin it anew",
            option=Option.ANEW,
        )
    return first


def _begin(home: Path, before: Path, question: Question) -> None:
    """An empty home; a finished run's stays beside it, an unfinished run's goes."""
    if publishing.is_finished(home):
        remove_tree(before)
        home.rename(before)
    remove_tree(home)
    home.mkdir(mode=0o700)
    write_whole(home / _QUESTION, question.model_dump_json().encode(), durable=True)
