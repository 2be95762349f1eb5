"""Bearer tokens (RFC 6750): taken from a header, made, and known again by their digests alone."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "adx_"
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def token_in(authorization: str | None) -> str:
    """The token of an ``Authorization: Bearer …`` header; empty when there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def digest_of_token(token: str) -> str:
    """SHA-256 in hex. Tokens of ``new_token`` are 256 random bits, so a slow hash would protect nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A token that nobody can guess; its prefix lets scanners of secrets find it."""
    return PREFIX + secrets.token_urlsafe(32)
