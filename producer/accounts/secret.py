"""Secrets that let somebody in: 32 random bytes, of which the rows keep only a hash."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_secret() -> str:
    """43 characters that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """SHA-256 as hex digits. A slow hash would add nothing: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
