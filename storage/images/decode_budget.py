"""A file's bytes with a budget of time and of reads, so that no decoder runs for ever.

A small file can keep a decoder busy: a progressive JPEG may repeat empty scans, a PNG hold millions
of empty chunks. Threads cannot be interrupted, but the decoders of JPEG, PNG, GIF, BMP, PPM and
JPEG 2000 come back here for more bytes.

Those of WebP, AVIF, HEIC and TIFF take the whole file at once and cannot be stopped; they are
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

#: Reads until the size is known; decoders keep something of each in memory.
_HEADER_READS = 100_000
_MORE_READS = 1_000_000

#: Run lengths of a BMP are read byte by byte.
_READS_A_PIXEL = 4

#: Asking for the time costs as much as a short read, so only every so many short reads do it.
_SHORT_BYTES, _SHORT_READS = 1_000, 64


class BudgetedFile(io.BytesIO):
    """A file in memory that refuses further reads when its budget is used up; for one thread."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = _HEADER_READS
        self._until = time.thread_time() + _SECONDS

    def allow(self, pixels: int) -> None:
        """Give the budget for decoding so many pixels; called when the header was read."""
        self._reads_left = _MORE_READS + _READS_A_PIXEL * pixels
        self._until = time.thread_time() + _SECONDS + _SECONDS_A_MEGAPIXEL * pixels / 1_000_000

    def read(self, size: int | None = -1, /) -> bytes:
        """Read bytes, as any file does.

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
