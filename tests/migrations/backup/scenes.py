"""What tests of backups do again and again: a schema with rows, a plan, a backup, the migration, a restore."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from policies.migrations.catalog import Catalog
from policies.migrations.history import plan_migration
from policies.migrations.model import MigrationPlan, ScriptSet
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress
from workflows.clients.databases.session import Row
from workflows.migrations.backup import BackupMark, BackupRecord, Strategy, make_backup, mark_point, plan_backup
from workflows.snapshots import SnapshotStore, open_store

ORDERS = "CREATE TABLE orders (id integer PRIMARY KEY, note varchar(20), amount integer)"
FIRST = (ORDERS, "DROP TABLE orders")
ADD = ("ALTER TABLE orders ADD COLUMN extra varchar(20)", "ALTER TABLE orders DROP COLUMN extra")
DROP = ("ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders ADD COLUMN note varchar(20)")
FILL = ("UPDATE orders SET amount = 0", "SELECT 1")
GONE = ("ALTER TABLE orders DROP COLUMN note", None)
# One plan for each strategy that is then chosen for it.
PLANS: dict[Strategy, tuple[str, str | None]] = {"down_script": ADD, "table_copy": DROP, "dump": GONE}


@dataclass(frozen=True)
class Scene:
    """A schema that was migrated after its backup."""

    database: Database
    plan: MigrationPlan
    record: BackupRecord
    mark: BackupMark
    rows: list[Row]
    catalog: Catalog


def store_in(folder: Path) -> SnapshotStore:
    """A store with a key of its own."""
    key = base64.b64encode(os.urandom(32)).decode()
    return open_store({"ADX_SNAPSHOT_STORE": folder.as_uri(), "ADX_SNAPSHOT_KEY": key})


async def prepared(database: Database, address: DatabaseAddress, pair: tuple[str, str | None]) -> ScriptSet:
    """Version 1 with three rows; version 2 is ``pair``."""
    scripts = scripts_of(address.engine, FIRST, pair)
    await database.apply_migration(scripts.migrations[0])
    await database.execute_query("INSERT INTO orders VALUES (1, 'a', 10), (2, NULL, 20), (3, 'c', NULL)")
    return scripts


async def planned(database: Database, scripts: ScriptSet) -> MigrationPlan:
    """What brings the schema to the newest version."""
    return plan_migration(scripts, await database.get_schema_version(), scripts.newest)


async def orders(database: Database) -> list[Row]:
    """Columns by name, so that their order does not matter."""
    return await database.execute_query("SELECT id, note, amount FROM orders ORDER BY id")


async def migrated(
    database: Database,
    address: DatabaseAddress,
    store: SnapshotStore,
    pair: tuple[str, str | None],
    strategy: Strategy | None = None,
) -> Scene:
    """Version 2 after a backup of version 1, with a mark."""
    scripts = await prepared(database, address, pair)
    plan = await planned(database, scripts)
    rows, catalog = await orders(database), await database.catalog()
    record = await make_backup(database, await plan_backup(database, plan, strategy=strategy), store)
    for migration in plan.migrations:
        await database.apply_migration(migration)
    return Scene(database, plan, record, await mark_point(database, record, store), rows, catalog)
