"""One line that says why nothing will happen: no dispatcher, or no worker for a model."""

from __future__ import annotations

from producer.cli.connect import Pool
from producer.cli.render import errors


def warn_if_idle(here: Pool, model: str | None = None) -> None:
    """Say on standard error what the pool lacks, if anything.

    Args:
        here: The pool.
        model: What must be served; None where only the dispatcher matters.
    """
    from db import services, workers

    with here.database.read() as session:
        seen = services.seen(session, services.DISPATCHER)
        served = workers.fleets(session)
    if not any(one.alive for one in seen):
        when = f"was seen for {_ago(seen[0].seconds_ago)}" if seen else "was seen yet"
        errors.print(
            f"no dispatcher {when}: nothing will happen until one runs (maskpool dispatch)",
            style="yellow",
        )
    if model is not None and model not in served:
        others = f"; those alive serve {', '.join(sorted(served))}" if served else ""
        errors.print(
            f"no living worker serves {model}{others}: nothing will happen until one does",
            style="yellow",
        )


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
