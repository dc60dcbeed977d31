"""The table of rights, and the page that shows it."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from producer.accounts.caller import Caller
from producer.accounts.rights import MEANING, TABLE, Reach, Right, Role, reach

PAGE = Path(__file__).resolve().parents[4] / "docs" / "SECURITY.md"

WORDS = {
    Reach.NONE: "–",
    Reach.OWN: "own",
    Reach.TEAM: "team's",
    Reach.ALL: "all",
}


def table() -> str:
    """The table as the page must have it."""
    lines = [
        "| right | viewer | annotator | owner | admin | lets one … |",
        "|---|---|---|---|---|---|",
    ]
    for right, row in TABLE.items():
        cells = " | ".join(WORDS[one] for one in row)
        lines.append(f"| `{right}` | {cells} | {MEANING[right]} |")
    return "\n".join(lines)


def test_the_page_shows_the_table() -> None:
    assert table() in PAGE.read_text(), f"docs/SECURITY.md must hold:\n{table()}"


def test_the_table_is_whole_and_no_role_has_less_than_the_one_before() -> None:
    assert list(TABLE) == list(Right)
    assert list(MEANING) == list(Right)
    for right in Right:
        row = [reach(right, role) for role in Role]
        assert row == sorted(row), right


@pytest.mark.parametrize("right", Right)
def test_a_token_never_has_more_than_its_user_nor_than_its_scopes(right: Right) -> None:
    team = uuid4()
    viewer = Caller(1, "v", teams={team: Role.VIEWER}, scopes=frozenset(Right))
    assert viewer.has(right) == (reach(right, Role.VIEWER) is not Reach.NONE)
    admin = Caller(2, "a", admin=True, scopes=frozenset(Right) - {right})
    assert not admin.has(right)
    assert not admin.may(right, owner_id=2, team_id=team)
    assert admin.teams_for(right) == frozenset()
