"""``submit``: images and prompts become a batch of the pool."""

from __future__ import annotations

from typing import Annotated

import typer

from maskpool.domain import Klass, Priority
from maskpool.errors import Transient
from maskpool.text import counted
from producer.cli import options, render


def submit(
    source: options.Source,
    prompt: options.Prompts = None,
    spec: options.SpecFile = None,
    boxes: options.Boxes = None,
    name: Annotated[str, typer.Option(help="For people; the source's name if not given.")] = "",
    model: options.Model = None,
    threshold: options.Threshold = None,
    exclusive: options.Exclusive = False,
    verify: options.Verify = False,
    tiles: options.Tiles = None,
    priority: Annotated[Priority, typer.Option(help="Among your own batches.")] = Priority.NORMAL,
    now: Annotated[
        bool, typer.Option("--now", help="Someone is waiting: before all bulk.")
    ] = False,
    key: Annotated[
        str,
        typer.Option(help="Idempotency key: the same again is the same batch, or resumes it."),
    ] = "",
    team: Annotated[
        str | None,
        typer.Option(
            help="Name or id of a team: its members see the batch, and its glossary counts.",
            show_default=False,
        ),
    ] = None,
    no_upload: Annotated[
        bool,
        typer.Option("--no-upload", help="Workers see the same paths: copy nothing to the store."),
    ] = False,
    sample: options.SampleImages = None,
    seed: options.SampleSeed = None,
    strict: options.Strict = False,
    as_json: options.AsJson = False,
) -> None:
    """Submit images and prompts to the pool, as one batch."""
    from producer import glossary
    from producer import submit as submitting
    from producer.accounts import teams
    from producer.pool import open_pool, why_idle
    from producer.sources.sampled import sample_of
    from producer.submission import left_out_boxes, prepare

    asked = options.asked(
        spec,
        prompt,
        model=model,
        threshold=threshold,
        exclusive=exclusive,
        verify=verify,
        tiles=tiles,
    )
    drawn = options.sample(sample, seed)
    with open_pool() as pool:
        team_id = None if team is None else teams.find(pool, team).id
        asked = glossary.composed(pool, team_id, asked)
        for sentence in glossary.sentences(asked):
            render.say(sentence)
        submission = prepare(
            pool.settings,
            source,
            asked,
            boxes=boxes,
            name=name,
            key=key,
            klass=Klass.NOW if now else Klass.BULK,
            priority=priority,
            same_paths=no_upload,
            sample=drawn,
            strict=strict,
            team_id=team_id,
        )
        render.warn(why_idle(pool, submission.spec.model))
        render.warn(left_out_boxes(submission.source))
        with render.working("loading") as line:
            try:
                done = submitting.submit(
                    pool, submission, lambda n: line.update(f"{counted(n, 'image')} loaded")
                )
            except (KeyboardInterrupt, Transient):
                # What was loaded stays, and whether the last COMMIT went through nobody can say.
                render.errors.print(
                    f"interrupted; go on with the same command and --key {submission.key}"
                )
                raise
    drawn = sample_of(submission.source)
    if as_json:
        render.print_json(
            {
                "id": str(done.batch_id),
                "total": done.total,
                "new": done.created,
                "sample": drawn and drawn.dump(),
                "read_anew": done.read_anew,
                "passed_over": done.passed_over.counts,
            }
        )
        return
    word = "submitted" if done.created else "was submitted before"
    of = f", a sample of {drawn.of:,}" if drawn else ""
    render.console.print(f"{done.batch_id}  {word}: {counted(done.total, 'image')}{of}")
    if done.read_anew:
        render.say("its results count in the way that was asked for now; no image is run again")
    if done.passed_over:
        render.say(done.passed_over.sentence())
    if drawn:
        render.say("for all of them, submit the same without --sample")
    render.errors.print(f"watch it: maskpool status --watch {done.batch_id}", style="dim")
