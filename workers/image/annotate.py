"""One image's way: fetch → segment → verify → relate, and what becomes of it where that fails."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from uuid import UUID

from maskpool.abilities import Ability, needed
from maskpool.domain import Job, JobFailure, JobResult, Klass
from maskpool.errors import (
    BrokenOff,
    ConfigError,
    NoAccess,
    Permanent,
    SpecError,
    Transient,
    Unreachable,
    WrongClock,
)
from maskpool.ports import Image, ObjectStore
from maskpool.spec import BatchSpec
from maskpool.text import readable
from maskpool.tiling.plan import TILE_SIDE, decide
from maskpool.tiling.record import Tiled
from storage.images.fetch import FetchedImage, Fetcher
from storage.images.room import NoRoom, Room
from storage.objects import keys
from workers.engine.engine import Engine
from workers.engine.work import Scored
from workers.image.asked import Asked
from workers.image.asks import place, say_outside
from workers.image.relate import relate
from workers.image.verify import verify
from workers.image.views import Views
from workers.leases import Holding
from workers.outcomes import Annotated, Outage, Outcome, Unable

log = logging.getLogger(__name__)

#: No object has this key: the store's answer to it shows whether the store itself is reachable.
_PROBE_KEY = f"{keys.MASKS}nowhere"

#: Characters of a traceback that a job's row keeps.
_TRACEBACK_CHARS = 2_000


#: Bytes of decoded images of one class, unless a setting says otherwise.
DECODED_BYTES = 1 << 30


def rooms_of(most: int) -> dict[Klass, Room]:
    """Room for so many bytes of each class."""
    return {klass: Room(most) for klass in Klass}


@dataclass(frozen=True, slots=True)
class Annotator:
    """What annotating an image needs; used by many threads at once.

    Attributes:
        fetcher: Opens images.
        engine: Runs the models.
        store: The pool's own store, which may hold images, too.
        abilities: What the models can do beside looking for texts.
        tile_side: Of the model's alias, pixels; a batch may ask for another.
        rooms: For the decoded images of each class: what is asked now waits for no bulk image.
    """

    fetcher: Fetcher
    engine: Engine[object]
    store: ObjectStore
    abilities: frozenset[Ability] = frozenset(Ability)
    tile_side: int = TILE_SIDE
    rooms: Mapping[Klass, Room] = field(default_factory=lambda: rooms_of(DECODED_BYTES))

    def annotate(
        self,
        job: Job,
        spec: BatchSpec,
        holding: Holding,
        klass: Klass,
        batch_id: UUID | None = None,
    ) -> Outcome:
        """Annotate one image; nothing that goes wrong with it is raised.

        Args:
            job: Names the image, and what is asked of it alone.
            spec: What is asked of every image of the batch.
            holding: The chunk that the job belongs to.
            klass: Whether someone is waiting.
            batch_id: Of the job; without it no image of a batch's own in the store is opened.
        """
        if not holding.go_on:
            return None
        objects = bool(job.prompts and job.prompts.get("objects"))
        if lacking := needed(spec, objects=objects) - self.abilities:
            return Unable(f"this worker cannot do what is asked: {', '.join(sorted(lacking))}")
        try:
            return self._look(job, spec, holding, klass, batch_id)
        except Permanent as error:
            return JobFailure(job.seq, str(error))
        except Transient as error:
            return self._put_off(job, error, holding)
        except Exception as error:
            log.exception("bug while annotating %s", job.name, extra={"job": job.seq})
            trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:]
            sentence = f"internal error, please report it: {error!r}\n{trace}"
            return JobFailure(job.seq, readable(sentence))
        finally:
            holding.made_progress()

    def _look(
        self, job: Job, spec: BatchSpec, holding: Holding, klass: Klass, batch_id: UUID | None
    ) -> Annotated | None:
        """Fetch an image once there is room for it, and hold that room while it is asked."""
        try:
            with self.rooms[klass].place(lambda: holding.go_on) as place:
                fetched = self.fetcher.fetch(job.uri, batch_id, place.take)
                return self._find(job, fetched, spec, holding, klass)
        except NoRoom:  # the chunk stopped meanwhile
            return None

    def _find(
        self,
        job: Job,
        fetched: FetchedImage,
        spec: BatchSpec,
        holding: Holding,
        klass: Klass,
    ) -> Annotated | None:
        """Ask the models; None where the chunk was to stop before it was the image's turn.

        A lost engine counts as a lost worker: the chunk is left to its lease. So nobody is charged,
        and yet an image that loses every device is found out, since what comes back runs alone.
        """

        def score(crops: Sequence[Image], texts: Sequence[str]) -> Scored:
            scored = holding.wait_for(self.engine.score(crops, texts, klass))
            holding.spend(scored.seconds)
            holding.made_progress()
            return scored

        height, width = fetched.image.shape[:2]
        asked = Asked.of_spec(spec)
        placed = place(job.prompts, (height, width), spec.class_index)
        say_outside(job.name, placed)
        views = Views(self.engine, holding, klass)
        stuff = sorted(spec.rows.stuff)
        tiled: Tiled | None = None
        try:
            if spec.tiles == "off":
                answer = views.whole(fetched.image, asked.texts, stuff=stuff, objects=placed.inside)
            else:
                things = len(stuff) < len(spec.prompts)
                plan = decide(spec.tiles, (height, width), self.tile_side, things=things)
                answer, tiled = views.tiled(fetched.image, asked.texts, plan, stuff=stuff)
            found = placed.complete(answer.found)
            clip_scores = verify(fetched.image, found, asked, score)
        except CancelledError:
            return None
        except SpecError as error:
            raise asked.named(error) from None
        except Transient:
            if self.engine.healthy:
                raise
            holding.lose()
            return None
        instances = relate(found, clip_scores, asked)
        # Negatives come behind the prompts.
        scores = answer.scores[: len(spec.prompts)]
        result = JobResult(job.seq, width, height, instances, fetched.sha256, scores, tiled)
        return Annotated(result)

    def _put_off(self, job: Job, error: Transient, holding: Holding) -> Outcome:
        """Charge the job, unless the fault is the pool's: its store, its credentials, its clock."""
        holding.made_progress()  # probing the store may take as long again
        in_store = isinstance(error, Unreachable) and job.uri.startswith(f"{self.store.url}/")
        ours = in_store or isinstance(error, NoAccess)  # wherever the image lies
        if isinstance(error, WrongClock) or (ours and self._store_is_away()):
            log.warning("image %s is put off: %s", job.name, error, extra={"job": job.seq})
            return Outage(str(error))
        broken_off = isinstance(error, BrokenOff)
        return JobFailure(job.seq, str(error), transient=True, broken_off=broken_off)

    def _store_is_away(self) -> bool:
        """Whether the store answers nothing at all, which is no single image's fault."""
        try:
            self.store.size(_PROBE_KEY)
        except (Unreachable, ConfigError):
            return True
        except Permanent:
            return False
        return False
