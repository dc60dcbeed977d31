"""``python -m producer.local.leash COMMAND …``: a child process that ends when its parent does.

The parent holds the other end of our standard input and never writes to it. However the parent
ends, the pipe closes: the command is asked to end, and killed if it does not.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

#: Seconds a command has to end by itself: a worker finishes its micro-batch and commits.
GRACE_SECONDS = 20.0

#: Seconds until a command that ended by itself is noticed.
_POLL_SECONDS = 0.2


def main(command: list[str]) -> int:
    """Run a command on the leash; returns its exit status in a shell's notation."""
    # What we inherited besides the standard streams was meant for the command.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1):
            _end(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
