"""Locks of Pulumi's file backend: who holds a stack, and whether that owner is dead.

The backend's locks have no lease: the lock of a killed process stays for ever.
A lock is removed only when its owner is proven dead, which can be proven only
on the owner's own host. Only that one lock file is removed (``pulumi cancel``
would remove all, among them one that was taken in the meantime).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlparse

import msgspec
import psutil

from infra.engine.settings import EngineSettings
from infra.errors import LockOwner

CLOCK_TOLERANCE_SECONDS = 2.0


class LockFile(msgspec.Struct):
    """What Pulumi writes into a lock."""

    pid: int
    username: str
    hostname: str
    timestamp: datetime


@dataclass(frozen=True)
class Lock:
    """A lock file. ``owner`` is None when the file cannot be read (it may be half written by a living process)."""

    path: Path
    owner: LockOwner | None


def backend_folder(settings: EngineSettings) -> Path | None:
    """The folder of a file backend (``file:///…``); None for every other backend."""
    address = urlparse(settings.backend_url)
    return Path(unquote(address.path)) if address.scheme == "file" else None


def locks(settings: EngineSettings, stack: str) -> list[Lock]:
    """The locks on ``stack``; always empty for backends other than files, which answer for themselves."""
    root = backend_folder(settings)
    if root is None:
        return []
    folder = root / ".pulumi" / "locks" / "organization" / settings.project / stack
    return [Lock(path, read_owner(path)) for path in sorted(folder.glob("*.json"))]


def read_owner(path: Path) -> LockOwner | None:
    """Who wrote the lock ``path``; None when it is gone or unreadable."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=LockFile)
    except (OSError, msgspec.DecodeError):
        return None
    return LockOwner(process_id=content.pid, host=content.hostname, user=content.username, since=content.timestamp)


def is_proven_dead(owner: LockOwner) -> bool:
    """The owner ran on this host and no such process is left, or another process has got its number since."""
    if owner.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(owner.process_id)
        started = process.create_time()
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    return is_zombie or started > owner.since.timestamp() + CLOCK_TOLERANCE_SECONDS


def release_dead_locks(settings: EngineSettings, stack: str) -> tuple[Lock, ...]:
    """Remove the locks whose owners are proven dead; the locks that remain."""
    remaining = []
    for lock in locks(settings, stack):
        if lock.owner is not None and is_proven_dead(lock.owner):
            lock.path.unlink(missing_ok=True)
        elif lock.path.exists():
            remaining.append(lock)
    return tuple(remaining)
