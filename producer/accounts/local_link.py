"""The link by which the owner of a local stack logs in: it works once, and not for long.

That a server listens on loopback alone keeps nobody out: any web page can send requests there, and
so can every other user of the machine. So ``maskpool up`` prints a link with a token, which lies in
its home for its owner's eyes only, and becomes a cookie.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from db import accounts
from db.accounts import User
from db.session import Database
from maskpool.errors import NotFound
from maskpool.files import write_whole
from maskpool.settings import Settings
from producer.accounts import audit, sessions
from producer.accounts.audit import Actor
from producer.accounts.secret import digest, new_secret
from producer.pool import Pool

#: In the home.
FILE = "login.json"

#: How long a link works.
LIFE_SECONDS = 3_600

#: Behind the server's address.
PATH = "/login/local"


@dataclass(frozen=True, slots=True)
class _Link:
    """What the file holds: not the token itself, so that a copy of it lets nobody in."""

    token_hash: str
    user_id: int
    expires_at: float


def make_link(settings: Settings, database: Database, base_url: str) -> str:
    """A link that logs the stack's owner in as admin; an earlier one works no more.

    Args:
        settings: Of the stack: its home, and who owns it.
        database: Of the stack.
        base_url: Where its web server is, without a slash at the end.
    """
    name = settings.owner_name
    with database.write() as session:
        made = accounts.insert(session, name)
        owner = accounts.by_name(session, name)
        assert owner is not None  # noqa: S101 - it was just made, or was there
        if not owner.admin:
            accounts.set_admin(session, owner.id, admin=True)
            actor = Actor.at_shell(settings)
            audit.append(session, actor, "user.create" if made else "user.admin", name, admin=1)
    token = new_secret()
    link = _Link(digest(token), owner.id, time.time() + LIFE_SECONDS)
    write_whole(settings.home / FILE, json.dumps(asdict(link)).encode(), durable=False, mode=0o600)
    return f"{base_url}{PATH}?token={token}"


def exchange(pool: Pool, token: str, *, agent: str, address: str) -> str:
    """The cookie's secret for a link's token, which works no more from then on.

    Raises:
        NotFound: The link was used, is too old, or is none of this stack.
    """
    file = pool.settings.home / FILE
    refusal = NotFound("this link was used or is too old; maskpool user link prints a new one")
    link = _read(file)
    if link is None or not secrets.compare_digest(link.token_hash, digest(token)):
        raise refusal
    try:
        # Of two who come at once, one finds nothing to delete.
        file.unlink()
    except FileNotFoundError:
        raise refusal from None
    if link.expires_at < time.time():
        raise refusal
    with pool.database.write() as session:
        owner: User = accounts.by_id(session, link.user_id)
        if not owner.active:
            raise refusal
        return sessions.begin(session, owner, agent=agent, address=address)


def _read(file: Path) -> _Link | None:
    try:
        return _Link(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
