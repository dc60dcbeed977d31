"""Passwords, kept as argon2id hashes; checking one takes the same time whoever asks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from maskpool.errors import SpecError, Transient
from maskpool.text import is_storable

if TYPE_CHECKING:  # imported with the first password
    from argon2 import PasswordHasher

#: OWASP's Password Storage Cheat Sheet: argon2id with m = 19 MiB, t = 2, p = 1.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1

#: Each check takes 19 MiB and a core; those that come meanwhile wait, few enough that requests of
#: other kinds still find a thread.
_AT_ONCE, _WITHIN = BoundedSemaphore(2), BoundedSemaphore(6)

#: NIST SP 800-63B asks for a least length and no other rule; the longest keeps work bounded.
_MIN_CHARACTERS, _MAX_CHARACTERS = 12, 256

#: Of a generated one: 96 bits.
_GENERATED_BYTES = 12


def generate() -> str:
    """A new password that nobody can guess."""
    return secrets.token_urlsafe(_GENERATED_BYTES)


def hashed(password: str) -> str:
    """What the row keeps of a password.

    Raises:
        SpecError: It is too short or too long.
        Transient: Too many people log in at this moment.
    """
    if not _MIN_CHARACTERS <= len(password) <= _MAX_CHARACTERS or not is_storable(password):
        raise SpecError(
            "password",
            f"must have {_MIN_CHARACTERS} to {_MAX_CHARACTERS} characters; several words make a "
            "good one",
            code="password.length",
            params={"least": _MIN_CHARACTERS, "most": _MAX_CHARACTERS},
        )
    return _hashed(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one of a hash.

    Where there is no hash a dummy is checked, so that time does not tell which names exist.

    Raises:
        Transient: Too many people log in at this moment.
    """
    if len(password) > _MAX_CHARACTERS or not is_storable(password):
        return False
    with _place():
        right = _verified(password_hash or _dummy(), password)
    return right and password_hash is not None


def renewed(password_hash: str, password: str) -> str | None:
    """A new hash where the old one was made with other parameters than those of today.

    Raises:
        Transient: Too many people log in at this moment.
    """
    return _hashed(password) if _hasher().check_needs_rehash(password_hash) else None


def _hashed(password: str) -> str:
    with _place():
        return _hasher().hash(password)


@lru_cache(1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415 - a server that only shows results needs none

    return PasswordHasher(_PASSES, _MEMORY_KIB, _LANES)


def _verified(password_hash: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

    try:
        return _hasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(1)
def _dummy() -> str:
    return _hasher().hash(secrets.token_urlsafe())


@contextmanager
def _place() -> Iterator[None]:
    if not _WITHIN.acquire(blocking=False):
        raise Transient("too many people log in at this moment; try again in a few seconds")
    try:
        with _AT_ONCE:
            yield
    finally:
        _WITHIN.release()
