"""Snapshots: what restores a unit, kept outside of the database and of Temporal's histories.

``open_store(environ)`` gives the store that the settings name. Bodies are
compressed, encrypted and named by the SHA-256 of their content; each belongs
to one owner (an environment, or a unit of it) and is refused to any other.
"""

from __future__ import annotations

from workflows.snapshots.settings import open_store
from workflows.snapshots.store import SnapshotStore

__all__ = ["SnapshotStore", "open_store"]
