"""Some images of another source, drawn by lot."""

from __future__ import annotations

from collections.abc import Iterator

from maskpool.domain import ImageRef
from maskpool.sample import Sample, draw
from producer.sources import Source
from producer.sources.around import AroundSource
from producer.sources.passed import PassedOver


class SampledSource(AroundSource):
    """A sample of another source, which is read to its end before the first image.

    Args:
        source: What is drawn from.
        sample: How many, and how.
    """

    def __init__(self, source: Source, sample: Sample) -> None:
        self.source = source
        #: With the number of the source's images, once it was read.
        self.sample = sample

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Those that were drawn, in the source's order."""
        drawn, count = draw(self.sample, self.source.refs(passed), lambda ref: ref.name)
        self.sample = self.sample.drawn_from(count)
        yield from drawn


def sampled(source: Source, sample: Sample | None) -> Source:
    """A sample of a source; the source itself where none is asked for."""
    return source if sample is None else SampledSource(source, sample)


def whole(source: Source) -> Source:
    """What a sample is drawn from; a source that is none itself."""
    return source.source if isinstance(source, SampledSource) else source


def sample_of(source: Source) -> Sample | None:
    """The sample that a source is, which knows of how many images once it was read."""
    if isinstance(source, SampledSource):
        return source.sample
    # A bound lies around what it bounds.
    return sample_of(source.source) if isinstance(source, AroundSource) else None
