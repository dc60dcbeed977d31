"""``maskpool …``: thin doors to the use cases. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Any, NoReturn

import typer

from maskpool.errors import MaskpoolError, Permanent
from producer.cli import batches, gc, inspect, run, serve
from producer.cli.doctor import doctor

#: Exit codes; documented in the README and in ``maskpool --help``.
OK, BUG, BAD_INPUT, SOME_FAILED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130

app = typer.Typer(
    name="maskpool",
    help="Images and prompts in, instance masks out, on a pool that loses nothing.",
    epilog="Exit codes: 0 ok · 1 bug · 2 bad input · 3 some jobs failed, or doctor --deep found "
    "something wrong · 4 a service is unreachable · 130 Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Typer carries its own copy of Click and names only the leaves of its errors.
_UsageError: Any = typer.BadParameter.__bases__[0]

_ANNOTATE, _WATCH, _CONTROL, _SERVE = "Annotate", "Look", "Control", "Run a pool"

app.command(rich_help_panel=_ANNOTATE)(run.demo)
app.command(rich_help_panel=_ANNOTATE)(run.run)
app.command(rich_help_panel=_ANNOTATE)(batches.submit)
app.command("ls", rich_help_panel=_WATCH)(inspect.list_batches)
app.command(rich_help_panel=_WATCH)(inspect.status)
app.command(rich_help_panel=_WATCH)(inspect.results)
app.command(rich_help_panel=_WATCH)(inspect.export)
app.command("eval", rich_help_panel=_WATCH)(inspect.evaluate)
app.command(rich_help_panel=_CONTROL)(batches.pause)
app.command(rich_help_panel=_CONTROL)(batches.resume)
app.command(rich_help_panel=_CONTROL)(batches.cancel)
app.command(rich_help_panel=_CONTROL)(batches.retry)
app.command("rm", rich_help_panel=_CONTROL)(batches.remove)
app.command(rich_help_panel=_SERVE)(serve.up)
app.command(rich_help_panel=_SERVE)(serve.worker)
app.command(rich_help_panel=_SERVE)(serve.dispatch)
app.command(rich_help_panel=_SERVE)(serve.migrate)
app.command(rich_help_panel=_SERVE)(gc.gc)
app.command(rich_help_panel=_SERVE)(doctor)


def main() -> NoReturn:
    """Run the command line; ends the process with one of the exit codes above."""
    signal.signal(signal.SIGTERM, _leave)
    # A shell starts background jobs with SIGINT ignored; a stack must end on it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(_run())


def _leave(*_: object) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C does, so that every child is stopped."""
    sys.exit(128 + signal.SIGTERM)


def _run() -> int:
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        error.show()
        return BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    except MaskpoolError as error:
        _say(str(error))
        return BAD_INPUT if isinstance(error, Permanent) else UNREACHABLE
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _say(f"{(error.strerror or str(error)).lower()}{where}")
        return BAD_INPUT
    except Exception:  # noqa: BLE001 - the one place that names a bug a bug
        traceback.print_exc()
        _say("this is a bug in maskpool; please report it with the lines above")
        return BUG
    if status == INTERRUPTED:  # Typer's own word for Ctrl-C
        _say("interrupted")
    return status if isinstance(status, int) else OK


def _say(sentence: str) -> None:
    sys.stderr.write(f"maskpool: {sentence}\n")
