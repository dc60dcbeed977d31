"""Bytes that gzip made smaller, made large again as they come: in pieces, and in bounds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from maskpool.errors import Permanent

#: Bytes that are made at once. Some of gzip's bytes become a thousand; Python's own reader of tar
#: makes them all, and then copies what is left of them for every ten thousand that it reads.
_PIECE = 256 * 1024

#: How many bytes one may become, once there are more than so many: pictures hardly shrink, and a
#: file of nothing but zeros becomes a thousandth.
_MOST_OF_ONE, _FREE = 200, 32 * 1024 * 1024

#: What zlib is told: gzip's header and checksum around it.
_GZIP = 31


def gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes that were there before gzip, also where several of its files follow each other.

    Raises:
        Permanent: They are more than a picture's bytes could have become.
        EOFError: The end is missing.
        zlib.error: It is damaged.
    """
    came = made = 0
    decoder = zlib.decompressobj(_GZIP)
    begun = True
    for chunk in chunks:
        came += len(chunk)
        rest, piece = chunk, b""
        while rest or len(piece) == _PIECE:
            # Behind the end there may be another file of gzip, or zeros of a block device.
            rest = rest if begun else rest.lstrip(b"\0")
            if not rest and not begun:
                break
            begun = True
            piece = decoder.decompress(rest, _PIECE)
            made += len(piece)
            if made > max(_FREE, _MOST_OF_ONE * came):
                raise Permanent(
                    f"the archive's first {came:,} bytes became {made:,} and more, over "
                    f"{_MOST_OF_ONE} from each; send what is in it as a .tar"
                )
            yield piece
            rest = decoder.unconsumed_tail
            if decoder.eof:
                rest, piece = decoder.unused_data, b""
                decoder, begun = zlib.decompressobj(_GZIP), False
    if begun:
        raise EOFError("its end is missing")
