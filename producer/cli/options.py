"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool.domain import DEFAULT_THRESHOLD, SCORE_FLOOR
from maskpool.fineness import Fineness
from maskpool.sample import MAX_IMAGES, MAX_SEED, Sample
from producer.cli import render

if TYPE_CHECKING:  # imported only when a verb runs
    from maskpool.spec_file import Asked

Source = Annotated[
    str,
    typer.Argument(
        help="A folder, an image, a quoted glob, s3://bucket/prefix, https://host/image, or a "
        "manifest (.csv, .jsonl, .txt).",
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Refuse a source of which anything would be passed over."),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        "-p",
        help="What to look for, e.g. 'yellow school bus', 'cone, not barrel', "
        "'vehicle=yellow school bus'; in double quotes what holds = or ', not'. Repeat for more.",
        show_default=False,
    ),
]

Batch = Annotated[
    str,
    typer.Argument(help="Id, beginning or end of an id, or name.", show_default=False),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Alias of the models; default MASKPOOL_MODEL, else demo."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=SCORE_FLOOR,
        max=1.0,
        help=f"Least score that counts as found; {DEFAULT_THRESHOLD} if nothing says otherwise.",
        show_default=False,
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        help="YAML or JSON file with the prompts and what counts; maskpool schema describes it.",
        show_default=False,
    ),
]
Boxes = Annotated[
    Path | None,
    typer.Option(
        help="Boxes that are to become masks: COCO, YOLO labels, Pascal VOC or LabelMe, a file or "
        "a folder. Images are matched by name.",
        show_default=False,
    ),
]
Exclusive = Annotated[
    bool,
    typer.Option(
        "--exclusive", help="One class an object: it belongs to the prompt that scores highest."
    ),
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="CLIP weighs each mask against the 'not' texts, too."),
]
Tiles = Annotated[
    str | None,
    typer.Option(
        help="Look at large images in overlapping tiles, too: off, auto, a side in pixels, or a "
        "side and an overlap as 1008/0.25.",
        show_default=False,
    ),
]
OwnThreshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0.0,
        max=1.0,
        help="Least score, instead of the batch's own.",
        show_default=False,
    ),
]
OwnOverlap = Annotated[
    float | None,
    typer.Option(
        "--max-overlap",
        min=0.0,
        max=1.0,
        help="Most IoU with a better mask of the same prompt, instead of the batch's own; "
        "1 keeps duplicates.",
        show_default=False,
    ),
]
OwnAgainst = Annotated[
    float | None,
    typer.Option(
        "--max-against",
        min=0.0,
        max=1.0,
        help="Most that a 'not' text may explain a mask, instead of the batch's own; 1 lets all "
        "of them count.",
        show_default=False,
    ),
]
OwnExclusive = Annotated[
    bool | None,
    typer.Option(
        "--exclusive/--shared",
        help="Whether an object belongs to the prompt that scores highest alone, instead of the "
        "batch's own.",
        show_default=False,
    ),
]
SampleImages = Annotated[
    int | None,
    typer.Option(
        "--sample",
        min=1,
        max=MAX_IMAGES,
        help="Only so many images of the source, drawn by lot: to look before the whole is paid.",
        show_default=False,
    ),
]
SampleSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        max=MAX_SEED,
        help="Another seed draws another sample; 0 if not given.",
        show_default=False,
    ),
]
Refine = Annotated[
    Fineness,
    typer.Option(
        "--refine",
        help="Make masks finer: low drops specks and pits, medium smooths outlines, too, high "
        "draws them to the picture's edges. What is stored stays as it is.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wide = Annotated[
    bool, typer.Option("--wide", help="All columns, whole ids and names, however long the lines.")
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder of the results; new, empty, or of an earlier run."),
]


def asked(
    spec: Path | None,
    prompts: list[str] | None,
    *,
    model: str | None,
    threshold: float | None,
    exclusive: bool,
    verify: bool,
    tiles: str | None,
) -> Asked:
    """Put the flags of a question, and its file where there is one, together.

    Warns of texts that will hardly mean what they say.

    Raises:
        SpecError: A field or a prompt is refused.
    """
    from maskpool.prompts import why_misread
    from maskpool.spec_file import asked as asked_for
    from maskpool.spec_file import read_question
    from maskpool.tiling.asked import parse as parse_tiles

    question = asked_for(
        None if spec is None else read_question(spec),
        prompts or (),
        model=model or "",
        threshold=threshold,
        exclusive=exclusive,
        verify=verify,
        tiles=None if tiles is None else parse_tiles(tiles),
    )
    render.warn(filter(None, map(why_misread, question.prompts)))
    return question


def sample(images: int | None, seed: int | None) -> Sample | None:
    """The sample that two flags ask for; None for all images.

    Raises:
        BadParameter: A seed without a sample draws nothing.
    """
    if images is None:
        if seed is not None:
            msg = "it draws a sample; say how large: --sample 200"
            raise typer.BadParameter(msg, param_hint="--seed")
        return None
    return Sample(images, seed or 0)
