"""The same behaviour of both servers behind one interface: queries, transactions, versions and their record."""

from __future__ import annotations

import pytest

from tests.migrations.clients import TABLE, migrations, tables
from workflows.clients.databases import Database, DatabaseAddress, Feature
from workflows.clients.databases.errors import NotInOrder, StatementRefused
from workflows.clients.databases.interface_types import StepDone


async def test_a_query_gives_its_rows(database: Database) -> None:
    """With parameters in their places."""
    assert await database.execute_query("SELECT 1 + %s, %s", (2, "it's")) == [(3, "it's")]


async def test_two_statements_in_one_text_are_refused_by_the_server(database: Database) -> None:
    """Were a script cut wrongly, nothing would be run."""
    with pytest.raises(StatementRefused):
        await database.execute_query("SELECT 1; SELECT 2")


async def test_a_transaction_is_committed_at_its_end_and_rolled_back_by_an_error(database: Database) -> None:
    """Rows are there after the block, or not at all."""
    await database.execute_query(TABLE)
    async with database.begin_transaction() as transaction:
        await transaction.execute("INSERT INTO orders VALUES (1, 'kept')")

    async def fail() -> None:
        async with database.begin_transaction() as transaction:
            await transaction.execute("INSERT INTO orders VALUES (2, 'lost')")
            await transaction.execute("INSERT INTO orders VALUES (1, 'twice')")

    with pytest.raises(StatementRefused):
        await fail()
    assert await database.execute_query("SELECT id FROM orders") == [(1,)]


async def test_a_row_s_value_is_in_no_message(database: Database) -> None:
    """Messages go to logs, rows do not."""
    await database.execute_query("CREATE TABLE people (email varchar(40) PRIMARY KEY)")
    await database.execute_query("INSERT INTO people VALUES ('canary@localhost')")
    with pytest.raises(StatementRefused) as raised:
        await database.execute_query("INSERT INTO people VALUES ('canary@localhost')")
    assert "canary" not in str(raised.value)


async def test_features_are_those_of_the_server(database: Database, address: DatabaseAddress) -> None:
    """Only PostgreSQL undoes a change of the schema with its transaction, and has row security."""
    found = {feature for feature in Feature if await database.supports_feature(feature)}
    both = {Feature.CONCURRENT_INDEX, Feature.INSTANT_ADD_COLUMN, Feature.ADVISORY_LOCKS}
    assert found == (set(Feature) if address.engine == "postgresql" else both)


async def test_a_database_that_was_never_migrated_has_version_0(database: Database) -> None:
    """And asking makes no table."""
    assert (await database.get_schema_version()).version == 0
    assert await tables(database) == []


async def test_up_and_down_are_recorded(database: Database, address: DatabaseAddress) -> None:
    """Version, checksum, time; nothing is left after the way back."""
    first, second = migrations(address, (TABLE, "DROP TABLE orders"), ("CREATE TABLE b (id int)", "DROP TABLE b"))
    await database.apply_migration(first)
    done = await database.apply_migration(second)
    found = await database.get_schema_version()
    assert (done.outcome, found.version, found.unfinished) == ("applied", 2, None)
    assert [row.checksum for row in found.applied] == [first.checksum, second.checksum]
    assert await tables(database) == ["table b", "table orders"]
    await database.apply_migration(second, "down")
    await database.apply_migration(first, "down")
    assert (await database.get_schema_version()).applied == ()
    assert await tables(database) == []


async def test_applying_again_changes_nothing(database: Database, address: DatabaseAddress) -> None:
    """A duplicate delivery finds its own result, in both directions."""
    (first,) = migrations(address, (TABLE, "DROP TABLE orders"))
    assert (await database.apply_migration(first)).outcome == "applied"
    assert (await database.apply_migration(first)).outcome == "already"
    assert (await database.apply_migration(first, "down")).outcome == "applied"
    assert (await database.apply_migration(first, "down")).outcome == "already"


async def test_only_the_next_version_is_applied(database: Database, address: DatabaseAddress) -> None:
    """Neither one too far nor one too early back."""
    first, second = migrations(address, (TABLE, "DROP TABLE orders"), ("CREATE TABLE b (id int)", "DROP TABLE b"))
    with pytest.raises(NotInOrder, match="the schema has version 0") as raised:
        await database.apply_migration(second)
    assert "version 1 is next" in raised.value.next_step
    await database.apply_migration(first)
    await database.apply_migration(second)
    with pytest.raises(NotInOrder):
        await database.apply_migration(first, "down")


async def test_a_script_that_was_changed_since_is_refused(database: Database, address: DatabaseAddress) -> None:
    """Both checksums are named."""
    await database.apply_migration(migrations(address, (TABLE, "DROP TABLE orders"))[0])
    (changed,) = migrations(address, (f"{TABLE} ", "DROP TABLE orders"))
    with pytest.raises(NotInOrder, match=r"recorded sha256:.*the script is sha256:"):
        await database.apply_migration(changed)


async def test_a_failing_statement_is_named_with_file_and_line(database: Database, address: DatabaseAddress) -> None:
    """And with what the server says."""
    (first,) = migrations(address, (f"{TABLE};\n\nINSERT INTO nowhere VALUES (1);", "DROP TABLE orders"))
    with pytest.raises(StatementRefused, match=r"0001_step_1\.up\.sql:3: .*nowhere"):
        await database.apply_migration(first)


async def test_steps_are_told_as_they_are_done(database: Database, address: DatabaseAddress) -> None:
    """For heartbeats and progress."""
    told: list[StepDone] = []
    (first,) = migrations(address, (f"{TABLE}; INSERT INTO orders VALUES (1, 'a')", "DROP TABLE orders"))
    await database.apply_migration(first, observer=told.append)
    assert [(one.step, one.steps) for one in told] == [(1, 2), (2, 2)]
