"""Typed bodies in the snapshot store: what histories and the ledger only name by digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from policies.change_set import ChangeSet
from policies.infrastructure.spec import EnvironmentSpec
from policies.spec import Spec
from workflows.snapshots import SnapshotStore

Body = TypeVar("Body")


class SnapshotManifest(Spec):
    """What restores an environment: its last good inputs, its exported stack, and what the cluster looked like.

    ``live[unit][object id]`` is the SHA-256 of the object without what servers change by themselves. With ``cells``
    the snapshot of the environment's own stack leaves its tenants to the snapshots of their cells.
    """

    environment: str
    rollout_id: str
    base_state: str | None
    exported_state: str
    live: dict[str, dict[str, str]]
    cells: int = 0


class DeliveryBody(Spec):
    """What was found out about a commit before it was delivered."""

    environment: EnvironmentSpec
    change_set: ChangeSet


@dataclass(frozen=True)
class Bodies:
    """Reads and writes bodies as canonical JSON; ``owner`` is the environment they belong to."""

    store: SnapshotStore

    async def put(self, body: object, owner: str) -> str:
        """Keep ``body``; returns its digest. Keeping the same body twice is harmless."""
        return await self.store.put(msgspec.json.encode(body, order="deterministic"), owner=owner)

    async def get(self, digest: str, kind: type[Body], owner: str) -> Body:
        """The body with that digest. Raises SnapshotMissing, SnapshotCorrupt or SnapshotForeign."""
        return msgspec.json.decode(await self.store.get(digest, owner=owner), type=kind)
