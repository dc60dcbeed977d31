"""``python -P -m workers.monitor``: Flower, with our way of logging."""

from __future__ import annotations

from maskpool import logs
from maskpool.settings import load_settings
from shell.refusal import refusal_of

with refusal_of("flower"):  # the app reads the settings when it is imported
    from workers.app import app


def main() -> None:
    """Serve Flower's page until SIGTERM; the variables ``FLOWER_…`` are its options."""
    settings = load_settings()
    # Before Flower starts: it leaves a root logger alone that has a handler.
    logs.configure(settings.log_format, settings.log_level)
    app.start(["flower"])


if __name__ == "__main__":
    main()
