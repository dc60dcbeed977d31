"""``python -P -m clerk``: one clerk, a Celery worker on threads."""

from __future__ import annotations

import os

from clerk.process import THREADS
from maskpool import tasks
from maskpool.settings import load_settings
from shell import shutdown_words
from shell.refusal import refusal_of

with refusal_of("maskpool clerk"):  # the app reads the settings when it is imported
    import clerk.tasks  # noqa: F401 - before Celery puts the present folder ahead of ours
    from clerk.app import app


def main() -> None:
    """Do tasks until SIGTERM."""
    settings = load_settings()
    if settings.log_format == "json":
        shutdown_words.as_json()
    app.worker_main(
        [
            *(["--quiet"] if settings.log_format == "json" else []),  # no banner among the lines
            "worker",
            *("--pool", "threads", "--concurrency", str(THREADS)),
            *("--queues", tasks.QUEUE, "--without-gossip", "--without-mingle", "--events"),
            *("--hostname", f"clerk-{os.getpid()}@%h"),
            *("--loglevel", settings.log_level),
        ]
    )


if __name__ == "__main__":
    main()
