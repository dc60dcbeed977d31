"""What training asks about a scene: which phrases, how they are worded, which objects they mean."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerFast

from training.losses import PairTargets
from training.scene_pool import SceneBatch
from training.vocabulary import (
    ANY_SHAPE,
    ARTICLES,
    COLOURS,
    SHAPES,
    Phrase,
    combinations,
    plural,
)

Rng = np.random.Generator

#: Words outside the vocabulary; the tokenizer maps all of them to the same token.
UNKNOWN_WORDS = ("dog", "car", "person", "bus", "tree", "hexagon", "pink", "table")


@dataclass(frozen=True, slots=True)
class Questions:
    """The prompts asked in one step: `N` pairs over `B` scenes."""

    #: int64 `(N, tokens)` and bool `(N, tokens)`.
    ids: torch.Tensor
    mask: torch.Tensor
    #: int64 `(N,)`.
    image_of_pair: torch.Tensor
    targets: PairTargets


def ask(batch: SceneBatch, tokenizer: PreTrainedTokenizerFast, prompts: int, rng: Rng) -> Questions:
    """Picks and words prompts for each scene and works out which objects they mean."""
    kinds, device = batch.kinds.cpu().numpy(), batch.kinds.device
    phrases: list[Phrase | None] = []
    for row in kinds:
        phrases += pick_phrases(row, prompts, rng)
    tokens = tokenizer(
        [wording(phrase, rng) for phrase in phrases], padding=True, return_tensors="pt"
    )
    image_of_pair = torch.arange(len(kinds), device=device).repeat_interleave(prompts)
    wanted = torch.zeros(len(phrases), kinds.shape[1], dtype=torch.bool)
    for pair, phrase in enumerate(phrases):
        for item, (shape, colour) in enumerate(kinds[pair // prompts]):
            if phrase is not None and shape >= 0:
                wanted[pair, item] = phrase.matches(COLOURS[colour], SHAPES[shape])
    targets = PairTargets(wanted.to(device), batch.boxes[image_of_pair])
    ids, mask = (
        tokens["input_ids"].to(device),
        tokens["attention_mask"].bool().to(device),
    )
    return Questions(ids, mask, image_of_pair, targets)


def wording(phrase: Phrase | None, rng: Rng) -> str:
    """Words a phrase as people might, with articles and plurals; None is an unknown thing."""
    if phrase is None:
        unknown = str(rng.choice(UNKNOWN_WORDS))
        return f"{rng.choice(COLOURS)} {unknown}" if rng.random() < 0.5 else unknown
    noun = phrase.shape or ANY_SHAPE
    style = rng.random()
    text = " ".join(word for word in (phrase.colour, plural(noun) if style > 0.7 else noun) if word)
    return f"{rng.choice(ARTICLES)} {text}" if rng.random() < 0.3 else text


def pick_phrases(kinds: npt.NDArray[np.int64], count: int, rng: Rng) -> list[Phrase | None]:
    """Picks what to ask about one scene.

    Two of five are present (a combination, then a word alone or another combination), one is nearly
    right, the rest anything.

    Args:
        kinds: int64 `(O, 2)`, the scene's objects, -1 where there is none.
        count: How many phrases.
        rng: Source of randomness.

    Returns:
        `count` phrases; None stands for an unknown word.
    """
    present = [(COLOURS[colour], SHAPES[shape]) for shape, colour in kinds if shape >= 0]
    phrases: list[Phrase | None] = []
    for index in range(count):
        colour, shape = present[int(rng.integers(len(present)))]
        if index == 0:
            phrases.append(Phrase(colour, shape))
        elif index == 1:
            phrases.append(
                [Phrase(None, shape), Phrase(colour, None), Phrase(colour, shape)][
                    int(rng.integers(3))
                ]
            )
        elif index == 2:
            phrases.append(_nearly_right(present, rng))
        else:
            phrases.append(_anything(present, rng))
    return phrases


def _nearly_right(present: list[tuple[str, str]], rng: Rng) -> Phrase:
    """Picks an absent combination whose colour or shape, or both apart, are there."""
    absent = [phrase for phrase in combinations() if (phrase.colour, phrase.shape) not in present]
    colours, shapes = {colour for colour, _ in present}, {shape for _, shape in present}
    swapped = [phrase for phrase in absent if phrase.colour in colours and phrase.shape in shapes]
    half = [phrase for phrase in absent if (phrase.colour in colours) != (phrase.shape in shapes)]
    choices = swapped if swapped and (rng.random() < 0.6 or not half) else half or absent
    return choices[int(rng.integers(len(choices)))]


def _anything(present: list[tuple[str, str]], rng: Rng) -> Phrase | None:
    """Picks an unknown word, a word alone, every shape, or a combination, present or not."""
    draw = rng.random()
    colour, shape = str(rng.choice(COLOURS)), str(rng.choice(SHAPES))
    if draw < 0.12:
        return None
    if draw < 0.32:
        return Phrase(None, shape)
    if draw < 0.52:
        return Phrase(colour, None)
    if draw < 0.57:
        return Phrase(None, None)
    if draw < 0.8:
        return Phrase(*present[int(rng.integers(len(present)))])
    return _nearly_right(present, rng) if draw < 0.9 else Phrase(colour, shape)
