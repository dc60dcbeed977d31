"""The command line, loading twenty jobs a transaction: a small batch has several blocks."""

from __future__ import annotations

from db import jobs
from producer.cli import main

if __name__ == "__main__":
    jobs.BLOCK_POSTGRES = jobs.BLOCK_SQLITE = 20
    main()
