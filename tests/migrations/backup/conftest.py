"""A snapshot store in a folder; databases are those of the folder above."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrations.backup.scenes import store_in
from workflows.snapshots import SnapshotStore


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    """Empty, in a folder of this test's own."""
    return store_in(tmp_path / "snapshots")
