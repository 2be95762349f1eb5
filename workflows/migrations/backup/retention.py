"""Which backups are no longer kept: those of rollouts that are settled for long enough, and what belongs to none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from policies.spec import Spec
from workflows.clients.databases import Database
from workflows.clients.databases.session import Session
from workflows.migrations.backup.copies import drop_copies
from workflows.migrations.backup.models import Manifest, MarkBody
from workflows.migrations.backup.names import SIDE_PREFIX, address_of, owner_of, side_pattern
from workflows.migrations.backup.storing import dumps, get_body, marks, records
from workflows.snapshots import SnapshotStore
from workflows.snapshots.retention import unreachable

GRACE_HOURS = 24
_SIDES = {
    "postgresql": "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)",
    "mysql": "SELECT schema_name FROM information_schema.schemata WHERE left(schema_name, length(%s)) = %s",
}


class PrunedBackups(Spec):
    """What was removed: ids of backups, how many parts of dumps, names of copies on the server."""

    backups: tuple[str, ...] = ()
    chunks: int = 0
    copies: tuple[str, ...] = ()


async def prune_backups(
    database: Database, store: SnapshotStore, *, settled: Mapping[str, datetime], keep_days: float, now: datetime
) -> PrunedBackups:
    """Remove the backups of this schema that are in ``settled`` (id → when, aware) for more than ``keep_days``.

    A backup that is not in ``settled`` stays, however old. Copies and parts of
    dumps that belong to no backup go once they are a day old: a backup that is
    being made right now has no manifest yet.
    """
    address, session = await address_of(database), await database.session()
    owner = owner_of(address)
    kept, gone = await _sorted(store, owner, settled, now - timedelta(days=keep_days))
    sides = await _orphans(session, side_pattern(address), {*kept, *gone}, now)
    sides += [one.side for one in gone.values() if one.side]
    for side in sides:
        await drop_copies(session, side)
    for digest in [digest for one in gone.values() for digest in one.digests]:
        await store.delete(digest, owner=records(owner))
    reachable = {chunk for one in kept.values() for chunk in one.chunks}
    loose = unreachable(await store.entries(dumps(owner)), reachable, now, grace_hours=GRACE_HOURS)
    chunks = {entry.digest for entry in loose} | {chunk for one in gone.values() for chunk in one.chunks} - reachable
    for digest in chunks:
        await store.delete(digest, owner=dumps(owner))
    await _prune_marks(store, owner, kept)
    return PrunedBackups(backups=tuple(sorted(gone)), chunks=len(chunks), copies=tuple(sorted(sides)))


class _Found(Spec):
    digests: tuple[str, ...]
    chunks: tuple[str, ...]
    side: str


async def _sorted(
    store: SnapshotStore, owner: str, settled: Mapping[str, datetime], before: datetime
) -> tuple[dict[str, _Found], dict[str, _Found]]:
    kept, gone = dict[str, _Found](), dict[str, _Found]()
    for entry in await store.entries(records(owner)):
        manifest = await get_body(store, records(owner), entry.digest, Manifest)
        when = settled.get(manifest.plan.backup_id)
        chosen = gone if when is not None and when < before else kept
        # A backup that was made twice has two manifests under one id; both count.
        known = chosen.get(manifest.plan.backup_id, _Found(digests=(), chunks=(), side=""))
        chosen[manifest.plan.backup_id] = _Found(
            digests=(*known.digests, entry.digest), chunks=(*known.chunks, *manifest.chunks), side=manifest.side
        )
    return kept, gone


async def _orphans(session: Session, prefix: str, known: set[str], now: datetime) -> list[str]:
    parameters = (prefix,) if session.engine == "postgresql" else (prefix, prefix)
    found = [str(row[0]) for row in await session.execute(_SIDES[session.engine], parameters)]
    limit = f"{now - timedelta(hours=GRACE_HOURS):%Y%m%d%H%M%S}"
    return [
        side
        for side in found
        if side.removeprefix(SIDE_PREFIX) not in known and side.removeprefix(prefix).partition("_")[0] < limit
    ]


async def _prune_marks(store: SnapshotStore, owner: str, kept: Mapping[str, _Found]) -> None:
    for entry in await store.entries(marks(owner)):
        body = await get_body(store, marks(owner), entry.digest, MarkBody)
        if body.backup_id not in kept:
            await store.delete(entry.digest, owner=marks(owner))
