"""``python -P -m workers``: one worker process, a Celery worker on threads."""

from __future__ import annotations

import os

from maskpool import wire
from maskpool.domain import Klass
from maskpool.settings import load_settings
from shell import shutdown_words
from shell.refusal import refusal_of
from storage.images.fetch import Fetcher
from workers import process

with refusal_of("maskpool worker"):  # the app reads the settings when it is imported
    import workers.tasks  # noqa: F401 - before Celery puts the present folder ahead of ours
    from workers.app import app


def main(
    *, load: process.LoadModels = process.load, fetcher: process.MakeFetcher = Fetcher
) -> None:
    """Serve the model that the settings name, until SIGTERM.

    Args:
        load: Loads the models and starts their engine; by default those that the settings name.
        fetcher: Makes what reads images, given the store and the settings.
    """
    process.choose(load=load, fetcher=fetcher)
    settings = load_settings()
    if settings.log_format == "json":
        shutdown_words.as_json()
    queues = ",".join(wire.queue_name(settings.model, klass) for klass in Klass)
    app.worker_main(
        [
            *(["--quiet"] if settings.log_format == "json" else []),  # no banner among the lines
            "worker",
            *("--pool", "threads", "--concurrency", str(settings.worker_threads)),
            *("--queues", queues, "--without-gossip", "--without-mingle", "--events"),
            *("--hostname", f"{settings.model}-{os.getpid()}@%h"),
            *("--loglevel", settings.log_level),
        ]
    )


if __name__ == "__main__":
    main()
