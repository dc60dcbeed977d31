"""``python -m web``: what ``maskpool serve`` becomes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from maskpool import exits, logs
from maskpool.errors import MaskpoolError
from maskpool.settings import load_settings
from web.serve import serve


def main(words: Sequence[str]) -> int:
    """Serve; returns one of the codes in ``maskpool.exits``.

    Args:
        words: Nothing, or the number of a file descriptor: of a socket that listens already.
    """
    try:
        settings = load_settings()
        logs.configure(settings.log_format, settings.log_level)
        serve(settings, int(words[0]) if words else None)
    except MaskpoolError as error:
        logs.say("maskpool", str(error))
        return exits.exit_code(error)
    return exits.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
