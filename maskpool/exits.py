"""The exit codes of every process; documented in the README and in ``maskpool --help``.

They stand here and not in the command line, because workers end with them as well, and the local
stack reads them to tell a process that refuses its settings from one that died.
"""

from __future__ import annotations

from maskpool.errors import MaskpoolError, Permanent

OK = 0
#: An error that nobody foresaw; its traceback is printed.
BUG = 1
#: Input or a setting is refused: the same again changes nothing.
BAD_INPUT = 2
#: Some jobs failed, or ``doctor --deep`` found something wrong.
SOME_FAILED = 3
#: A service does not answer, or is not well.
UNREACHABLE = 4
#: Ctrl-C.
INTERRUPTED = 130
#: The reader of our output went away before the end, as ``head`` does: 128 + SIGPIPE.
OUTPUT_CLOSED = 141


def exit_code(error: MaskpoolError) -> int:
    """The exit code of a process that an error of ours ended."""
    return BAD_INPUT if isinstance(error, Permanent) else UNREACHABLE
