"""Batches beside the usual ones of ``World.submit``: other specs, a known key, images uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from faults import scenes
from faults.world import SPEC, World

from maskpool.domain import Klass, new_id
from maskpool.spec import BatchSpec
from producer.dispatch.broker import Broker
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter


def manifest(world: World, count: int, images: Sequence[str] = ()) -> str:
    """A list of ``count`` scenes; ``images`` names those to take in turn instead of the usual."""
    drawn = images or [f"scene_{number:02d}.png" for number in range(scenes.KINDS)]
    lines = [scenes.manifest_line(seq, drawn[seq % len(drawn)]) for seq in range(count)]
    path = world.images / f"{new_id()}.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def submit(
    world: World,
    source: str,
    *,
    key: str = "",
    spec: BatchSpec = SPEC,
    klass: Klass = Klass.BULK,
    upload: bool = False,
) -> UUID:
    """Submit once, and let the world know of the batch.

    Args:
        world: Where to.
        source: A manifest.
        key: The same twice resumes; empty for one of its own.
        spec: What is looked for.
        klass: Whether someone waits.
        upload: Whether workers read the images from the store.

    Raises:
        Unreachable: As the submitter does; nothing is known of the batch then.
    """
    submission = Submission(open_source(source), spec, "ann", key or str(new_id()), klass=klass)
    broker = Broker(world.redis.url)
    try:
        submitter = Submitter(world.database, broker.wake, world.store if upload else None)
        batch_id = submitter.submit(submission).batch_id
    finally:
        broker.close()
    if batch_id not in world.batch_ids:
        world.batch_ids.append(batch_id)
    return batch_id
