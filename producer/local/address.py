"""Where the web server of a local stack listens."""

from __future__ import annotations

from socket import socket

from maskpool.errors import ConfigError
from maskpool.listening import listen
from maskpool.settings import Settings
from maskpool.settings_web import DEFAULT_ADDRESS


def listening_socket(settings: Settings) -> tuple[socket, str]:
    """A socket at the address that was asked for, or at the usual one or a free port beside it.

    It listens from here on, so no other stack takes the same port, and whoever connects while the
    server is started again waits instead of being refused.

    Raises:
        ConfigError: The address that was asked for is taken.
    """
    try:
        made = listen(settings.serve_address)
    except ConfigError:
        if settings.serve_address != DEFAULT_ADDRESS:
            raise
        made = listen(f"{DEFAULT_ADDRESS.rpartition(':')[0]}:0")
    # Port 0 means any that is free: which one it is, the socket knows.
    return made, f"{settings.serve_address.rpartition(':')[0]}:{made.getsockname()[1]}"
