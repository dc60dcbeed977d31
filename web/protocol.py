"""How bytes of a connection become requests: uvicorn's parser in C, with a bound on heads."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of a request's head, or of what stands between two pieces of its body. The parser itself
#: keeps as many as come. The bytes of one read, at most 256 KiB, are looked at together.
_MAX_HEAD = 64 * 1024


class Protocol(HttpToolsProtocol):
    """One connection: a head, chunk header or trailer that never ends is refused, with 400."""

    _since = 0

    def data_received(self, data: bytes) -> None:
        """As ``asyncio.Protocol``."""
        self._since += len(data)
        super().data_received(data)
        if self._since > _MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"A request's head may have {_MAX_HEAD:,} bytes.")

    def on_headers_complete(self) -> None:
        """The parser's: a head is over."""
        super().on_headers_complete()
        self._since = 0

    def on_body(self, body: bytes) -> None:
        """The parser's: a piece of a body is there."""
        super().on_body(body)
        self._since = 0

    def on_message_complete(self) -> None:
        """The parser's: a request is over."""
        super().on_message_complete()
        self._since = 0
