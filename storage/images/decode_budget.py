"""A file's bytes for a parser, with limits on its CPU time and on its number of reads.

Parsers can be kept busy: a progressive JPEG may repeat empty scans, a PNG hold millions of empty
chunks. Threads cannot be interrupted, but parsers of JPEG, PNG, GIF, BMP, PPM, JPEG 2000 and raw
TIFF come back here for more bytes.

Those of WebP, AVIF and packed TIFF take the whole file at once and cannot be stopped; they are
bounded by their size alone: the file's (``MASKPOOL_MAX_IMAGE_BYTES``), the image's
(``MASKPOOL_MAX_IMAGE_PIXELS``), and what ``storage.images.decode_limits`` says of a TIFF's tiles.
"""

from __future__ import annotations

import io
import time

from maskpool.errors import ImageError

#: CPU seconds for the header, and again for the pixels. Ordinary files need a hundredth.
_SECONDS = 5.0
_SECONDS_A_MEGAPIXEL = 0.2

#: Reads until the size is known. What parsers remember of each is held in memory.
_HEADER_READS = 100_000
_MORE_READS = 1_000_000

#: Run lengths of a BMP are read byte by byte.
_READS_A_PIXEL = 4

#: Reading the clock costs as much as a short read, so only every 64th short read does.
_SHORT_BYTES, _SHORT_READS = 1_000, 64


class BudgetedFile(io.BytesIO):
    """Bytes that one thread may read until its limit of time or of reads is used up."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = _HEADER_READS
        self._until = time.thread_time() + _SECONDS

    def allow(self, pixels: int) -> None:
        """Allow the time and reads that so many pixels may take; call it after the header."""
        self._reads_left = _MORE_READS + _READS_A_PIXEL * pixels
        self._until = time.thread_time() + _SECONDS + _SECONDS_A_MEGAPIXEL * pixels / 1_000_000

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like any file.

        Raises:
            ImageError: The file keeps its reader busy.
        """
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ImageError("the file is in more pieces than an image has; save it again")
        short = size is not None and 0 <= size < _SHORT_BYTES
        if not (short and self._reads_left % _SHORT_READS) and time.thread_time() > self._until:
            raise ImageError("the file takes too long to decode for its size; save it again")
        return super().read(size)
