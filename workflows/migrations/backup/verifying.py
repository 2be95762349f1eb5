"""Whether a schema is what its backup says: catalog, record, row counts, checksums."""

from __future__ import annotations

from collections.abc import Iterator

from policies.migrations.catalog import Catalog, compare, is_same, lines
from workflows.migrations.backup.fingerprint import read_point
from workflows.migrations.backup.losses import is_overwritten
from workflows.migrations.backup.making import one_moment, read_tables
from workflows.migrations.backup.models import Manifest, Point
from workflows.migrations.backup.recorded import read_rows
from workflows.migrations.backup.restore import Restore

_SHOWN = 50


async def differences(restore: Restore, now_before: Point | None = None) -> tuple[str, ...]:
    """What differs from the backup; tables that it does not overwrite must be as they were just before the restore."""
    session, manifest = restore.session, restore.manifest
    async with one_moment(session):
        catalog = await session.catalog()
        versions = [row[:4] for row in (await read_rows(session)).migrations]
        point = await read_point(session, restore.address, manifest.point, only=read_tables(manifest.plan))
    found = list(_of_catalog(manifest, catalog))
    if versions != [row[:4] for row in manifest.record.migrations]:
        found.append("the record of migrations is not that of the backup")
    found += _of_rows(manifest, point, now_before)
    return tuple(found[:_SHOWN])


async def is_restored(restore: Restore) -> bool:
    """Whether the schema is as the backup says already. In the caller's transaction; what is cheap is asked first."""
    session, manifest = restore.session, restore.manifest
    if list(_of_catalog(manifest, await session.catalog())):
        return False
    rows = await read_rows(session)
    if [row[:4] for row in rows.migrations] != [row[:4] for row in manifest.record.migrations] or (
        rows.steps != manifest.record.steps
    ):
        return False
    point = await read_point(session, restore.address, manifest.point, only=read_tables(manifest.plan))
    return not list(_of_rows(manifest, point, None))


def _of_catalog(manifest: Manifest, now: Catalog) -> Iterator[str]:
    found = compare(manifest.catalog, now)
    if not is_same(found):
        yield from lines(found)


def _of_rows(manifest: Manifest, now: Point, now_before: Point | None) -> Iterator[str]:
    for old in manifest.point.tables:
        table = now.table(old.table)
        if table is None:
            yield f"table {old.table} is not there"
            continue
        is_ours = is_overwritten(manifest.plan, old.table)
        wanted = old if is_ours else (now_before.table(old.table) if now_before is not None else None)
        if wanted is None or wanted.rows < 0 or table.rows < 0:
            continue
        if (wanted.rows, wanted.kept) != (table.rows, table.kept):
            what = "those of the backup" if is_ours else "those just before (written meanwhile, or lost)"
            yield f"the rows of {old.table} are not {what}: {wanted.rows} then, {table.rows} now"
