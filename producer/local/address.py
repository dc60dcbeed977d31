"""Where the web server of a local stack listens."""

from __future__ import annotations

import socket

from maskpool.settings import Settings
from maskpool.settings_web import DEFAULT_ADDRESS


def web_address(settings: Settings) -> str:
    """The address that was asked for; where none was, the usual one, or a free port beside it."""
    if settings.serve_address != DEFAULT_ADDRESS or _is_free(DEFAULT_ADDRESS):
        return settings.serve_address
    host = DEFAULT_ADDRESS.partition(":")[0]
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def _is_free(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True
