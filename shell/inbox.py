"""What is let in from our lists in Redis: messages as our dispatcher writes them.

Celery and kombu read far more than that – callbacks, chains, other tasks, times to wait – and an
entry that they cannot read at all ends the process and goes back to the list, where it ends the
next one. This module decides what is let in; ``shell.transport`` asks it first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from maskpool import tasks, wire

#: Longest body: a message names two rows and takes about 300 bytes.
_MAX_BYTES = 4096

#: How the names of the GPU workers' lists begin. Lists that are neither theirs nor the clerks' are
#: Celery's own, for remote control by Flower.
_CHUNKS = "annotate."

#: Headers that change when or how a task runs, and their values in our messages.
_PLAIN_HEADERS: Mapping[str, tuple[object, ...]] = {
    "eta": (None,),
    "expires": (None,),
    "retries": (0, None),
    "timelimit": ([None, None], None),
    "group": (None,),
}


def refusal(envelope: object, queue: str) -> str:
    """Why an entry of a list is not let in; empty if it is.

    Args:
        envelope: The entry, read as JSON.
        queue: The list it lay in.
    """
    if not isinstance(envelope, dict) or not _is_envelope(envelope):
        return "is no message of Celery's"
    task = _task_of(queue)
    if task is None:
        return ""
    headers = envelope["headers"]
    usual = {"task": (task,), **_PLAIN_HEADERS}
    odd = [name for name, values in usual.items() if headers.get(name) not in values]
    if odd:
        return f"has a {odd[0]!r} that the dispatcher never writes"
    if envelope.get("content-type") != "application/json":
        return "is no JSON"
    if len(envelope["body"]) > _MAX_BYTES:
        return "is too long to be the name of a row"
    return "" if _is_plain_call(envelope["body"]) else "holds more than the name of a row"


def _task_of(queue: str) -> str | None:
    """The one Celery task of a list of ours; None where the list is Celery's."""
    if queue.startswith(_CHUNKS):
        return wire.TASK
    return tasks.TASK if queue == tasks.QUEUE else None


def _is_envelope(envelope: Mapping[str, Any]) -> bool:
    properties, headers = envelope.get("properties"), envelope.get("headers")
    return (
        isinstance(envelope.get("body"), str)
        and isinstance(headers, dict)
        and isinstance(properties, dict)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), dict)
        and properties.get("body_encoding") == "base64"
        and envelope.get("content-encoding") == "utf-8"
    )


def _is_plain_call(body: str) -> bool:
    """Whether a body is ``[[], {…}, {…}]``: named arguments, and nothing to do afterwards."""
    try:
        call = json.loads(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return False
    if not isinstance(call, list) or len(call) != 3:
        return False
    args, kwargs, then = call
    return (
        args == []
        and isinstance(kwargs, dict)
        and isinstance(then, dict)
        and not any(then.values())
    )
