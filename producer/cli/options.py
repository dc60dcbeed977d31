"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maskpool.domain import SCORE_FLOOR

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
    list[str],
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
    float,
    typer.Option(min=SCORE_FLOOR, max=1.0, help="Least score that counts as found."),
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wide = Annotated[
    bool, typer.Option("--wide", help="All columns, whole ids and names, however long the lines.")
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder of the results; new, empty, or of an earlier run."),
]
