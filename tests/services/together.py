"""Which tests one process runs, one after the other, where pytest runs several (``pytest -n``)."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

#: Folders whose files share one pool, which takes longer to start than their tests take.
TOGETHER = (PurePosixPath("tests/browser/whole_pool"),)


class Together(LoadFileScheduling):
    """As ``--dist=loadfile`` keeps a file's tests together, so are the files of some folders."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(super()._split_scope(nodeid))
        return str(next((one for one in TOGETHER if one in file.parents), file))
