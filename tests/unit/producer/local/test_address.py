"""Where the web server of a local stack listens."""

from __future__ import annotations

import pytest

from maskpool.errors import ConfigError
from maskpool.listening import listen
from maskpool.settings import Settings
from maskpool.settings_web import DEFAULT_ADDRESS
from producer.local.address import listening_socket


def test_two_stacks_that_start_together_never_take_one_port() -> None:
    first, at_first = listening_socket(Settings(serve_address=DEFAULT_ADDRESS))
    second, at_second = listening_socket(Settings(serve_address=DEFAULT_ADDRESS))
    with first, second:
        assert at_first != at_second
        assert at_second != DEFAULT_ADDRESS


def test_an_address_that_was_asked_for_is_never_replaced() -> None:
    with listen("127.0.0.1:0") as taken:
        address = "{}:{}".format(*taken.getsockname())
        with pytest.raises(ConfigError, match="name another port"):
            listening_socket(Settings(serve_address=address))


def test_any_free_port_is_said_as_the_one_it_is() -> None:
    made, address = listening_socket(Settings(serve_address="127.0.0.1:0"))
    with made:
        assert address == "{}:{}".format(*made.getsockname())
