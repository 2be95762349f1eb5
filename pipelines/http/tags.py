"""Entity tags (RFC 9110, 8.8.3 and 13.1.2)."""

from __future__ import annotations

import hashlib


def tag_of(content: bytes) -> str:
    """A strong tag of ``content``."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether the caller that sent ``If-None-Match`` has what ``tag`` names; compared weakly."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag in known or "*" in known
