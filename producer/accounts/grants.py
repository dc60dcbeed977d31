"""Which team may read images from where, and whether one address is among that.

Workers read with their own keys, so whoever may name any address could read what others keep. What
lies in the pool's own store is never granted: it is reached by the batch or upload it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from db import grants as rows
from db.grants import Grant
from db.teams import Team
from maskpool import setting_lists
from maskpool.errors import NotFound, SourceError, SpecError
from maskpool.settings import Settings
from maskpool.text import one_line
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right
from producer.pool import Pool
from storage.images.web.urls import host_allowed, is_web, shown_address, split_web
from storage.uris import split_s3

__all__ = [
    "Grant",
    "Readable",
    "Unread",
    "grant",
    "listing",
    "readable",
    "refused",
    "require",
    "take_back",
]

_BUCKET, _HOST = "bucket", "host"

_S3 = "s3://"


class Unread(NamedTuple):
    """Why an address may not be read.

    Attributes:
        code: By which pages translate it.
        reason: Said of the address.
    """

    code: str
    reason: str


_NO_ADDRESS = Unread("place.kind", "is no s3://, http:// or https:// address; upload local files")
_ODD_KEY = Unread(
    "place.key", "has an empty part, . or .. in its key; name the object as it is listed"
)
_OWN_STORE = Unread(
    "place.own_store", "lies in the pool's own store; name the upload or batch instead"
)
_OWN_HOST = Unread("place.own_store", "is the pool's own store; name the upload or batch instead")
_NO_BUCKET = Unread(
    "place.bucket", "is in no bucket that your team may read; ask an admin to grant it"
)
_NO_HOST = Unread("place.host", "is on no host that your team may read; ask an admin to grant it")


def grant(pool: Pool, actor: Actor, team: Team, kind: str, place: str) -> Grant:
    """Let a team read from a place.

    Args:
        pool: Where the teams are.
        actor: Who does it.
        team: Which.
        kind: ``bucket`` or ``host``.
        place: ``bucket`` or ``bucket/prefix``; a host's name, or ``*.name``.

    Raises:
        SpecError: Kind or place are refused.
    """
    place = _bucket(place, pool.settings) if kind == _BUCKET else _host(kind, place)
    with pool.database.write() as session:
        made = rows.create(session, team.id, kind, place)
        audit.append(session, actor, "grant.add", team.name, kind=kind, place=place)
    return made


def listing(pool: Pool, team_id: UUID) -> list[Grant]:
    """What a team may read, by kind and place."""
    with pool.database.read() as session:
        return rows.of_team(session, team_id)


def take_back(pool: Pool, actor: Actor, team: Team, grant_id: UUID) -> None:
    """Let a team no longer read from a place; batches that were submitted go on.

    Raises:
        NotFound: The team has no such grant.
    """
    with pool.database.write() as session:
        place = rows.remove(session, team.id, grant_id)
        if place is None:
            raise NotFound(f"{team.name} has no grant {grant_id}")
        audit.append(session, actor, "grant.remove", team.name, place=place)


@dataclass(frozen=True, slots=True)
class Readable:
    """Where one team may read, read once for a whole list of addresses.

    Attributes:
        buckets: ``bucket/prefix/`` each.
        hosts: Patterns of hosts.
        store: URL of the pool's store.
        store_host: Of the store's endpoint; empty where it is a folder, or AWS.
    """

    buckets: tuple[str, ...]
    hosts: tuple[str, ...]
    store: str
    store_host: str

    def refusal(self, uri: str) -> Unread | None:
        """Why an address, or all below a prefix, may not be read; None where it may."""
        if place := split_s3(uri):
            return self._bucket_refusal(uri, *place)
        if is_web(uri):
            return self._host_refusal(uri)
        return _NO_ADDRESS

    def may_read(self, uri: str) -> bool:
        """Whether an address, or all below a prefix, may be read."""
        return not self.refusal(uri)

    def _bucket_refusal(self, uri: str, bucket: str, key: str) -> Unread | None:
        path = f"{bucket}/{key}"
        if not _is_plain(key):
            # Some servers take a/../b for b, and then a prefix would say nothing.
            return _ODD_KEY
        if _overlaps(uri, self.store):
            return _OWN_STORE
        if any(f"{path}/".startswith(place) for place in self.buckets):
            return None
        return _NO_BUCKET

    def _host_refusal(self, uri: str) -> Unread | None:
        try:
            host = split_web(uri).host
        except ValueError as error:
            return Unread("place.address", str(error))
        if host == self.store_host:
            return _OWN_HOST
        if host_allowed(host, self.hosts):
            return None
        return _NO_HOST


def readable(pool: Pool, caller: Caller, team_id: UUID | None) -> Readable:
    """Where a caller may read for one of their teams; nowhere where they name none.

    Raises:
        Refused: They may not submit for this team.
    """
    if team_id is None:
        granted: list[Grant] = []
    elif caller.may(Right.SUBMIT, owner_id=None, team_id=team_id):
        granted = listing(pool, team_id)
    else:
        raise Refused("you may not submit for this team", code="batch.team")
    return Readable(
        buckets=tuple(one.place for one in granted if one.kind == _BUCKET),
        hosts=tuple(one.place for one in granted if one.kind == _HOST),
        store=pool.settings.store_url.rstrip("/"),
        store_host=urlsplit(pool.settings.s3_endpoint_url).hostname or "",
    )


def require(pool: Pool, caller: Caller, team_id: UUID | None, uri: str) -> None:
    """Refuse an address that a caller may not read for a team; see ``readable`` for many.

    Raises:
        SourceError: It may not be read.
        Refused: They may not submit for this team.
    """
    if why := readable(pool, caller, team_id).refusal(uri):
        raise refused(uri, why)


def refused(uri: str, why: Unread) -> SourceError:
    """The refusal of an address for what ``Readable.refusal`` says."""
    shown = shown_address(uri)
    return SourceError(shown, why.reason, code=why.code, params={"place": shown})


def _bucket(text: str, settings: Settings) -> str:
    place = split_s3(f"{_S3}{text.removeprefix(_S3)}")
    if place is None or one_line(text) != text or not _is_plain(place[1]):
        raise SpecError("place", f"{text!r} is no bucket; write bucket or bucket/prefix")
    path = f"{place[0]}/{place[1]}".rstrip("/") + "/"
    if f"{_S3}{path}".startswith(settings.store_url.rstrip("/") + "/"):
        raise SpecError("place", f"{text!r} lies in the pool's own store, which nobody is granted")
    return path


def _host(kind: str, text: str) -> str:
    if kind != _HOST:
        raise SpecError("kind", f"{kind!r} is none; write bucket or host")
    try:
        [pattern] = setting_lists.read_hosts(text)  # type: ignore[misc]  # a tuple, of a text
    except ValueError:
        pattern = "*"
    if pattern == "*":
        raise SpecError("place", f"{text!r} is no host; write images.org or *.images.org")
    return str(pattern)


def _is_plain(key: str) -> bool:
    parts = key.removesuffix("/").split("/") if key else []
    return not any(part in ("", ".", "..") for part in parts)


def _overlaps(uri: str, store: str) -> bool:
    """Whether one lies in the other: listing all above the store would list the store as well."""
    one, other = f"{uri.rstrip('/')}/", f"{store}/"
    return bool(store) and (one.startswith(other) or other.startswith(one))
