"""Schemas with everything in them: names, keys, counters, generated columns, routines, other schemas' objects."""

from __future__ import annotations

import pytest

from policies.migrations.catalog import compare, is_same
from policies.migrations.history import plan_migration
from policies.migrations.model import ScriptSet
from policies.migrations.spec import Engine
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.session import Row
from workflows.migrations.backup import (
    BackupMark,
    BackupRecord,
    BackupRefused,
    make_backup,
    mark_point,
    plan_backup,
    restore_backup,
)
from workflows.snapshots import SnapshotStore

ODD = {"postgresql": '"we""ird %s Tàblé"', "mysql": "`we``ird %s Tàblé`"}
TWICE = "twice integer GENERATED ALWAYS AS (n * 2) STORED"
PARENT = "parent integer, CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE"
RICH: dict[Engine, tuple[str, ...]] = {
    "postgresql": (
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "CREATE TABLE parents (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood)",
        f"CREATE TABLE children (id serial PRIMARY KEY, n integer, {TWICE}, {PARENT})",
        f"CREATE TABLE {ODD['postgresql']} (id integer PRIMARY KEY, data bytea, j json, t timestamptz, f float8)",
        "CREATE TABLE parts (id integer, day date) PARTITION BY RANGE (day)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "CREATE VIEW sums AS SELECT sum(n) AS s FROM children",
        "CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS c FROM children",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n = NEW.n; RETURN NEW; END'",
        "CREATE TRIGGER touched BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION touch()",
        "INSERT INTO parents (m) VALUES ('good'), ('bad')",
        "INSERT INTO children (parent, n) VALUES (1, 5), (2, NULL)",
        f"INSERT INTO {ODD['postgresql']} VALUES (1, '\\x00ff', '{{\"a\": 1.0}}', now(), 0.1)",
        "INSERT INTO parts VALUES (1, '2026-05-01')",
        "REFRESH MATERIALIZED VIEW counts",
        "GRANT USAGE ON SCHEMA public TO PUBLIC",
    ),
    "mysql": (
        "CREATE TABLE parents (id integer AUTO_INCREMENT PRIMARY KEY)",
        f"CREATE TABLE children (id integer AUTO_INCREMENT PRIMARY KEY, n integer, {TWICE}, {PARENT})",
        f"CREATE TABLE {ODD['mysql']} (id integer PRIMARY KEY, data blob, f double, b bit(3), s varchar(9))",
        "CREATE VIEW sums AS SELECT sum(n) AS s FROM children",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE FUNCTION f() RETURNS integer DETERMINISTIC RETURN 7",
        "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1",
        "CREATE TRIGGER touched BEFORE UPDATE ON children FOR EACH ROW SET NEW.n = NEW.n",
        "INSERT INTO parents VALUES (), ()",
        "INSERT INTO children (parent, n) VALUES (1, 5), (2, NULL)",
        f"INSERT INTO {ODD['mysql']} VALUES (1, x'00ff', 0.1, b'101', 'Tàblé;')",
    ),
}


async def everything(database: Database, engine: Engine) -> list[list[Row]]:
    """All rows but those of ADX's tables."""
    tables = ["parents", "children", ODD[engine], *(["parts", "counts"] if engine == "postgresql" else [])]
    return [await database.execute_query(f"SELECT * FROM {table} ORDER BY 1") for table in (*tables, "sums")]


async def backed_up(
    database: Database, store: SnapshotStore, scripts: ScriptSet, strategy: str
) -> tuple[BackupRecord, BackupMark]:
    """A backup by ``strategy``, then the migration."""
    plan = plan_migration(scripts, await database.get_schema_version(), scripts.newest)
    chosen = await plan_backup(database, plan)
    assert chosen.strategy == strategy, chosen.reason
    record = await make_backup(database, chosen, store)
    await database.apply_migration(scripts.migrations[0])
    return record, await mark_point(database, record, store)


