"""What stands around another source and passes on what that one says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from producer.sources import Source


def may_ask(source: Source) -> bool:
    """Whether a source's images may be asked something each; false alarms are no harm.

    Only manifests can, and what holds one: they have a method of this name.
    """
    asked: Callable[[], bool] | None = getattr(source, "may_ask", None)
    return asked is not None and asked()


class AroundSource:
    """All of ``producer.sources.Source`` but its images, as the one inside has it.

    Attributes:
        source: The one inside.
    """

    source: Source

    @property
    def text(self) -> str:
        """See ``producer.sources.Source``."""
        return self.source.text

    @property
    def kind(self) -> str:
        """See ``producer.sources.Source``."""
        return self.source.kind

    @property
    def root(self) -> Path | None:
        """See ``producer.sources.Source``."""
        return self.source.root

    @property
    def inside(self) -> tuple[str, ...]:
        """See ``producer.sources.uploads.UploadSource``."""
        return getattr(self.source, "inside", ())

    def may_ask(self) -> bool:
        """See the function."""
        return may_ask(self.source)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return self.source.places(name)
