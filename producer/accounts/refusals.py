"""What is refused although the thing may be seen."""

from __future__ import annotations

from maskpool.errors import Permanent


class Refused(Permanent):
    """The caller may see the thing, and may not do this with it."""
