"""Taking a plan back by its own scripts, from wherever it stopped."""

from __future__ import annotations

from policies.migrations.history import goes_back_from_half
from policies.migrations.model import MigrationPlan
from workflows.clients.databases import Database, record
from workflows.migrations.backup.errors import RestoreFailed
from workflows.migrations.backup.stakes import undo_direction


async def undo_scripts(database: Database, plan: MigrationPlan) -> None:
    """Take back what of ``plan`` is applied, last first; where nothing takes back rows only, just the record."""
    await _settle_unfinished(database, plan)
    backwards = undo_direction(plan.direction)
    for migration in reversed(plan.migrations):
        found = await database.get_schema_version()
        is_recorded = any(one.version == migration.version for one in found.applied) or found.unfinished is not None
        if is_recorded == (backwards == "up") and found.unfinished is None:
            continue
        if migration.script(backwards) is None:
            async with database.begin_transaction() as session:
                await record.write_done(session, migration, "down", 0)
        else:
            await database.apply_migration(migration, backwards)


async def _settle_unfinished(database: Database, plan: MigrationPlan) -> None:
    """A migration that stopped half way: forgotten when it did nothing, else finished, so that it can be taken back.

    Such plans have one statement a script (see ``choosing``), which was done or was not. Where it is done in batches,
    those that were are taken back from there.
    """
    found = await database.get_schema_version()
    forwards = "applying" if plan.direction == "up" else "reverting"
    if found.unfinished is None or found.unfinished.state != forwards:
        return
    migration = next((one for one in plan.migrations if one.version == found.unfinished.version), None)
    if migration is None:
        raise RestoreFailed(
            f"version {found.unfinished.version} is half done, and it is none of the plan's",
            next_step="finish it first, then run the restore again",
        )
    if await record.did_nothing(await database.locked(), migration.version, plan.direction):
        async with database.begin_transaction() as session:
            await record.forget(session, migration.version, plan.direction)
    elif not goes_back_from_half(migration, found.unfinished):
        await database.apply_migration(migration, plan.direction)
