"""What a refusal advises, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping

from maskpool.errors import MaskpoolError, Option, Permanent

#: By what the core calls it.
FLAGS: Mapping[Option, str] = {
    Option.PROMPTS: "-p TEXT, --spec FILE, --boxes FILE",
    Option.PARTIAL: "--partial",
    Option.STRICT: "without --strict",
    Option.RESUME: "--resume",
    Option.ANEW: "without --resume",
    Option.OUT: "-o FOLDER",
}


def told(error: MaskpoolError) -> str:
    """Its sentence, with the flag that it advises where there is one."""
    option = error.option if isinstance(error, Permanent) else None
    return str(error) if option is None else f"{error} ({FLAGS[option]})"
