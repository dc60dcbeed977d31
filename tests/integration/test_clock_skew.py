"""A store that refuses signatures because this machine's clock is not its own."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore.auth
import pytest

from maskpool.errors import ConfigError, Permanent, WrongClock
from maskpool.ports import ObjectStore
from storage.objects import open_store

CALLS: list[Callable[[ObjectStore], object]] = [
    lambda store: store.put("a", b"x"),
    lambda store: store.get("a"),
    lambda store: store.size("a"),  # HEAD: its answer has no body, and so no reason
    lambda store: list(store.list("")),
    lambda store: store.delete(["a"]),
]


@contextmanager
def refusing(code: str, ahead_seconds: float | None) -> Iterator[str]:
    """A server that refuses everything, and whose clock this machine is so far ahead of."""
    body = f"<Error><Code>{code}</Code></Error>".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(403)
            if ahead_seconds is not None:
                self.send_header("Date", formatdate(time.time() - ahead_seconds, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.close_connection = True

        do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815 - the names are the server's

        def log_message(self, *args: object) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("ahead", "sentence"),
    [(3_600.0, "60 minutes ahead of the store's"), (-3_600.0, "60 minutes behind the store's")],
)
def test_the_error_names_the_clock_and_by_how_much_it_is_wrong(
    call: Callable[[ObjectStore], object], ahead: float, sentence: str
) -> None:
    with refusing("RequestTimeTooSkewed", ahead) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        with pytest.raises(WrongClock, match=f"the clock of this machine is {sentence}") as caught:
            call(store)
    assert "s3://bucket" in str(caught.value)
    assert "NTP" in str(caught.value)
    # Trying again later helps, and no image is to be blamed: the command line ends with status 4.
    assert not isinstance(caught.value, Permanent)


def test_a_server_that_tells_no_time() -> None:
    with refusing("RequestTimeTooSkewed", None) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        with pytest.raises(WrongClock, match="the clock of this machine is not the store's"):
            store.get("a")


@pytest.mark.parametrize("call", CALLS)
def test_other_refusals_are_not_put_down_to_the_clock(
    call: Callable[[ObjectStore], object],
) -> None:
    with refusing("AccessDenied", 30.0) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        with pytest.raises(ConfigError, match="access denied"):
            call(store)


def test_a_named_reason_counts_more_than_a_suspicious_clock() -> None:
    with refusing("AccessDenied", 3_600.0) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        with pytest.raises(ConfigError, match="access denied"):
            store.get("a")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("hours", "sentence"), [(1, "60 minutes ahead"), (-1, "60 minutes behind")]
)
def test_a_server_that_checks_the_time_itself(
    call: Callable[[ObjectStore], object],
    hours: int,
    sentence: str,
    rclone_bucket: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right_clock, right_time = botocore.auth.get_current_datetime, time.time
    wrong_by = dt.timedelta(hours=hours)
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime",
        lambda *words, **named: right_clock(*words, **named) + wrong_by,
    )
    monkeypatch.setattr(
        "storage.objects.clock_skew.time.time", lambda: right_time() + wrong_by.total_seconds()
    )
    store = open_store(f"s3://{rclone_bucket[1]}", endpoint_url=rclone_bucket[0])
    with pytest.raises(WrongClock, match=f"the clock of this machine is {sentence}"):
        call(store)
