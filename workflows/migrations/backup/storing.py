"""Backups in the snapshot store: a dump as chunks of bounded size, its manifest last.

The store takes whole bodies, so a dump is cut into chunks that are put while the
next one is read; at most three are in memory. A manifest names its chunks; what
no manifest names is swept away by ``retention``. Owners: ``<owner>/records`` for
manifests, ``<owner>/dumps`` for chunks, ``<owner>/marks`` for marks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from workflows.migrations.backup.errors import BackupUnusable
from workflows.migrations.backup.models import Manifest, MarkBody
from workflows.snapshots import SnapshotStore

CHUNK_BYTES = 16 * 1024 * 1024
Body = TypeVar("Body", Manifest, MarkBody)
ReadChunk = Callable[[int], Awaitable[bytes]]


def records(owner: str) -> str:
    """Who owns manifests."""
    return f"{owner}/records"


def dumps(owner: str) -> str:
    """Who owns chunks."""
    return f"{owner}/dumps"


def marks(owner: str) -> str:
    """Who owns marks."""
    return f"{owner}/marks"


class StoredDump(msgspec.Struct, frozen=True):
    """A dump that is wholly in the store; ``sha256`` is that of ``checksum_of``."""

    chunks: tuple[str, ...]
    size_bytes: int
    sha256: str


async def put_dump(store: SnapshotStore, owner: str, read: ReadChunk) -> StoredDump:
    """Store what ``read(size)`` gives until it gives nothing. What was put before an error counts for nothing."""
    chunks: list[str] = []
    size_bytes = 0
    pending: asyncio.Task[str] | None = None
    try:
        while data := await read(CHUNK_BYTES):
            size_bytes += len(data)
            if pending is not None:
                chunks.append(await pending)
            pending = asyncio.create_task(store.put(data, owner=dumps(owner)))
        if pending is not None:
            chunks.append(await pending)
    except BaseException:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        raise
    return StoredDump(tuple(chunks), size_bytes, checksum_of(chunks))


def checksum_of(chunks: Sequence[str]) -> str:
    """SHA-256 (hex) over the digests of a dump's chunks in their order: each chunk's own says what is in it."""
    return hashlib.sha256("".join(chunks).encode()).hexdigest()


async def check_chunks(store: SnapshotStore, manifest: Manifest) -> None:
    """Whether every chunk is there, before anything is touched. Raises BackupUnusable."""
    if manifest.dump_sha256 != checksum_of(manifest.chunks):
        raise BackupUnusable(f"backup {manifest.plan.backup_id} names other parts than it was stored with")
    owner = dumps(manifest.plan.owner)
    for number, digest in enumerate(manifest.chunks, start=1):
        if not await store.exists(digest, owner=owner):
            raise BackupUnusable(
                f"part {number} of {len(manifest.chunks)} of backup {manifest.plan.backup_id} is missing",
                next_step="restore it from a backup of the snapshot store; nothing was changed",
            )


async def chunks_of(store: SnapshotStore, manifest: Manifest) -> AsyncIterator[bytes]:
    """The dump, each chunk authenticated and equal to its digest, the next one read ahead."""
    owner = dumps(manifest.plan.owner)
    ahead: asyncio.Task[bytes] | None = None
    try:
        for position, digest in enumerate(manifest.chunks):
            data = await (ahead or store.get(digest, owner=owner))
            following = manifest.chunks[position + 1 : position + 2]
            ahead = asyncio.create_task(store.get(following[0], owner=owner)) if following else None
            yield data
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def put_body(store: SnapshotStore, owner: str, body: Manifest | MarkBody) -> str:
    """Store a manifest or a mark."""
    return await store.put(msgspec.json.encode(body), owner=owner)


async def get_body(store: SnapshotStore, owner: str, digest: str, kind: type[Body]) -> Body:
    """Read it again. Raises BackupUnusable, and what the store raises."""
    try:
        return msgspec.json.decode(await store.get(digest, owner=owner), type=kind)
    except msgspec.DecodeError:
        raise BackupUnusable(f"{digest} of {owner} is no backup that this version of ADX reads") from None
