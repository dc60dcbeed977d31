"""What the workers of a model must be able to do before work for them is begun."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import workers
from maskpool.abilities import Ability, needed
from maskpool.errors import ConfigError
from maskpool.spec import BatchSpec

_WORDS = {
    Ability.SPEC2: "of this version (specs of version 2)",
    Ability.STUFF: "that know kind: stuff",
    Ability.GLOSSARY: "of this version (prompts in Chinese)",
    Ability.TILES: "of this version (tiles)",
    Ability.OBJECTS: "whose model makes masks of boxes and points (SAM3 with its tracker)",
}


def require_abilities(session: Session, spec: BatchSpec) -> None:
    """Refuse what a living worker of the model could not do; where none lives, nothing is known.

    Raises:
        ConfigError: Names a worker, and what it lacks.
    """
    wanted = needed(spec, objects=bool(spec.classes))
    for worker in workers.alive(session) if wanted else ():
        lacking = wanted - worker.abilities
        if worker.model == spec.model and lacking:
            raise ConfigError(
                f"this takes workers {' and '.join(_WORDS[one] for one in sorted(lacking))}, and "
                f"{worker.name} is none; upgrade the workers of {spec.model!r}, or ask for less",
                code="worker.lacks",
                params={
                    "worker": worker.name,
                    "model": spec.model,
                    "lacks": sorted(map(str, lacking)),
                },
            )
