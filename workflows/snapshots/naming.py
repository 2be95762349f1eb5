"""Names of owners and digests, checked before they become paths or object keys. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from workflows.snapshots.errors import SnapshotStoreMisconfigured

_OWNER = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SEPARATOR = "~"  # not allowed in owners, so that the folder of an owner names that owner only
LONGEST_OWNER_CHARACTERS = 200


class SnapshotEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One stored snapshot. ``stored_at`` (UTC) is when its body was last put; ``size_bytes`` as it is kept."""

    digest: str
    stored_at: datetime
    size_bytes: int


def digest_of(data: bytes) -> str:
    """SHA-256 (hex) of the content: the snapshot's name."""
    return hashlib.sha256(data).hexdigest()


def folder_of(owner: str) -> str:
    """One path segment that names ``owner`` and nobody else. Raises SnapshotStoreMisconfigured for a bad name."""
    if not _OWNER.fullmatch(owner) or len(owner) > LONGEST_OWNER_CHARACTERS:
        raise SnapshotStoreMisconfigured(
            f"{owner[:80]!r} cannot own snapshots",
            next_step="owners are lower-case names joined by slashes, such as production/tenant/acme",
        )
    return owner.replace("/", _SEPARATOR)


def checked_digest(digest: str) -> str:
    """``digest`` if it is one. Raises SnapshotStoreMisconfigured."""
    if not _DIGEST.fullmatch(digest):
        raise SnapshotStoreMisconfigured(f"{digest[:80]!r} is not the digest of a snapshot")
    return digest


def is_digest(name: str) -> bool:
    """Whether a file or object of this name is a snapshot."""
    return _DIGEST.fullmatch(name) is not None
