"""Every error maskpool raises on purpose, as one tree.

    MaskpoolError
    ├── Permanent            bad input: trying again changes nothing
    │   ├── SpecError        a batch spec is refused; names the field
    │   ├── SourceError      a source or manifest is refused; names the file and the line
    │   ├── ImageError       one image cannot be used; the rest of its batch goes on
    │   ├── NotFound         no such batch, job or object
    │   ├── Conflict         the thing is in a state that does not allow this
    │   ├── TooMany          as many are asked for at once as one may
    │   ├── TooLarge         what comes has more bytes than it may have
    │   ├── CorruptObject    stored bytes do not match what was written
    │   └── ConfigError      a setting, a model or the machine is not as it must be
    │       └── CredentialsError  this machine's credentials are missing, expired or wrong
    └── Transient            try again, later and with jitter
        ├── Unreachable      a service does not answer; names the service
        │   ├── BrokenOff    it answers, but not to the end or not in time
        │   ├── WrongClock   it refuses us because this machine's clock is not its own
        │   └── NoAccess     a worker cannot use it until its settings are mended
        └── LeaseLost        the chunk in hand is no longer ours; drop the work

Anything else that escapes is a bug: it is logged with its traceback and recorded on the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from maskpool.text import readable


class Option(StrEnum):
    """What may be asked instead, where a refusal says so; each door has its own name for it."""

    #: What is looked for.
    PROMPTS = "prompts"
    #: A dataset of a batch that is not done.
    PARTIAL = "partial"
    #: That a source is refused of which anything would be passed over.
    STRICT = "strict"
    #: To go on with what an earlier call left.
    RESUME = "resume"
    #: To begin, whatever an earlier call left.
    ANEW = "anew"
    #: Where results are written.
    OUT = "out"


class MaskpoolError(Exception):
    """Root of the tree. The message is a sentence for the person who reads it.

    Args:
        sentence: It may quote names and paths of any content: what no terminal or row should get
            is escaped here, once for all errors.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(readable(sentence))


class Permanent(MaskpoolError):
    """Bad input: trying again changes nothing.

    Args:
        sentence: As any error's. It names no option of a door: it is read at all of them.
        option: What to ask otherwise, or instead, where the sentence says so.
        code: By which pages translate the sentence; empty: its class says enough.
        params: What the translation needs; JSON.
    """

    def __init__(
        self,
        sentence: str = "",
        *,
        option: Option | None = None,
        code: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.option = option
        self.code = code
        self.params: dict[str, Any] = dict(params or {})


class SpecError(Permanent):
    """A batch spec is refused.

    Args:
        field: Dotted path of the offending field, e.g. ``prompts[2].text``.
        reason: What is wrong and what to do about it.
        option, code, params: See ``Permanent``.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        *,
        option: Option | None = None,
        code: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{field}: {reason}", option=option, code=code, params=params)
        self.field = field
        self.reason = reason


class SourceError(Permanent):
    """A source or manifest is refused.

    Args:
        source: The file, folder or prefix, as the user wrote it.
        reason: What is wrong and what to do about it.
        line: Line of the manifest, counted from 1, where there is one.
        count: How many places of it are refused, those that the sentence does not name as well.
        option, code, params: See ``Permanent``.
    """

    def __init__(
        self,
        source: str,
        reason: str,
        line: int | None = None,
        *,
        count: int = 1,
        option: Option | None = None,
        code: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        where = source if line is None else f"{source}, line {line}"
        super().__init__(f"{where}: {reason}", option=option, code=code, params=params)
        self.source = source
        self.reason = reason
        self.line = line
        self.count = count


class ImageError(Permanent):
    """One image cannot be used; its job fails with this sentence, the batch goes on."""


class NotFound(Permanent):
    """No such batch, job or object."""


class Conflict(Permanent):
    """The thing is in a state that does not allow what was asked."""


class TooMany(Permanent):
    """As many are asked for at once as one may; wait for one of them."""


class TooLarge(Permanent):
    """What comes has more bytes than it may have.

    Args:
        limit: Bytes that are allowed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"it has more than {limit:,} bytes, which are allowed; send less",
            code="too_large",
            params={"limit": limit},
        )
        self.limit = limit


class CorruptObject(Permanent):
    """Stored bytes do not match what was written."""


class ConfigError(Permanent):
    """A setting, a model or the machine is not as it must be."""


class CredentialsError(ConfigError):
    """This machine's credentials are missing, expired or wrong, whatever is asked with them."""


class Transient(MaskpoolError):
    """Try again, later and with jitter."""


class Unreachable(Transient):
    """A service does not answer.

    Args:
        service: What was asked, e.g. ``Redis`` or ``the object store``.
        reason: What happened, without secrets.
    """

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} is unreachable: {reason}")
        self.service = service


class BrokenOff(Unreachable):
    """A service is there, but its answer breaks off or takes too long; it may well do so again."""


class WrongClock(Unreachable):
    """A service refuses what we sign, because this machine's clock is wrong: no input's fault."""


class NoAccess(Unreachable):
    """A worker's own settings keep it from a service until they are mended: no input's fault."""


class LeaseLost(Transient):
    """The chunk in hand is no longer ours: its work must not be written."""
