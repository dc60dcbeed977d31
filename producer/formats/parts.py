"""A dataset that is not whole yet: parts beside it, and a journal of how much of them counts.

An export that was interrupted, by whatever, goes on where its journal says. The journal holds the
question and a fingerprint of the images that were written, so only the same command over the same
images goes on, and what it writes is, byte for byte, what it would have been without interruption.

The target may be a file or a folder. Either way a format appends to a few parts, which can be cut
back to where the journal says, and makes the target of them at the end: a file is joined from them,
a folder is filled from them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, NonNegativeInt, ValidationError

from maskpool import failpoints
from maskpool.files import hidden_beside, sync_folder, write_whole
from maskpool.text import counted
from producer.formats import targets
from producer.formats.lock import LOCK, locked
from producer.results.empty import NO_EMPTY_MASKS, EmptyMasks
from producer.results.finer import NO_FINER_MASKS, FinerMasks
from producer.results.records import ImageStream, OpenImages

#: Images between two entries of the journal: seconds of work, and one wait for the disk.
STEP = 10_000

#: Bytes of a part that are written at once.
_BUFFER = 1 << 20

#: Names in the folder of the parts; no part may have one of them.
_JOURNAL, _WHOLE, _ASIDE = "journal.json", "whole", "aside"


class Mark(BaseModel):
    """How far a writer is.

    Attributes:
        images: Written so far.
        annotations: Written so far.
        fingerprint: Of those images; see ``ImageStream``.
        empty: Masks of them that were left out.
        finer: What became of their masks where they were made finer.
    """

    images: NonNegativeInt = 0
    annotations: NonNegativeInt = 0
    fingerprint: str = ""
    empty: EmptyMasks = NO_EMPTY_MASKS
    finer: FinerMasks = NO_FINER_MASKS


class _Journal(BaseModel):
    """What is written beside the parts.

    Attributes:
        version: Of this layout.
        question: What was asked of the writer.
        mark: How far it is.
        sizes: Bytes of each part that count.
    """

    version: Literal[1] = 1
    question: dict[str, Any]
    mark: Mark
    sizes: dict[str, NonNegativeInt]


@contextmanager
def unfinished(
    target: Path,
    names: Sequence[str],
    question: Mapping[str, object],
    images: OpenImages,
    *,
    fresh: bool,
    say: Callable[[str], None],
) -> Iterator[Parts]:
    """The parts of a file or folder, for one process at a time; they go when it is whole.

    Args:
        target: The file or folder.
        names: Of its parts.
        question: JSON; parts that were begun under another one are of no use.
        images: Of the dataset.
        fresh: Start over, whatever is there.
        say: Takes sentences for the user.

    Raises:
        Conflict: Another process writes the same target.
    """
    folder = hidden_beside(target, ".partial")
    with locked(folder, target):
        targets.bring_back(folder / _ASIDE, target)
        parts = Parts(folder, names, question)
        try:
            parts.open(images, fresh=fresh, say=say)
            yield parts
        except BaseException:
            parts.close()
            if parts.are_kept:
                say(
                    f"what was written stays in {folder}: the same command resumes after "
                    f"{counted(parts.mark.images, 'image')}"
                )
            else:
                _remove(folder)
            raise
        _remove(folder)


class Parts:
    """Part files that only grow, and their journal; made by ``unfinished``.

    Attributes:
        files: The parts, by name, at their ends.
        images: Those that are to be written yet.
        mark: What the journal says.
    """

    files: dict[str, BinaryIO]
    images: ImageStream

    def __init__(self, folder: Path, names: Sequence[str], question: Mapping[str, object]) -> None:
        self._folder = folder
        # As it is when it was read back: a tuple is a list then.
        self._question = orjson.loads(orjson.dumps(dict(question)))
        self._paths = {name: folder / name for name in names}
        self._closing = ExitStack()
        self.mark = Mark()

    @property
    def are_kept(self) -> bool:
        """Whether another process could go on with them."""
        return (self._folder / _JOURNAL).exists()

    def open(self, images: OpenImages, *, fresh: bool, say: Callable[[str], None]) -> None:
        """Go on with what is there, if it is the beginning of what is asked; else start over."""
        journal = None if fresh else self._read_journal()
        if journal is not None:
            self.mark = journal.mark
            self.images = images(self.mark.images)
            if self.images.fingerprint == self.mark.fingerprint:
                self._open_files(journal.sizes)
                say(f"resuming after {counted(self.mark.images, 'image')}")
                return
        if self.are_kept and not fresh:
            say(
                "starting over: what an interrupted export left here is of another command, or its "
                "images have changed since"
            )
        self._start_over(images)

    def are_due(self, images: int) -> bool:
        """Whether so many images are a good moment to ``keep`` them."""
        return images % STEP == 0

    def keep(self, mark: Mark) -> None:
        """Have the disk keep what was written, and only then let the journal say that it counts."""
        for file in self.files.values():
            file.flush()
            os.fsync(file.fileno())
        failpoints.reach("export.written")
        sizes = {name: file.tell() for name, file in self.files.items()}
        journal = _Journal(question=self._question, mark=mark, sizes=sizes)
        # The journal must outlive a power cut, as the parts that it counts do.
        write_whole(self._folder / _JOURNAL, journal.model_dump_json().encode(), durable=True)
        self.mark = mark
        failpoints.reach("export.kept")

    def finish(
        self, mark: Mark, target: Path, join: Callable[[BinaryIO, Mapping[str, Path]], object]
    ) -> None:
        """Make a file of the parts; it appears whole or not at all.

        Args:
            mark: How far the writer came.
            target: The file; one that exists is replaced.
            join: Writes the whole file, given the paths of the parts by name.
        """

        def make(whole: Path) -> None:
            _write(whole, lambda out: join(out, self._paths))

        def put(whole: Path) -> None:
            if target.exists():  # a file that only its owner may read stays so
                shutil.copymode(target, whole)
            whole.replace(target)
            sync_folder(target.parent)

        self._finish(mark, make, put)

    def finish_folder(
        self, mark: Mark, target: Path, fill: Callable[[Path, Mapping[str, Path]], object]
    ) -> None:
        """Make a folder of the parts; it appears whole or not at all.

        Args:
            mark: How far the writer came.
            target: The folder; one that an earlier export wrote is replaced.
            fill: Makes the files in an empty folder, given the paths of the parts by name.

        Raises:
            Conflict: ``target`` holds what no export of ours wrote.
        """

        def make(whole: Path) -> None:
            targets.remove_tree(whole)  # of a process that died while it filled it
            whole.mkdir()
            fill(whole, self._paths)

        def put(whole: Path) -> None:
            targets.put_in_place(whole, target, self._folder / _ASIDE)

        self._finish(mark, make, put)

    def _finish(
        self, mark: Mark, make: Callable[[Path], None], put: Callable[[Path], None]
    ) -> None:
        """Make the whole aside, where the journal is safe, and then put it in its place."""
        self.keep(mark)
        self.close()
        whole = self._folder / _WHOLE
        make(whole)
        failpoints.reach("export.joined")
        put(whole)
        failpoints.reach("export.replaced")

    def close(self) -> None:
        """Close the parts. What the disk has no room for is lost; the journal does not count it."""
        with suppress(OSError):
            self._closing.close()

    def _read_journal(self) -> _Journal | None:
        """The journal, if it answers the same question and its parts are all there."""
        try:
            journal = _Journal.model_validate_json((self._folder / _JOURNAL).read_bytes())
            there = {name: path.stat().st_size for name, path in self._paths.items()}
        except (FileNotFoundError, ValidationError):
            return None
        sizes = journal.sizes
        complete = sizes.keys() == there.keys() and all(
            sizes[name] <= there[name] for name in there
        )
        return journal if complete and journal.question == self._question else None

    def _start_over(self, images: OpenImages) -> None:
        # An old journal must never be seen beside new parts.
        (self._folder / _JOURNAL).unlink(missing_ok=True)
        sync_folder(self._folder)
        self.mark = Mark()
        self.images = images(0)
        for path in self._paths.values():
            path.touch()
        self._open_files(dict.fromkeys(self._paths, 0))

    def _open_files(self, sizes: Mapping[str, int]) -> None:
        self.files = {}
        for name, path in self._paths.items():
            file = self._closing.enter_context(path.open("r+b", buffering=_BUFFER))
            file.truncate(sizes[name])
            file.seek(sizes[name])
            self.files[name] = file


def _remove(folder: Path) -> None:
    """The lock goes last; whoever opened it meanwhile keeps the folder."""
    for name in (_JOURNAL, *(path.name for path in folder.iterdir() if path.name != LOCK), LOCK):
        targets.remove_tree(folder / name)
    with suppress(OSError):
        folder.rmdir()


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    with path.open("wb") as out:
        fill(out)
        out.flush()
        os.fsync(out.fileno())
