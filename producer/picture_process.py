"""A process that makes small pictures of images, or finer masks, of which nothing else comes back.

It reads requests from its standard input and answers on its standard output, each a line of JSON
and then so many bytes. It may have little memory and little time: a hostile image costs this
process, which is started again, and not the one that serves.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
from typing import Any, BinaryIO
from uuid import UUID

import orjson
from PIL import Image

from maskpool.errors import MaskpoolError, Transient
from maskpool.picture_sizes import MAX_BYTES, fitted
from maskpool.settings import Settings
from storage.images.fetch import Fetcher
from storage.objects import open_store

_QUALITY = 85

#: More than the caller waits: what ends us where nobody is there any more to do it.
_ALARM_SECONDS = 60


#: Patterns of the hosts that the batch in hand may be led to; None: whatever the settings allow.
_granted: list[list[str] | None] = [[]]


def main() -> None:
    """Serve until standard input ends."""
    megabytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a decoder prints is no answer
    fetchers: dict[str, tuple[Fetcher, Settings]] = {}
    for line in asked:
        signal.alarm(_ALARM_SECONDS)
        _answer(answers, *_made(orjson.loads(line), fetchers))
        signal.alarm(0)


def _made(
    asked: dict[str, Any], fetchers: dict[str, tuple[Fetcher, Settings]]
) -> tuple[dict[str, Any], bytes]:
    try:
        key = str(sorted(asked["settings"].items()))
        if key not in fetchers:
            settings = Settings(**asked["settings"])
            store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
            # One request at a time: what it says of its batch holds while it is worked on.
            fetchers[key] = Fetcher(store, settings, lambda _: _granted[0]), settings
        _granted[:] = [asked["granted"]]
        if "finer" in asked:
            return _finer(asked["finer"], fetchers[key][0])
        batch_id = UUID(asked["batch"]) if asked["batch"] else None
        fetched = fetchers[key][0].fetch(asked["uri"], batch_id)
        return {"error": ""}, picture(fetched.image, asked["side"])
    except MemoryError:
        return {"error": "the image needs more memory than a picture of it may take"}, b""
    except MaskpoolError as error:
        return {"error": str(error), "later": isinstance(error, Transient)}, b""


def _finer(asked: dict[str, Any], fetcher: Fetcher) -> tuple[dict[str, Any], bytes]:
    from producer.refining import spoken  # noqa: PLC0415 - who wants pictures needs none of it
    from producer.refining.work import refined  # noqa: PLC0415 - as above

    made = spoken.answer_json(refined(spoken.read_asked(asked), fetcher))
    if len(made) > MAX_BYTES:
        return {"error": "these masks are too much for one answer; ask for fewer at once"}, b""
    return {"error": ""}, made


def picture(image: Any, side: int) -> bytes:  # noqa: ANN401 - an array
    """A JPEG of an image, at most ``side`` pixels wide and high; never larger than the image.

    Args:
        image: RGB uint8 (height, width, 3).
        side: Pixels.
    """
    small = Image.fromarray(image)
    size = fitted(*small.size, side)
    if size != small.size:
        small = small.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _answer(answers: BinaryIO, head: dict[str, Any], body: bytes) -> None:
    answers.write(orjson.dumps({**head, "size": len(body)}) + b"\n" + body)
    answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
