"""What workers can do beside looking for texts, and what a spec needs of them."""

from __future__ import annotations

from enum import StrEnum

from maskpool.spec import BatchSpec


class Ability(StrEnum):
    """What a worker announces that it can do beside looking for texts."""

    #: Spec version 2: negatives as rows of their own, contended instances.
    SPEC2 = "spec2"
    #: One region a prompt, from the semantic head.
    STUFF = "stuff"
    #: A mask from a box or points.
    OBJECTS = "objects"
    #: A spec that names the glossary its texts were composed with.
    GLOSSARY = "glossary"
    #: Large images in tiles.
    TILES = "tiles"


def needed(spec: BatchSpec, *, objects: bool) -> frozenset[Ability]:
    """What a worker must be able to do, beside looking for texts.

    Args:
        spec: Of the batch.
        objects: Whether objects are asked for: of a whole batch, whether it has classes; of one
            image, whether its job has any.
    """
    asked = {
        Ability.SPEC2: spec.version > 1,
        Ability.STUFF: bool(spec.rows.stuff),
        Ability.OBJECTS: objects,
        Ability.GLOSSARY: bool(spec.glossary) or any(one.typed for one in spec.prompts),
        Ability.TILES: spec.tiles != "off",
    }
    return frozenset(ability for ability, is_asked in asked.items() if is_asked)
