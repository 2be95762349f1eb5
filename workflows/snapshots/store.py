"""The snapshot store: content-addressed, encrypted, checked on every read.

Composes a place for bodies, a ring of keys and the codec. Blocking work runs
in threads, so that the event loop and its heartbeats go on.
"""

from __future__ import annotations

import asyncio

from workflows.snapshots import codec
from workflows.snapshots.bodies import BodyStore
from workflows.snapshots.errors import SnapshotMissing
from workflows.snapshots.keys import KeyRing
from workflows.snapshots.naming import SnapshotEntry, checked_digest, digest_of, folder_of


class SnapshotStore:
    """Snapshots by owner and digest. Every method may be repeated after a lost answer."""

    def __init__(self, bodies: BodyStore, keys: KeyRing) -> None:
        self._bodies = bodies
        self._keys = keys

    async def put(self, data: bytes, *, owner: str) -> str:
        """Store ``data`` for ``owner`` and return its digest.

        Put again, it is written again: that renews its age for retention, heals
        a damaged body and moves it under the current key.
        """
        return await asyncio.to_thread(self._put, data, owner)

    async def get(self, digest: str, *, owner: str) -> bytes:
        """The data that ``owner`` stored, authenticated.

        Raises SnapshotMissing, SnapshotCorrupt, SnapshotForeign, SnapshotKeyMissing.
        """
        return await asyncio.to_thread(self._get, digest, owner)

    async def exists(self, digest: str, *, owner: str) -> bool:
        """Whether there is a body of this name; only ``get`` says whether it is whole."""
        return await asyncio.to_thread(self._bodies.exists, folder_of(owner), checked_digest(digest))

    async def delete(self, digest: str, *, owner: str) -> None:
        """Forget a snapshot; none being there is fine."""
        await asyncio.to_thread(self._bodies.delete, folder_of(owner), checked_digest(digest))

    async def entries(self, owner: str) -> tuple[SnapshotEntry, ...]:
        """All snapshots of ``owner``, ordered by digest: what ``retention.prune`` needs."""
        return await asyncio.to_thread(self._bodies.entries, folder_of(owner))

    async def digests(self, owner: str) -> tuple[str, ...]:
        """The digests of all snapshots of ``owner``, in order."""
        return tuple(entry.digest for entry in await self.entries(owner))

    def _put(self, data: bytes, owner: str) -> str:
        folder, digest = folder_of(owner), digest_of(data)
        key = self._keys.current()
        header = codec.Header(owner=owner, digest=digest, key_id=key.key_id, wrapped_key=key.wrapped_key)
        self._bodies.write(folder, digest, codec.seal(data, header, key.material))
        return digest

    def _get(self, digest: str, owner: str) -> bytes:
        body = self._bodies.read(folder_of(owner), checked_digest(digest))
        if body is None:
            raise SnapshotMissing(
                f"there is no snapshot {digest} of {owner!r}",
                next_step="check ADX_SNAPSHOT_STORE and the retention rule; restore it from a backup of the store",
            )
        sealed = codec.take_apart(body, owner=owner, digest=digest)
        return codec.unseal(sealed, self._keys.find(sealed.header.key_id, sealed.header.wrapped_key))
