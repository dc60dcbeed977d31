"""The web server, as ``maskpool serve`` becomes it, on a leash and more impatient.

A request whose process died is lost after 2 s instead of 60, and an upload of more than two files
is the clerk's.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent

from db import idempotency
from producer import create
from web.__main__ import main


def serve() -> None:
    """Serve, until told to stop."""
    end_with_parent()
    idempotency._LOST_MS = 2_000
    create.MAX_AT_ONCE = 2
    sys.exit(main([]))


if __name__ == "__main__":
    serve()
