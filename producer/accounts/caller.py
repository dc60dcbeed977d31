"""Whoever asks for something, as far as rights go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from producer.accounts.rights import Reach, Right, Role, reach


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known.

    Attributes:
        user_id: Row of ``users``.
        name: Under which their batches are.
        admin: Of the whole pool.
        teams: Their role in each team they are in.
        scopes: What a token is narrowed to; None where nothing narrows it.
        session_id: Of the browser that asks; None where a token asks.
    """

    user_id: int
    name: str
    admin: bool = False
    teams: Mapping[UUID, Role] = field(default_factory=dict)
    scopes: frozenset[Right] | None = None
    session_id: UUID | None = None

    def has(self, right: Right) -> bool:
        """Whether the right reaches anything at all for them."""
        if self.scopes is not None and right not in self.scopes:
            return False
        return any(reach(right, role) for role in self._roles())

    def may(self, right: Right, *, owner_id: int | None, team_id: UUID | None) -> bool:
        """Whether the right reaches one thing.

        Args:
            right: Which.
            owner_id: Whose the thing is; None where it is nobody's.
            team_id: Of which team; None where it is of none.
        """
        if not self.has(right):
            return False
        if self.admin and reach(right, Role.ADMIN) is Reach.ALL:
            return True
        if owner_id == self.user_id:
            return True
        role = None if team_id is None else self.teams.get(team_id)
        return role is not None and reach(right, role) >= Reach.TEAM

    def teams_for(self, right: Right) -> frozenset[UUID] | None:
        """Teams whose things the right reaches; None: everything there is."""
        if not self.has(right):
            return frozenset()
        if self.admin and reach(right, Role.ADMIN) is Reach.ALL:
            return None
        return frozenset(
            team for team, role in self.teams.items() if reach(right, role) >= Reach.TEAM
        )

    def _roles(self) -> set[Role]:
        # Somebody of no team works alone, with what an annotator may do with their own.
        roles = set(self.teams.values()) or {Role.ANNOTATOR}
        return roles | ({Role.ADMIN} if self.admin else set())
