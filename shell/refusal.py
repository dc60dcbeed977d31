"""How a program of this room ends where a setting is refused before anything could start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from maskpool import exits, logs
from maskpool.errors import ConfigError


@contextmanager
def refusal_of(program: str) -> Iterator[None]:
    """End with one sentence and status 2 where the settings are refused.

    Args:
        program: Its name for people, such as ``maskpool worker``.

    Raises:
        SystemExit: A setting was refused.
    """
    try:
        yield
    except ConfigError as error:
        logs.say(program, str(error))
        raise SystemExit(exits.BAD_INPUT) from None
