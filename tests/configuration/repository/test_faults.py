"""A database that is away, old, too new, busy or loses answers: each has its own error, the same on both kinds."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.configuration import author, key, linked, plain
from workflows.clients import transactions
from workflows.configuration.errors import (
    StoreNotMigrated,
    StoreRefused,
    StoreTimedOut,
    StoreTooNew,
    StoreUnreachable,
)
from workflows.configuration.models import Write
from workflows.configuration.repository import ConfigurationStore, schema_version
from workflows.configuration.repository.connection import Connections, parse_url
from workflows.configuration.repository.tables import metadata


async def run(url: str, *statements: str) -> None:
    """Run ``statements`` beside the store."""
    engine = create_async_engine(parse_url(url))
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def test_the_migrations_make_the_tables_that_the_code_expects(database_url: str) -> None:
    """Names of tables, columns, keys and indexes; what may be empty."""
    async with ConfigurationStore(database_url) as store:
        assert await store.schema_version() is None
        assert await store.migrate() == schema_version.HEAD
    engine = create_async_engine(parse_url(database_url))
    async with engine.connect() as connection:
        for table in metadata.tables.values():
            columns = await connection.run_sync(lambda sync, name=table.name: inspect(sync).get_columns(name))
            primary = await connection.run_sync(lambda sync, name=table.name: inspect(sync).get_pk_constraint(name))
            indexes = await connection.run_sync(lambda sync, name=table.name: inspect(sync).get_indexes(name))
            assert [(one["name"], one["nullable"]) for one in columns] == [(c.name, c.nullable) for c in table.columns]
            assert primary["constrained_columns"] == [c.name for c in table.primary_key]
            assert {one["name"] for one in indexes} == {one.name for one in table.indexes}
    await engine.dispose()


async def test_many_processes_migrate_at_once(database_url: str) -> None:
    """One does it, the others find it done."""
    stores = [ConfigurationStore(database_url) for _ in range(4)]

    versions = await asyncio.gather(*(store.migrate() for store in stores))

    assert set(versions) == {schema_version.HEAD}
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_process_that_is_paused_in_a_transaction_gives_its_locks_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes over waits for them; the one that was paused is told that its connection was lost."""
    monkeypatch.setattr(transactions, "IDLE_SECONDS", 1)

    async def paused(silent: Connections, other: Connections) -> None:
        async with silent.transaction() as connection:
            await connection.execute(text("UPDATE held SET a = 2"))
            async with other.transaction() as taking:
                await taking.execute(text("UPDATE held SET a = 3"))
            await connection.execute(text("SELECT 1"))

    await run(database_url, "CREATE TABLE held (a integer)", "INSERT INTO held VALUES (1)")
    silent, other = Connections(database_url), Connections(database_url)
    with pytest.raises(StoreUnreachable):
        await paused(silent, other)
    async with silent.transaction() as connection:
        assert await connection.scalar(text("SELECT a FROM held")) == 3
    await silent.close()
    await other.close()


async def test_tables_that_are_missing_are_named(database_url: str) -> None:
    """With what makes them."""
    async with ConfigurationStore(database_url) as store:
        with pytest.raises(StoreNotMigrated) as caught:
            await store.find_by_id(key().id)
    assert "adx config migrate" in caught.value.next_step


async def test_tables_of_a_newer_version_are_left_alone(store: ConfigurationStore, database_url: str) -> None:
    """An old ADX would not know what it breaks."""
    await run(database_url, f"UPDATE {schema_version.TABLE} SET version_num = '9999'")

    with pytest.raises(StoreTooNew):
        await store.migrate()


async def test_an_interrupted_migration_is_run_again(database_url: str) -> None:
    """MariaDB keeps the first table when the second fails."""
    async with ConfigurationStore(database_url) as store:
        await store.migrate()
        await run(database_url, "DROP TABLE configuration_versions", f"DELETE FROM {schema_version.TABLE}")

        assert await store.migrate() == schema_version.HEAD
        await store.create(key(), plain(1), author())


async def test_a_server_that_is_away_is_unreachable_and_found_again(database_url: str) -> None:
    """Connections of the pool that have died are replaced."""
    with linked(database_url) as link:
        async with ConfigurationStore(link.through(database_url)) as store:
            await store.migrate()
            await store.create(key(), plain(1), author())
            link.cut()

            with pytest.raises(StoreUnreachable):
                await store.find_by_id(key().id)

            link.mend()
            assert await store.find_by_id(key().id) is not None


async def test_nobody_listening_is_unreachable(database_url: str) -> None:
    """A wrong port, say."""
    url = make_url(database_url).set(port=1).render_as_string(hide_password=False)

    async with ConfigurationStore(url) as store:
        with pytest.raises(StoreUnreachable):
            await store.find_by_id(key().id)


async def test_a_refused_login_is_no_outage_and_shows_no_password(database_url: str) -> None:
    """Trying again would not help."""
    url = make_url(database_url).set(password="canary-5512").render_as_string(hide_password=False)

    async with ConfigurationStore(url) as store:
        with pytest.raises(StoreRefused) as caught:
            await store.find_by_id(key().id)
    assert type(caught.value) is StoreRefused
    assert "canary" not in f"{caught.value} {caught.value.next_step} {caught.value.__cause__}"


async def test_a_row_that_stays_locked_is_a_time_out(store: ConfigurationStore, database_url: str) -> None:
    """And the writer that waited has changed nothing."""
    await store.create(key(), plain(1), author())
    engine = create_async_engine(parse_url(database_url))
    async with engine.begin() as connection, ConfigurationStore(database_url, timeout_seconds=0.5) as hasty:
        await connection.execute(text("SELECT * FROM configuration_values FOR UPDATE"))

        with pytest.raises(StoreTimedOut):
            await hasty.update(key(), plain(2), author(), expected=1)
    await engine.dispose()

    found = await store.find_by_id(key().id)
    assert found is not None
    assert found.version == 1


async def test_a_write_whose_answer_was_lost_finds_its_own_result(database_url: str) -> None:
    """It was done, the caller saw a lost connection, and the repetition makes no second version."""
    with linked(database_url) as link:
        async with ConfigurationStore(link.through(database_url)) as store, ConfigurationStore(database_url) as direct:
            await direct.migrate()
            change = author()
            # What was done directly stands for a commit whose answer did not come through the link.
            await direct.create(key(), plain(1), change)
            link.cut()
            with pytest.raises(StoreUnreachable):
                await store.create(key(), plain(1), change)
            link.mend()

            found = await store.create(key(), plain(1), change)

            assert found.version == 1
            assert len(await direct.history(key().id)) == 1


@pytest.mark.parametrize("url", ["", "sqlite:///x", "no address", "oracle://u:canary-1@h/d"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """Without repeating it: it may hold a password."""
    with pytest.raises(StoreRefused) as caught:
        ConfigurationStore(url)

    assert "canary" not in str(caught.value)
    assert "mysql://" in caught.value.next_step


async def test_values_never_appear_in_errors(store: ConfigurationStore, database_url: str) -> None:
    """Databases like to quote the row that they refuse."""
    broken = "ALTER TABLE configuration_values DROP COLUMN service"
    await run(database_url, broken)

    with pytest.raises(StoreNotMigrated) as caught:
        await store.write([Write(key=key(), value=plain("canary-77"))], author())

    assert "canary" not in f"{caught.value}"
    assert caught.value.__cause__ is None
