"""Verbs that serve: up, worker, dispatch, serve, clerk, migrate."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool import logs
from maskpool.settings import Settings, load_settings, require
from maskpool.settings_web import browser_url
from maskpool.text import counted
from producer.cli import options, render

if TYPE_CHECKING:  # a stack is imported only when one is started
    from producer.local.stack import Stack

log = logging.getLogger(__name__)

#: Seconds between two checks of the stack's children.
_WATCH_SECONDS = 0.5


def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder from which images may be read; default the present one. Repeat for more.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    model: options.Model = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open its web page in your browser, logged in.")
    ] = False,
) -> None:
    """Start a local stack in MASKPOOL_HOME and keep it running until Ctrl-C."""
    from producer.local.stack import Stack

    settings = load_settings(**({} if model is None else {"model": model}))
    settings.alias(settings.model)
    roots = [path.resolve() for path in root or [Path.cwd()]]
    with Stack(settings, source_roots=roots, workers=workers, web=True) as stack:
        render.console.print(
            f"the stack is up in {stack.settings.home} with {counted(workers, 'worker')}, model "
            f"{settings.model}; images are read under {', '.join(map(str, roots))}",
            soft_wrap=True,
        )
        render.console.print(
            "in another terminal, in this folder: maskpool submit FOLDER -p 'red circle' · "
            f"logs: {stack.logs} · Ctrl-C stops everything",
            soft_wrap=True,
            style="dim",
        )
        keep_open(stack, settings, open_page=open_page)


def keep_open(stack: Stack, given: Settings, *, open_page: bool = False) -> None:
    """Say where a stack's web server answers, and keep the stack running until Ctrl-C.

    Args:
        stack: It runs, with a web server.
        given: What it was asked; another port may have been free.
        open_page: Whether to open its page in a browser.
    """
    here = stack.settings
    taken = here.serve_address != given.serve_address
    why = f" (another program has {given.serve_address})" if taken else ""
    url = browser_url(here)
    render.console.print(f"web: {url}{why}", soft_wrap=True)
    link = print_link(here, url)
    if open_page:
        open_in_browser(link)
    while True:
        stack.watch()
        time.sleep(_WATCH_SECONDS)


def open_in_browser(link: str) -> None:
    """Open a link, or say that there is nothing to open it with.

    The stack holds its web server's socket, so a browser that is early waits for an answer.
    """
    import webbrowser

    if not webbrowser.open(link):
        render.console.print("no browser was found here; open the link above in one")


def print_link(settings: Settings, url: str) -> str:
    """Print the link by which a stack's owner logs in, which works once; return it."""
    from contextlib import closing

    from db.session import Database
    from producer.accounts.local_link import make_link

    with closing(Database(settings.database_url.get_secret_value())) as database:
        link = make_link(settings, database, url)
    render.console.print(f"log in: {link}", soft_wrap=True)
    render.console.print(
        "it works once, for an hour; maskpool user link prints another", soft_wrap=True, style="dim"
    )
    return link


def worker(
    model: options.Model = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; default MASKPOOL_DEVICE.")
    ] = None,
) -> None:
    """Serve one model until SIGTERM: a Celery worker on threads, drained when it stops."""
    chosen = {"model": model, "device": device}
    settings = load_settings(**{name: value for name, value in chosen.items() if value})
    settings.alias(settings.model)
    require(settings, "redis_url", "database_url", "store_url", who="a worker")
    os.environ["MASKPOOL_MODEL"], os.environ["MASKPOOL_DEVICE"] = settings.model, settings.device
    # -P: a folder named workers or storage where the user stands must not pass for ours.
    command = [sys.executable, "-P", "-m", "workers"]
    # It replaces this process, so that signals reach it directly.
    os.execv(sys.executable, command)  # noqa: S606


def dispatch() -> None:
    """Dispatch until SIGTERM; any number of dispatchers may run, one leads at a time."""
    from db.session import Database
    from producer.dispatch.broker import Broker
    from producer.dispatch.heartbeat import Heartbeat
    from producer.dispatch.loop import Dispatcher

    settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    require(settings, "redis_url", "database_url", who="a dispatcher")
    # A stop that was asked for ends after the round at hand, and is no failure.
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(
        settings.database_url.get_secret_value(), patience_seconds=settings.patience_seconds
    )
    broker = Broker(settings.redis_url.get_secret_value())
    try:
        log.info("the dispatcher starts")
        Dispatcher(
            database,
            broker,
            tick_seconds=settings.tick_seconds,
            lease_seconds=settings.lease_seconds,
            heartbeat=Heartbeat(database, settings.health_file),
        ).run(stop)
        log.info("the dispatcher has stopped, as it was asked to")
    finally:
        broker.close()
        database.close()


def serve(
    address: Annotated[
        str | None, typer.Option(help="host:port; default MASKPOOL_SERVE_ADDRESS.")
    ] = None,
    fd: Annotated[
        int | None,
        typer.Option(min=3, help="File descriptor of a socket that a supervisor listens at."),
    ] = None,
) -> None:
    """Serve the REST API until SIGTERM; any number of them may run, behind a proxy or alone."""
    settings = load_settings(**({"serve_address": address} if address else {}))
    require(settings, "redis_url", "database_url", "store_url", who="the web server")
    os.environ["MASKPOOL_SERVE_ADDRESS"] = settings.serve_address
    # -P: a folder named web or storage where the user stands must not pass for ours.
    command = [sys.executable, "-P", "-m", "web", *([] if fd is None else [str(fd)])]
    # It replaces this process, so that signals reach it directly.
    os.execv(sys.executable, command)  # noqa: S606


def clerk() -> None:
    """Load, unpack, export and delete until SIGTERM; any number of clerks may run."""
    settings = load_settings()
    require(settings, "redis_url", "database_url", "store_url", who="a clerk")
    # -P: a folder named clerk or storage where the user stands must not pass for ours.
    command = [sys.executable, "-P", "-m", "clerk"]
    # It replaces this process, so that signals reach it directly.
    os.execv(sys.executable, command)  # noqa: S606


def migrate() -> None:
    """Bring the database to the present schema, beside a pool at work."""
    from db.schema import upgrade

    settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    require(settings, "database_url", who="maskpool migrate")
    revision = upgrade(settings.database_url.get_secret_value())
    if logs.in_json():
        log.info("the database is at revision %s", revision)
    else:
        render.console.print(f"the database is at revision {revision}")
