"""The socket at which the web server listens."""

from __future__ import annotations

import socket

from maskpool.errors import ConfigError

#: Connections that may wait to be accepted, as uvicorn's own.
_BACKLOG = 2048


def listen(address: str) -> socket.socket:
    """A bound socket for an address, as ``host:port``.

    Raises:
        ConfigError: It is taken, or is none of this machine.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, as asyncio else takes it for no TCP and leaves Nagle's delay on: 40 ms an answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, int(port)))
        # At once, as two sockets that reuse an address may both bind it until one listens.
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"MASKPOOL_SERVE_ADDRESS: {address} cannot be listened at "
            f"({(error.strerror or str(error)).lower()}); name another port"
        ) from None
    return made


def inherited(number: int) -> socket.socket:
    """The listening socket that a supervisor hands over as a file descriptor.

    Raises:
        ConfigError: The descriptor is no listening socket.
    """
    try:
        made = socket.socket(fileno=number)
        listens = made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"file descriptor {number} is no socket ({error.strerror})") from None
    if not listens:
        made.close()
        raise ConfigError(f"file descriptor {number} is a socket that does not listen")
    # Named for asyncio as in ``listen``: a descriptor alone does not carry the protocol there.
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())
