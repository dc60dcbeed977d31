"""How images and their masks are written in answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from maskpool import packed_mask
from maskpool.fineness import Fineness
from maskpool.tiling.record import Tiled, Why
from producer.images import ListedImage, OneImage, StoredInstance, state_word
from producer.outlines import Finer
from producer.results.explained import Explained
from web import pictures
from web.drawing import Drawing
from web.shapes import Shown

State = Literal["waiting", "done", "failed", "cancelled"]


class ImageRow(Shown):
    """One image, without its masks."""

    seq: int = Field(examples=[0])
    name: str = Field(examples=["street/1.jpg"])
    state: State = Field(examples=["done"])
    width: int | None = Field(description="Pixels; null until it is done.", examples=[640])
    height: int | None = Field(description="Pixels; null until it is done.", examples=[480])
    found: dict[str, int] = Field(
        description="Instances that count, by prompt.", examples=[{"bus": 2}]
    )
    error: str | None = Field(description="Why it failed.", examples=[None])


class Images(Shown):
    """One page of images."""

    images: list[ImageRow]
    total: int | None = Field(
        description="How many there are on all pages; said on the first page, else null.",
        examples=[1],
    )
    total_is_about: bool = Field(
        description="The total is estimated from a sample of a large batch's images.",
        examples=[False],
    )
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


class Rle(Shown):
    """A mask as COCO compressed RLE, of the whole image or its view."""

    size: tuple[int, int] = Field(description="Height, width.", examples=[(480, 640)])
    counts: str = Field(examples=["oV52]<4M1O"])


class Instance(Shown):
    """One mask."""

    ordinal: int = Field(description="Its place among all stored of its image.", examples=[0])
    category: str = Field(examples=["bus"])
    prompt: int = Field(
        description="Place of its category among the batch's prompts and classes.", examples=[0]
    )
    counts: bool = Field(description="As its batch is read now.", examples=[True])
    score: float = Field(examples=[0.93])
    box_xyxy: tuple[float, float, float, float] = Field(
        description="Absolute pixels; right and bottom edges are exclusive.",
        examples=[(10.0, 20.0, 110.0, 70.0)],
    )
    area: int = Field(description="Pixels.", examples=[4_200])
    overlap: float = Field(examples=[0.0])
    clip_score: float | None = Field(examples=[None])
    against: float | None = Field(examples=[None])
    against_text: str | None = Field(
        description="The negative text that `against` is of.", examples=[None]
    )
    contended: float | None = Field(examples=[None])
    contender: int | None = Field(
        description="Ordinal of the better instance of another prompt that lies on it.",
        examples=[None],
    )
    object_index: int | None = Field(examples=[None])
    refined: Fineness | None = Field(
        description="With refine: how fine the mask is; less than was asked where a step would "
        "have changed too much of it. Area and box are those of the finer mask.",
        examples=[None],
    )
    segmentation: Rle | None = Field(description="With masks=rle.")
    polygons: list[list[tuple[int, int]]] | None = Field(
        description="With masks=polygon: closed rings along the pixels' edges, x and y each; "
        "what an odd number of them encloses is the mask.",
        examples=[[[(10, 20), (110, 20), (110, 70), (10, 70)]]],
    )


class PromptShown(Shown):
    """What the model thought of one prompt, and why it found nothing where it did not."""

    category: str = Field(examples=["bus"])
    counting: int = Field(description="Instances that count.", examples=[0])
    stored: int = Field(description="Instances that are stored.", examples=[1])
    threshold: float = Field(description="Least score that counts.", examples=[0.5])
    presence: float | None = Field(
        description="How likely there is any of it; null for results of before this was kept.",
        examples=[0.61],
    )
    best: float | None = Field(
        description="Best score of any candidate; below 0.05 nothing is stored.", examples=[0.43]
    )
    reason: str = Field(
        description="Why the nearest stored instance does not count, where none does: `score`, "
        "`area`, `overlap`, `clip`, `against` or `contender`.",
        examples=["score"],
    )
    nearest: int | None = Field(description="Ordinal of that instance.", examples=[0])
    sentence: str = Field(examples=["best .43 under .50"])


class TilesShown(Shown):
    """How an image was looked at."""

    why: Why = Field(
        description="asked: the batch asks for tiles; large: by auto, more than two tiles long; "
        "small: not cut, not much larger than a tile; "
        "regions: not cut, only regions were asked for.",
        examples=["large"],
    )
    side: int = Field(description="Of a tile, pixels.", examples=[1008])
    overlap: float = Field(description="Share that neighbours have in common.", examples=[0.25])
    count: int = Field(description="Tiles beside the whole view; 0: not cut.", examples=[48])
    left_out: int = Field(
        description="Masks beyond the 2,000 that are kept of a prompt.", examples=[0]
    )
    sentence: str = Field(
        examples=[
            "looked at as a whole and in 48 tiles of 1008 pixels, as it is more than two tiles long"
        ]
    )


class UnseenShown(Shown):
    """Why a picture's own edges could not be used."""

    changed: bool = Field(
        description="It is another one than the masks were drawn on; else it is not to be had.",
        examples=[True],
    )
    sentence: str = Field(examples=["the image is another one than its masks were drawn on"])


