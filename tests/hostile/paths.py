"""Names that a folder or a file may legally have, and that break what pastes paths together."""

from __future__ import annotations

#: One name for each sign that means something in a URL, a list, a shell, a pattern or a format.
NAMES = (
    "a#b",
    "what?v2",
    "q?mode=memory&cache=shared",
    "100%",
    "a%20b",
    "a%2Fb",
    "%(here)s",
    "%s%%",
    "x;y",
    "d:one",
    "a&b=c",
    "user@host",
    "user:pw@host",
    "a,b",
    "a b",
    " ends with spaces ",
    "'single'",
    '"double"',
    "back\\slash",
    "new\nline",
    "tab\tand\rreturn",
    "ünïcödé 图 🦊",
    "[1]",
    '["json"]',
    "{x}",
    "{0}",
    "$HOME",
    "`x`",
    "*.?",
    "~",
    "-o",
    "--port",
    "a+b",
    "<a>|b",
    "file:",
    ":memory:",
    "!",
    "....",
    "n" * 200,
)

#: Most of them at once, short enough for the path of a socket.
ALL_IN_ONE = "#?v=2%20%s;d:e&@h, '\"\\\n[1]{图}$*+~"
