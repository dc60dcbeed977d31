"""What the workers of a model must be able to do before work for them is begun."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import workers
from maskpool.asks import Ability
from maskpool.errors import ConfigError
from maskpool.spec import BatchSpec

_WORDS = {
    Ability.SPEC2: "of this version (specs of version 2)",
    Ability.STUFF: "that know kind: stuff",
    Ability.OBJECTS: "whose model makes masks of boxes and points (SAM3 with its tracker)",
}


def needed(spec: BatchSpec) -> frozenset[Ability]:
    """What workers must be able to do for a batch, beside looking for texts."""
    asked = {
        Ability.SPEC2: spec.version > 1,
        Ability.STUFF: bool(spec.rows.stuff),
        Ability.OBJECTS: bool(spec.classes),
    }
    return frozenset(ability for ability, is_asked in asked.items() if is_asked)


def require_abilities(session: Session, spec: BatchSpec) -> None:
    """Refuse what a living worker of the model could not do; where none lives, nothing is known.

    Raises:
        ConfigError: Names a worker, and what it lacks.
    """
    wanted = needed(spec)
    for worker in workers.alive(session) if wanted else ():
        lacking = wanted - worker.abilities
        if worker.model == spec.model and lacking:
            raise ConfigError(
                f"this takes workers {' and '.join(_WORDS[one] for one in sorted(lacking))}, and "
                f"{worker.name} is none; upgrade the workers of {spec.model!r}, or ask for less"
            )
