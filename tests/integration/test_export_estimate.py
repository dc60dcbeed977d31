"""What an export with finer masks says, and asks, before it begins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from services.pictured import Pictured
from services.plain_pool import PlainPool

from maskpool.fineness import Fineness
from producer import cli
from producer.cli import export as verb
from producer.export import export
from producer.finer_estimate import Estimate
from producer.pool import Pool


@pytest.fixture
def batch(pool: Pool, work: PlainPool, tmp_path: Path) -> Pictured:
    return Pictured(pool, work, tmp_path / "images", 20)


@pytest.mark.parametrize("fineness", [Fineness.LOW, Fineness.HIGH])
def test_an_estimate_is_of_the_batch_s_own_images_and_comes_first(
    batch: Pictured, tmp_path: Path, fineness: Fineness
) -> None:
    target, said = tmp_path / "coco.json", []

    def heard(estimate: Estimate) -> None:
        assert not target.exists()
        said.append(estimate)

    export(
        batch.pool,
        [str(batch.id)],
        target,
        refine=fineness,
        processes=1,
        on_estimate=heard,
    )
    [estimate] = said
    assert (estimate.images, estimate.masks, estimate.processes) == (20, 40, 1)
    # Three places of at most eight images, of two masks each.
    assert 0 < estimate.measured <= 48
    assert estimate.core_seconds > 0
    assert target.exists()


def test_who_does_not_want_it_gets_nothing(batch: Pictured, tmp_path: Path) -> None:
    def refuse(_: Estimate) -> None:
        raise typer.Abort

    target = tmp_path / "coco.json"
    with pytest.raises(typer.Abort):
        export(batch.pool, [str(batch.id)], target, refine=Fineness.LOW, on_estimate=refuse)
    assert [one.name for one in tmp_path.iterdir() if "coco" in one.name] == []


def test_without_finer_masks_nothing_is_estimated(batch: Pictured, tmp_path: Path) -> None:
    said: list[Estimate] = []
    export(batch.pool, [str(batch.id)], tmp_path / "coco.json", on_estimate=said.append)
    assert said == []


LONG = Estimate(Fineness.HIGH, 1_000_000, 7_000_000, 90_000.0, 2, 48)
SHORT = Estimate(Fineness.LOW, 3, 6, 0.5, 2, 6)


class Terminal:
    def __init__(self, *, there: bool) -> None:
        self.there = there

    def isatty(self) -> bool:
        return self.there


def asked(
    monkeypatch: pytest.MonkeyPatch, estimate: Estimate, *, there: bool, yes: bool = False
) -> tuple[list[str], list[str]]:
    """What is said, and what is asked."""
    said: list[str] = []
    questions: list[str] = []
    monkeypatch.setattr(verb.render, "say", said.append)
    monkeypatch.setattr(sys, "stdin", Terminal(there=there))
    monkeypatch.setattr(sys, "stderr", Terminal(there=there))
    monkeypatch.setattr(typer, "confirm", lambda text, **_: questions.append(text))
    verb._agree(estimate, yes=yes)
    return said, questions


def test_a_long_one_is_asked_about_where_somebody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said, questions = asked(monkeypatch, LONG, there=True)
    assert said == [LONG.sentence]
    assert LONG.sentence == (
        "estimate: 1,000,000 images, about 7,000,000 masks, about 1,500 core-minutes to make them "
        "high (in 2 processes 750.0 min), measured on 48 of them"
    )
    assert questions == ["go on?"]
    assert asked(monkeypatch, LONG, there=True, yes=True)[1] == []
    assert asked(monkeypatch, SHORT, there=True)[1] == []


def test_a_long_one_goes_on_and_says_so_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said, questions = asked(monkeypatch, LONG, there=False)
    assert questions == []
    assert said[1].startswith("it goes on, as nobody is there to be asked")
    assert len(asked(monkeypatch, SHORT, there=False)[0]) == 1


def test_yes_without_finer_masks_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["maskpool", "export", "b", "--yes"])
    assert cli._run() == 2
    assert "--yes: is about --refine" in capsys.readouterr().err


def test_the_bar_begins_with_the_first_image(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[str] = []
    monkeypatch.setattr("producer.cli.render.Progress.start", lambda _: began.append("bar"))
    with verb.render.counting(shown=True) as tell:
        assert began == []
        tell(1, 20)
        assert began == ["bar"]