async def test_a_dump_brings_everything_back(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Views, routines, triggers, types, generated columns, keys, odd names and their rows."""
    for statement in RICH[address.engine]:
        await database.execute_query(statement)
    before, catalog = await everything(database, address.engine), await database.catalog()
    scripts = scripts_of(address.engine, (f"DROP TABLE {ODD[address.engine]}", None))
    record, mark = await backed_up(database, store, scripts, "dump")
    report = await restore_backup(database, record, store, mark=mark)
    assert (report.outcome, report.differences) == ("restored", ())
    assert is_same(compare(catalog, await database.catalog()))
    assert await everything(database, address.engine) == before
    await database.execute_query("INSERT INTO children (parent, n) VALUES (2, 1)")  # the counter goes on
    if address.engine == "postgresql":
        rights = "SELECT nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname = 'public'"
        ((owner, acl),) = await database.execute_query(rights)
        assert owner == "pg_database_owner"
        assert "=U/pg_database_owner" in acl


async def test_copies_bring_rows_back_through_keys_and_generated_columns(
    postgres_address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Rows that a foreign key deletes along are at stake too; identity values stay, counters never go backwards."""
    async with open_database(postgres_address) as database:
        for statement in RICH["postgresql"]:
            if "TRIGGER" not in statement:
                await database.execute_query(statement)
        before = await everything(database, "postgresql")
        scripts = scripts_of("postgresql", ("DELETE FROM parents WHERE id = 1", None))
        record, mark = await backed_up(database, store, scripts, "table_copy")
        assert record.tables == ("children", "parents")
        await database.execute_query("INSERT INTO children (parent, n) VALUES (2, 1)")
        report = await restore_backup(database, record, store, mark=mark, lose_writes_approved_by="ann")
        assert (report.outcome, report.differences) == ("restored", ())
        assert await everything(database, "postgresql") == before
        await database.execute_query("INSERT INTO children (parent, n) VALUES (2, 1)")
        assert await database.execute_query("SELECT max(id) FROM children") == [(4,)]
        with pytest.raises(Exception, match="foreign key"):
            await database.execute_query("INSERT INTO children (parent) VALUES (77)")


async def test_a_counter_that_a_new_table_would_start_anew_goes_on(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """The down script makes the table again, and its counter stands at one."""
    kind = "GENERATED ALWAYS AS IDENTITY" if address.engine == "postgresql" else "AUTO_INCREMENT"
    create = f"CREATE TABLE things (id integer {kind} PRIMARY KEY, n integer)"
    await database.execute_query(create)
    await database.execute_query("INSERT INTO things (n) VALUES (1), (2), (3)")
    await database.execute_query("DELETE FROM things WHERE n = 3")
    record, mark = await backed_up(
        database, store, scripts_of(address.engine, ("DROP TABLE things", create)), "table_copy"
    )
    assert (await restore_backup(database, record, store, mark=mark)).outcome == "restored"
    await database.execute_query("INSERT INTO things (n) VALUES (9)")
    assert await database.execute_query("SELECT id FROM things ORDER BY id") == [(1,), (2,), (4,)]


async def test_odd_names_are_copied(database: Database, address: DatabaseAddress, store: SnapshotStore) -> None:
    """Quotes, blanks, percent signs and accents."""
    table = ODD[address.engine]
    column = '"a %s ""b"' if address.engine == "postgresql" else "`a %s ``b`"
    await database.execute_query(f"CREATE TABLE {table} (id integer PRIMARY KEY, {column} integer)")
    await database.execute_query(f"INSERT INTO {table} VALUES (1, 2)")
    pair = (f"ALTER TABLE {table} DROP COLUMN {column}", f"ALTER TABLE {table} ADD COLUMN {column} integer")
    record, mark = await backed_up(database, store, scripts_of(address.engine, pair), "table_copy")
    assert (await restore_backup(database, record, store, mark=mark)).outcome == "restored"
    assert await database.execute_query(f"SELECT id, {column} FROM {table}") == [(1, 2)]


async def test_a_schema_with_an_odd_name_is_dumped_and_restored(
    postgres_address: DatabaseAddress, store: SnapshotStore
) -> None:
    """And not its neighbour that a pattern would match too."""
    schema = 'te"nant.* Ä'
    async with open_database(postgres_address) as database:
        await database.execute_query('CREATE SCHEMA "te""nant.* Ä"')
        await database.execute_query("CREATE TABLE mine (id integer)")
        await database.execute_query("INSERT INTO mine VALUES (1)")
    async with open_database(postgres_address.at(schema=schema)) as database:
        await database.execute_query("CREATE TABLE t (id integer)")
        await database.execute_query("INSERT INTO t VALUES (5)")
        record, mark = await backed_up(database, store, scripts_of("postgresql", ("DROP TABLE t", None)), "dump")
        assert (await restore_backup(database, record, store, mark=mark)).outcome == "restored"
        assert await database.execute_query("SELECT id FROM t") == [(5,)]
        assert await database.execute_query("SELECT id FROM public.mine") == [(1,)]


async def test_what_other_schemas_hang_on_is_not_dumped_for_a_restore(
    postgres_address: DatabaseAddress, store: SnapshotStore
) -> None:
    """A restore would tear it off."""
    async with open_database(postgres_address) as database:
        await database.execute_query("CREATE TABLE t (id integer PRIMARY KEY)")
        await database.execute_query("CREATE SCHEMA other")
        await database.execute_query("CREATE TABLE other.u (id integer REFERENCES public.t)")
        plan = plan_migration(scripts_of("postgresql", ("DROP TABLE t", None)), await database.get_schema_version(), 1)
        with pytest.raises(BackupRefused, match=r"other\.u of another schema"):
            await make_backup(database, await plan_backup(database, plan), store)


async def test_an_extension_in_the_schema_survives_a_restore(
    postgres_address: DatabaseAddress, store: SnapshotStore
) -> None:
    """With the index that uses it."""
    async with open_database(postgres_address) as database:
        await database.execute_query("CREATE EXTENSION pg_trgm")
        await database.execute_query("CREATE TABLE t (n text)")
        await database.execute_query("CREATE INDEX i ON t USING gin (n gin_trgm_ops)")
        await database.execute_query("INSERT INTO t VALUES ('abc')")
        record, mark = await backed_up(database, store, scripts_of("postgresql", ("DROP TABLE t", None)), "dump")
        report = await restore_backup(database, record, store, mark=mark)
        assert (report.outcome, report.differences) == ("restored", ())
        assert await database.execute_query("SELECT similarity(n, 'abc') FROM t") == [(1.0,)]


@pytest.mark.parametrize(
    ("column", "is_refused"),
    [
        (("varchar(20)", "(1, 'acme'), (2, NULL)"), False),
        (("varchar(20)", "(1, 'acme'), (2, 'globex')"), True),
        (("integer", "(1, 7), (2, 7)"), False),
        (("integer", "(1, 7), (2, 8)"), True),
    ],
)
async def test_a_row_of_another_tenant_stops_the_backup(
    database: Database, address: DatabaseAddress, store: SnapshotStore, column: tuple[str, str], is_refused: bool
) -> None:
    """By name where the column holds names; where it holds numbers, two are one too many."""
    kind, values = column
    await database.execute_query(f"CREATE TABLE t (id integer PRIMARY KEY, tenant_id {kind})")
    await database.execute_query(f"INSERT INTO t VALUES {values}")
    plan = plan_migration(
        scripts_of(address.engine, ("ALTER TABLE t ADD COLUMN a integer", "ALTER TABLE t DROP COLUMN a")),
        await database.get_schema_version(),
        1,
    )
    backup = await plan_backup(database, plan, tenant="acme")
    if is_refused:
        with pytest.raises(BackupRefused, match="tenant") as raised:
            await make_backup(database, backup, store)
        assert "globex" not in str(raised.value)
    else:
        await make_backup(database, backup, store)
