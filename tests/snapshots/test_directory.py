"""Snapshots in a directory: private, and whole or not there at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.snapshots.conftest import Environ, new_key
from workflows.snapshots import open_store
from workflows.snapshots.errors import SnapshotMissing, SnapshotStoreUnreachable
from workflows.snapshots.naming import digest_of

DATA = b"exported state" * 1000

# Stops for ever when the body is written but has not got its name yet.
HANGS_BEFORE_RENAMING = """
import asyncio, os, signal
from workflows.snapshots import open_store

def hang(_):
    print("written", flush=True)
    signal.pause()

store = open_store(os.environ)
os.fsync = hang
asyncio.run(store.put(b"exported state" * 1000, owner="staging"))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "snapshots"


@pytest.fixture
def environ(root: Path) -> Environ:
    return {"ADX_SNAPSHOT_STORE": root.as_uri(), "ADX_SNAPSHOT_KEY": new_key()}


async def test_only_the_owner_of_the_process_may_read(environ: Environ, root: Path) -> None:
    digest = await open_store(environ).put(DATA, owner="staging/tenant/acme")

    home = root / "staging~tenant~acme"
    assert [_permissions(path) for path in (home / digest, home, root)] == [0o600, 0o700, 0o700]


async def test_a_full_disk_is_reported_and_leaves_nothing(
    environ: Environ, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = open_store(environ)
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(SnapshotStoreUnreachable, match="No space left"):
        await store.put(DATA, owner="staging")
    assert list((root / "staging").iterdir()) == []


async def test_a_killed_writer_leaves_nothing_that_is_read(environ: Environ) -> None:
    _kill_a_writer_before_it_renames(environ)
    store, digest = open_store(environ), digest_of(DATA)

    assert await store.digests("staging") == ()
    with pytest.raises(SnapshotMissing):
        await store.get(digest, owner="staging")
    assert await store.put(DATA, owner="staging") == digest
    assert await store.get(digest, owner="staging") == DATA


async def test_what_a_crash_left_is_swept_away_after_a_day(environ: Environ, root: Path) -> None:
    store = open_store(environ)
    await store.put(DATA, owner="staging")
    young, old = (root / "staging" / f".{name}.partial" for name in ("young", "old"))
    young.touch()
    old.touch()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))

    assert len(await store.digests("staging")) == 1

    assert young.exists()
    assert not old.exists()


def test_a_place_that_cannot_be_used_is_reported(environ: Environ, root: Path) -> None:
    root.parent.mkdir()
    root.write_text("not a directory")

    with pytest.raises(SnapshotStoreUnreachable) as caught:
        open_store(environ)
    assert caught.value.next_step


def _permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _kill_a_writer_before_it_renames(environ: Environ) -> None:
    repository = Path(__file__).parents[2]
    command = [sys.executable, "-c", HANGS_BEFORE_RENAMING]
    with subprocess.Popen(command, env=environ, cwd=repository, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
