"""What PostgreSQL's statistics say of sizes: partitions, and tables that nobody has counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import pytest

from policies.migrations.history import SchemaVersion
from policies.migrations.safety.judging import FEW_ROWS
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.interface_types import TableSize
from workflows.migrations import losses
from workflows.migrations.backup import plan_backup
from workflows.migrations.planning import PlannedDatabase, planned, statistics

ROWS = FEW_ROWS * 2
BY_HAND = "WITH (autovacuum_enabled = false)"  # nobody counts behind the test's back
EVENTS = (
    "CREATE TABLE events (at date NOT NULL, shop integer NOT NULL) PARTITION BY RANGE (at)",
    f"CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') {BY_HAND}",
    "CREATE TABLE events_2026 (at date NOT NULL, shop integer NOT NULL) PARTITION BY LIST (shop)",
    "ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE SCHEMA elsewhere",
    f"CREATE TABLE elsewhere.events_2026_1 PARTITION OF events_2026 FOR VALUES IN (1) {BY_HAND}",
    f"CREATE TABLE events_2026_2 PARTITION OF events_2026 DEFAULT {BY_HAND}",
)


@pytest.fixture
async def shop(postgres_address: DatabaseAddress) -> AsyncIterator[Database]:
    """Partitions on two levels and in two schemas, with twice so many rows as are few, in which nobody has counted."""
    async with open_database(postgres_address) as database:
        for text in EVENTS:
            await database.execute_query(text)
        await database.execute_query(
            f"INSERT INTO events SELECT date '2025-05-05', 1 FROM generate_series(1, {ROWS // 4})"
            f" UNION ALL SELECT date '2026-05-05', n % 3 FROM generate_series(1, {ROWS // 4 * 3}) n"
        )
        yield database


async def counted(database: Database) -> dict[str, TableSize]:
    """Once the server has counted the leaves; of their parents it then knows nothing."""
    for leaf in ("events_2025", "elsewhere.events_2026_1", "events_2026_2"):
        await database.execute_query(f"ANALYZE {leaf}")
    return {one.table: one for one in await database.table_sizes()}


async def planned_index(database: Database) -> PlannedDatabase:
    """An index on the partitioned table, as ``adx migrate plan --url`` judges it."""
    scripts = scripts_of("postgresql", ("CREATE INDEX i ON events (shop)", "DROP INDEX i"))
    return planned(
        "staging",
        scripts,
        SchemaVersion(version=0, applied=()),
        1,
        compared_with="",
        sizes=await statistics(database),
        waivers=(),
        today=date(2026, 1, 31),
    )


async def test_a_partitioned_table_has_what_its_partitions_have(shop: Database) -> None:
    """On every level, in whatever schema they are."""
    sizes = await counted(shop)

    assert {name: one.rows for name, one in sizes.items()} == {
        "events": ROWS,
        "events_2025": ROWS // 4,
        "events_2026": ROWS // 4 * 3,
        "events_2026_2": ROWS // 2,
    }
    ((elsewhere,),) = await shop.execute_query("SELECT pg_total_relation_size('elsewhere.events_2026_1')")
    leaves = sizes["events_2025"].bytes + sizes["events_2026_2"].bytes + int(str(elsewhere))
    assert sizes["events"].bytes == leaves
    assert {name for name, one in sizes.items() if not one.is_part} == {"events"}


async def test_an_index_on_a_large_partitioned_table_blocks(shop: Database) -> None:
    """And its time is told by what is in the partitions."""
    sizes = await counted(shop)
    found = await planned_index(shop)

    assert [(one.rows, one.bytes) for one in found.findings[0].tables] == [(ROWS, sizes["events"].bytes)]
    assert found.is_blocking
    assert found.plan.estimated_duration_seconds


async def test_what_was_never_counted_is_not_small(shop: Database) -> None:
    """Not for a table, nor for one whose partition it is; what has no page at all is empty."""
    await shop.execute_query("CREATE TABLE lines (id integer)")
    await shop.execute_query("CREATE TABLE empty (id integer)")
    await shop.execute_query("INSERT INTO lines SELECT generate_series(1, 5)")
    sizes = {one.table: one.rows for one in await shop.table_sizes()}

    assert (sizes["lines"], sizes["empty"], sizes["events"]) == (None, 0, None)
    assert (await planned_index(shop)).is_blocking


async def test_a_partition_is_not_counted_again_in_a_dump(shop: Database) -> None:
    """The sums of the backup are those of the whole tables."""
    sizes = await counted(shop)
    plan = (await planned_index(shop)).plan
    backup = await plan_backup(shop, plan, strategy="dump")

    assert (backup.rows, backup.bytes) == (ROWS, sizes["events"].bytes)


async def test_a_large_partitioned_table_is_not_summed(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody wrote to it is then not known, which counts as written."""
    sizes = await counted(shop)
    monkeypatch.setattr(losses, "LARGEST_BYTES", sizes["events"].bytes - 1)
    after = await shop.catalog()
    before = type(after)(engine=after.engine, objects={})

    assert (await losses.written(shop, before, after))["events"] == losses.UNKNOWN
