"""The command line, journalling an export every twenty images: a small batch has several steps."""

from __future__ import annotations

from producer.cli import main
from producer.formats import parts

if __name__ == "__main__":
    parts.STEP = 20
    main()
