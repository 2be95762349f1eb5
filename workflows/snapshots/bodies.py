"""The one interface to a place that keeps bodies: bytes by owner's folder and digest.

Implementations: ``directory``, ``s3``. They know nothing of keys or content.
"""

from __future__ import annotations

from typing import Protocol

from workflows.snapshots.naming import SnapshotEntry


class BodyStore(Protocol):
    """Where stored bodies are. Called in threads.

    Raises SnapshotStoreUnreachable, SnapshotStoreTimedOut, SnapshotStoreMisconfigured.
    """

    def write(self, folder: str, digest: str, body: bytes) -> None:
        """Store all of ``body`` or nothing; replaces what is there."""
        ...

    def read(self, folder: str, digest: str) -> bytes | None:
        """The body, None if there is none."""
        ...

    def exists(self, folder: str, digest: str) -> bool:
        """Whether there is a body."""
        ...

    def delete(self, folder: str, digest: str) -> None:
        """Remove the body; none being there is fine."""
        ...

    def entries(self, folder: str) -> tuple[SnapshotEntry, ...]:
        """What the folder holds, by digest."""
        ...
