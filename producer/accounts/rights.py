"""Who may do what: the one table. Documentation is made from it; every route names its right."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Role(StrEnum):
    """What somebody is: the first three in a team, the last one in the whole pool."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    OWNER = "owner"
    ADMIN = "admin"


class Reach(IntEnum):
    """How far a right goes; each includes those before it."""

    NONE = 0
    #: What one made oneself.
    OWN = 1
    #: What belongs to the team in which one has the role.
    TEAM = 2
    ALL = 3


class Right(StrEnum):
    """What a route may need, and what a token may be narrowed to."""

    READ = "read"
    EXPORT = "export"
    PREDICT = "predict"
    UPLOAD = "upload"
    SUBMIT = "submit"
    CHANGE = "change"
    DELETE = "delete"
    POOL = "pool"
    ACCOUNT = "account"
    TEAM = "team"
    USERS = "users"


#: What a right lets one do; for people.
MEANING = {
    Right.READ: "see batches, their images, masks, figures and events",
    Right.EXPORT: "make data sets of them and download these",
    Right.PREDICT: "ask a model about one image and wait for the answer",
    Right.UPLOAD: "bring images",
    Right.SUBMIT: "make batches of uploads and of granted places",
    Right.CHANGE: "pause, resume, cancel, retry, rename a batch, and say how it is read",
    Right.DELETE: "delete batches and uploads",
    Right.POOL: "see workers and the queue",
    Right.ACCOUNT: "one's own password, sessions and tokens",
    Right.TEAM: "members of a team; see the places it may read from",
    Right.USERS: "users, teams, the places a team may read from, and the audit log",
}

_NONE, _OWN, _TEAM, _ALL = Reach

#: Columns: viewer, annotator, owner, admin.
TABLE: dict[Right, tuple[Reach, Reach, Reach, Reach]] = {
    Right.READ: (_TEAM, _TEAM, _TEAM, _ALL),
    Right.EXPORT: (_TEAM, _TEAM, _TEAM, _ALL),
    Right.PREDICT: (_NONE, _TEAM, _TEAM, _ALL),
    Right.UPLOAD: (_NONE, _OWN, _TEAM, _ALL),
    Right.SUBMIT: (_NONE, _TEAM, _TEAM, _ALL),
    Right.CHANGE: (_NONE, _OWN, _TEAM, _ALL),
    Right.DELETE: (_NONE, _OWN, _TEAM, _ALL),
    Right.POOL: (_ALL, _ALL, _ALL, _ALL),
    Right.ACCOUNT: (_OWN, _OWN, _OWN, _OWN),
    Right.TEAM: (_NONE, _NONE, _TEAM, _ALL),
    Right.USERS: (_NONE, _NONE, _NONE, _ALL),
}


def reach(right: Right, role: Role) -> Reach:
    """How far a right goes for a role."""
    return TABLE[right][list(Role).index(role)]
