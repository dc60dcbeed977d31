"""Names by which folders that maskpool wrote are known from a user's own.

None is the name of ``maskpool up``'s home: a pool must never be taken for what a run left.
"""

from __future__ import annotations

#: In a run's folder: the home of its private stack, and that of the run before it.
RUN, RUN_BEFORE = ".maskpool-run", ".maskpool-run-before"

RUNS = (RUN, RUN_BEFORE)

#: In a folder that an export wrote.
EXPORT = ".maskpool-export"

#: A folder that holds one of these holds drawings or datasets of ours, and no images of a user's.
ALL = (*RUNS, EXPORT)
