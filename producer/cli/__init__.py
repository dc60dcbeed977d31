"""``maskpool …``: thin doors to the use cases. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from typing import Any, NoReturn

import typer

from maskpool import exits, logs
from maskpool.errors import MaskpoolError
from maskpool.text import readable
from producer.cli import (
    batches,
    evaluate,
    export,
    flags,
    gc,
    glossary,
    inspect,
    results,
    run,
    serve,
    signals,
    streams,
    submit,
    teams,
    tokens,
    users,
)
from producer.cli.doctor import doctor
from producer.cli.schema import schema
from producer.cli.verbs import Reads, Works, Writes

app = typer.Typer(
    name="maskpool",
    help="Images and prompts in, instance masks out, on a pool that loses nothing.",
    epilog="Exit codes: 0 ok · 1 bug · 2 bad input · 3 some jobs failed, or doctor --deep found "
    "something wrong · 4 a service is unreachable or, of doctor, not well · 130 Ctrl-C · 141 the "
    "output's reader went away.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

log = logging.getLogger(__name__)

#: Typer carries its own copy of Click and names only the leaves of its errors.
_UsageError: Any = typer.BadParameter.__bases__[0]

#: Characters of an error that are printed.
_MAX_SENTENCE = 4_000

_ANNOTATE, _READ, _CONTROL, _SERVE = "Annotate", "Read", "Control", "Run a pool"
_ACCOUNTS = "Let people in"

app.command(cls=Works, rich_help_panel=_ANNOTATE)(run.demo)
app.command(cls=Works, rich_help_panel=_ANNOTATE)(run.run)
app.command(cls=Works, rich_help_panel=_ANNOTATE)(submit.submit)
app.command(cls=Reads, rich_help_panel=_ANNOTATE)(schema)
app.command("ls", cls=Reads, rich_help_panel=_READ)(inspect.list_batches)
app.command(cls=Reads, rich_help_panel=_READ)(inspect.status)
app.command(cls=Reads, rich_help_panel=_READ)(results.results)
app.command(cls=Writes, rich_help_panel=_READ)(export.export)
app.command("eval", cls=Reads, rich_help_panel=_READ)(evaluate.evaluate)
app.command(cls=Works, rich_help_panel=_CONTROL)(batches.pause)
app.command(cls=Works, rich_help_panel=_CONTROL)(batches.resume)
app.command(cls=Works, rich_help_panel=_CONTROL)(batches.cancel)
app.command(cls=Works, rich_help_panel=_CONTROL)(batches.retry)
app.command("rm", cls=Works, rich_help_panel=_CONTROL)(batches.remove)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.up)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.worker)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.dispatch)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.serve)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.clerk)
app.command(cls=Works, rich_help_panel=_SERVE)(serve.migrate)
app.command(cls=Works, rich_help_panel=_SERVE)(gc.gc)
app.command(cls=Reads, rich_help_panel=_SERVE)(doctor)
app.add_typer(glossary.app, name="glossary", rich_help_panel=_ANNOTATE)
app.add_typer(users.app, name="user", rich_help_panel=_ACCOUNTS)
app.add_typer(teams.app, name="team", rich_help_panel=_ACCOUNTS)
app.add_typer(tokens.app, name="token", rich_help_panel=_ACCOUNTS)
app.add_typer(teams.grants_app, name="grant", rich_help_panel=_ACCOUNTS)


def main() -> NoReturn:
    """Run the command line; ends the process with one of the codes in ``maskpool.exits``."""
    signals.take_over()
    streams.take_over()
    sys.exit(streams.conclude(_run()))


def _run() -> int:
    status: object = None
    try:
        with suppress(streams.OutputClosed):  # ``streams.conclude`` says what that means
            status = app(standalone_mode=False)
    except _UsageError as error:
        # Typer says a choice's mistake in the words of whoever checks it.
        error.message = _shown(error.message.removeprefix("Value error, "))
        error.show()
        return exits.BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted")
        return exits.INTERRUPTED
    except MaskpoolError as error:
        _say(flags.told(error))
        return exits.exit_code(error)
    except OSError as error:
        _say(_sentence(error))
        return exits.BAD_INPUT
    except Exception:
        if not logs.in_json():
            traceback.print_exc()
        else:
            log.exception("the process could not go on")
        _say("this is a bug in maskpool; please report it with the lines above")
        return exits.BUG
    if status == exits.INTERRUPTED:  # Typer's own word for Ctrl-C
        _say("interrupted")
    return status if isinstance(status, int) else exits.OK


def _sentence(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    sentence = f"{(error.strerror or str(error)).lower()}{where}"
    if not isinstance(error, PermissionError):
        return sentence
    return (
        f"{sentence}; this process is user {os.getuid()}: give it the right, choose another "
        "folder, or, in the team's container, set CLI_USER in .env (make env writes yours)"
    )


def _say(sentence: str) -> None:
    logs.say("maskpool", _shown(sentence))


def _shown(sentence: str) -> str:
    """A sentence as a terminal should get it: what it quotes may be long, and hold anything."""
    if len(sentence) > _MAX_SENTENCE:
        half = _MAX_SENTENCE // 2
        sentence = f"{sentence[:half]} … {sentence[-half:]}"
    return readable(sentence)
