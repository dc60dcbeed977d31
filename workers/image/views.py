"""An image's views – as a whole, and tiles cut out of it – and one answer made of theirs.

Each view passes the engine as an image of its own: it waits for its turn, shares micro-batches, and
is charged when it ends. So an image of hundreds of tiles holds up nobody, and stops within one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from maskpool import rle
from maskpool.domain import Found, Klass, PromptScores
from maskpool.ports import Answer, Image, ObjectAsk
from maskpool.tiling.join import Joined, Seen, join
from maskpool.tiling.placing import placed
from maskpool.tiling.plan import Plan, Tile
from maskpool.tiling.record import Tiled
from workers.engine.engine import Engine
from workers.leases import Holding

#: Tiles of an image that are with the engine at once, in micro-batches: one in work, one behind it.
_AHEAD = 2

#: Masks of one prompt that are kept of an image in tiles, those with the highest scores. They are
#: compared with each other, and pairs of more would take minutes and gigabytes.
MOST_MASKS = 2_000


@dataclass(frozen=True, slots=True)
class Views:
    """Has an image of a chunk looked at.

    Attributes:
        engine: Runs the models.
        holding: The chunk, which is charged, and may have to stop.
        klass: Whether someone is waiting.
    """

    engine: Engine[object]
    holding: Holding
    klass: Klass

    def whole(
        self,
        image: Image,
        texts: Sequence[str],
        *,
        stuff: Sequence[int] = (),
        objects: Sequence[ObjectAsk] = (),
    ) -> Answer:
        """Look at an image once, as a whole; the arguments are as of ``Engine.submit``.

        Raises:
            CancelledError: The chunk stopped before it was the image's turn.
            SpecError, Transient: As of the segmenter.
        """
        answer = self.holding.wait_for(
            self.engine.submit(image, texts, self.klass, stuff=stuff, objects=objects)
        )
        self.holding.spend(answer.seconds)
        return answer

    def tiled(
        self, image: Image, texts: Sequence[str], plan: Plan, *, stuff: Sequence[int] = ()
    ) -> tuple[Answer, Tiled]:
        """Look at an image as a whole and in tiles, and join what they show.

        Args:
            image: RGB uint8 (height, width, 3).
            texts: What to look for in it.
            plan: How it is cut; without tiles this is ``whole``.
            stuff: Places of texts that ask for one region; the whole view alone answers them.

        Returns:
            The answer, in pixels of the image, and how it came about. A text's presence and best
            score are the largest of all views.

        Raises:
            CancelledError: The chunk stopped before the last tile.
            SpecError, Transient: As of the segmenter.
        """
        whole = self.whole(image, texts, stuff=stuff)
        if not plan.tiles:
            return whole, plan.record()
        size = (image.shape[0], image.shape[1])
        things = [row for row in range(len(texts)) if row not in stuff]
        seen: dict[int, list[Seen]] = {row: [] for row in things}
        for one in whole.found:
            if one.prompt_index in seen:
                seen[one.prompt_index].append(Seen(one.score, rle.to_runs(one.mask), None))
        scores = list(whole.scores)
        asked = [texts[row] for row in things]
        for place, answer in enumerate(self._answers(image, asked, plan.tiles)):
            for one in answer.found:
                runs = placed(rle.to_runs(one.mask), plan.tiles[place], size)
                seen[things[one.prompt_index]].append(Seen(one.score, runs, place))
            for row, score in zip(things, answer.scores, strict=False):
                scores[row] = _larger(scores[row], score)
        regions = [one for one in whole.found if one.prompt_index not in seen]
        found, left_out = self._joined(seen, plan)
        everything = sorted([*found, *regions], key=lambda one: one.prompt_index)
        return Answer(everything, scores=tuple(scores)), plan.record(left_out)

    def _answers(
        self, image: Image, texts: Sequence[str], tiles: Sequence[Tile]
    ) -> Iterator[Answer]:
        """What each tile shows, in their order; few of them are cut out at any time."""
        most = _AHEAD * self.engine.micro_batch
        pending: deque[Future[Answer]] = deque()
        try:
            for tile in tiles:
                while len(pending) >= most:
                    yield self._next(pending)
                self._require_going()
                cut_out = image[tile.top : tile.bottom, tile.left : tile.right]
                pixels = np.ascontiguousarray(cut_out)
                pending.append(self.engine.submit(pixels, texts, self.klass))
                self.holding.expect(pending[-1])
            while pending:
                yield self._next(pending)
        finally:
            self._give_up(pending)

    def _next(self, pending: deque[Future[Answer]]) -> Answer:
        answer = self.holding.wait_for(pending.popleft())
        self.holding.spend(answer.seconds)
        self.holding.made_progress()
        return answer

    def _give_up(self, pending: deque[Future[Answer]]) -> None:
        """Stop tiles that wait; those in work are charged as well."""
        begun = [future for future in pending if not future.cancel()]
        for future in begun:
            with suppress(Exception):  # the image ends for another reason, which is raised
                self.holding.spend(future.result().seconds)

    def _require_going(self) -> None:
        if not self.holding.go_on:
            raise CancelledError

    def _joined(self, seen: dict[int, list[Seen]], plan: Plan) -> tuple[list[Found], int]:
        """The masks of the image, by text and then by falling score, and how many are left out."""
        found: list[Found] = []
        left_out = 0
        for row, views in seen.items():
            self._require_going()
            masks = join(views, plan)
            left_out += max(0, len(masks) - MOST_MASKS)
            found += [_found(row, one) for one in masks[:MOST_MASKS]]
            self.holding.made_progress()
        return found, left_out


def _found(row: int, one: Joined) -> Found:
    left, top, right, bottom = map(float, rle.box_xyxy(one.runs))
    return Found(row, one.score, (left, top, right, bottom), rle.from_runs(one.runs))


def _larger(one: PromptScores, other: PromptScores) -> PromptScores:
    return PromptScores(max(one.presence, other.presence), max(one.best, other.best))
