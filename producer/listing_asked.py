"""Which page of a batch's images somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass

from db.image_rows import Choice, Place
from db.images import Order
from producer.results.reader import BatchView


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page.

    Attributes:
        view: The batch, as it is read.
        choice: Which images.
        order: Of the list.
        seed: Of the random order.
        after: Key and ``seq`` of the image before the page; None at the beginning.
        skip: Pass over so many behind it.
        limit: At most so many.
    """

    view: BatchView
    choice: Choice
    order: Order = Order.SEQ
    seed: int = 0
    after: Place | None = None
    skip: int = 0
    limit: int = 100
