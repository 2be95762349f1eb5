"""Taking a plan back by its own scripts, from wherever it stopped."""

from __future__ import annotations

from policies.migrations.model import Migration, MigrationPlan
from workflows.clients.databases import Database, record
from workflows.clients.databases.session import Session
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

    Such plans have one statement a script (see ``choosing``), which was done or was not.
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
    session = await database.locked()
    if await _did_nothing(session, migration, plan):
        await _forget(session, migration, plan)
    else:
        await database.apply_migration(migration, plan.direction)


async def _did_nothing(session: Session, migration: Migration, plan: MigrationPlan) -> bool:
    steps = await record.steps(session, migration.version, plan.direction)
    if any(row.is_done for row in steps.values()):
        return False
    now = (await session.catalog()).digest()
    return all(row.catalog_before == now for row in steps.values())


async def _forget(session: Session, migration: Migration, plan: MigrationPlan) -> None:
    await session.begin()
    try:
        await session.execute("DELETE FROM adx_migration_steps WHERE version = %s", (migration.version,))
        if plan.direction == "up":
            await session.execute("DELETE FROM adx_migrations WHERE version = %s", (migration.version,))
        else:
            await session.execute(
                "UPDATE adx_migrations SET state = 'applied' WHERE version = %s", (migration.version,)
            )
    except BaseException:
        await session.rollback()
        raise
    await session.commit()