class RefinedShown(Shown):
    """What became of masks that were to be made finer."""

    asked: Fineness = Field(examples=["medium"])
    masks: int = Field(description="Those of this answer.", examples=[40])
    changed_too_much: int = Field(
        description="Masks of which a step was not taken, as it would have changed too much.",
        examples=[3],
    )
    unseen: UnseenShown | None = Field(
        description="With refine=high: why the picture was of no use, so that masks are medium."
    )


class OneImageShown(Shown):
    """One image with all that counts in it, or all that is stored of it."""

    seq: int = Field(examples=[0])
    name: str = Field(examples=["street/1.jpg"])
    state: State = Field(examples=["done"])
    width: int | None = Field(examples=[640])
    height: int | None = Field(examples=[480])
    mask_width: int | None = Field(
        description="Pixels of the masks: the image's, or its view's with scale=view.",
        examples=[640],
    )
    mask_height: int | None = Field(description="Likewise.", examples=[480])
    error: str | None = Field(examples=[None])
    instances: list[Instance]
    prompts: list[PromptShown] = Field(description="Empty while it is not done.")
    tiles: TilesShown | None = Field(
        description="Null while it is not done, and where its batch asks for no tiles."
    )
    refined: RefinedShown | None = Field(description="With refine, where it is done.")


def row(listed: ListedImage) -> ImageRow:
    """One image of a list."""
    image = listed.image
    return ImageRow(
        seq=image.seq,
        name=image.name,
        state=state_word(image.state),
        width=image.width,
        height=image.height,
        found=dict(listed.found),
        error=image.error,
    )


def shown(one: OneImage, drawn: Drawing) -> OneImageShown:
    """One image as an answer, with its masks as was asked."""
    width, height = drawn.size(one.job.width, one.job.height)
    return OneImageShown(
        seq=one.job.seq,
        name=one.job.name,
        state=one.state,
        width=one.job.width,
        height=one.job.height,
        mask_width=width,
        mask_height=height,
        error=one.job.error,
        instances=[_instance(stored, drawn, one.finer) for stored in one.instances],
        prompts=[_prompt(explained) for explained in one.explained],
        tiles=None if one.tiled is None else _tiles(one.tiled),
        refined=None if one.finer is None else _refined(one.finer),
    )


def _refined(finer: Finer) -> RefinedShown:
    unseen = finer.unseen
    return RefinedShown(
        asked=finer.asked,
        masks=len(finer.masks),
        changed_too_much=finer.changed_too_much,
        unseen=unseen and UnseenShown(changed=unseen.changed, sentence=unseen.sentence),
    )


def _tiles(tiled: Tiled) -> TilesShown:
    return TilesShown(
        why=tiled.why,
        side=tiled.side,
        overlap=tiled.overlap,
        count=tiled.count,
        left_out=tiled.left_out,
        sentence=tiled.sentence,
    )


def _prompt(explained: Explained) -> PromptShown:
    scores = explained.scores
    return PromptShown(
        category=explained.category,
        counting=explained.counting,
        stored=explained.stored,
        threshold=explained.threshold,
        presence=None if scores is None else scores.presence,
        best=None if scores is None else scores.best,
        reason=explained.reason,
        nearest=explained.ordinal,
        sentence=explained.sentence,
    )


def _instance(stored: StoredInstance, drawn: Drawing, finer: Finer | None) -> Instance:
    instance = stored.labelled.instance
    found = instance.found
    return Instance(
        ordinal=stored.ordinal,
        category=stored.labelled.category,
        prompt=found.prompt_index,
        counts=stored.counts,
        score=found.score,
        box_xyxy=found.box_xyxy,
        area=instance.area,
        overlap=instance.overlap,
        clip_score=instance.clip_score,
        against=instance.against,
        against_text=instance.against_text,
        contended=instance.contended,
        contender=instance.contender,
        object_index=found.object_index,
        refined=None if finer is None else finer.taken(stored.ordinal),
        **_mask(found.mask, drawn),
    )


def _mask(mask: packed_mask.Rle, drawn: Drawing) -> dict[str, Any]:
    if drawn.masks == "none":
        return {"segmentation": None, "polygons": None}
    mask = drawn.mask(mask)
    if drawn.masks == "polygon":
        return {"segmentation": None, "polygons": pictures.polygons(mask)}
    return {"segmentation": Rle(size=mask.size, counts=mask.counts), "polygons": None}
