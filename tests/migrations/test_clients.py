"""The same behaviour of both servers behind one interface."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from policies.migrations.model import Migration
from tests.migrations.scripts import scripts_of
from tests.support.tcp_proxy import proxied
from workflows.clients.databases import Database, DatabaseAddress, Feature, Limits, LockPatience, open_database
from workflows.clients.databases.errors import (
    AddressInvalid,
    DatabaseUnreachable,
    LockTimedOut,
    MigrationLocked,
    NotInOrder,
    PoolerRefused,
    StatementRefused,
    StatementTimedOut,
)
from workflows.clients.databases.interface_types import StepDone

TABLE = "CREATE TABLE orders (id integer PRIMARY KEY, note varchar(20))"
AT_ONCE = LockPatience(attempts=2, first_delay_seconds=0.01, migration_lock_seconds=0.5)


def migrations(address: DatabaseAddress, *pairs: tuple[str, str]) -> tuple[Migration, ...]:
    """Versions 1, 2, … for the engine of ``address``."""
    return scripts_of(address.engine, *pairs).migrations


async def tables(database: Database) -> list[str]:
    """What the catalog lists."""
    return [name for name in (await database.catalog()).objects if name.startswith("table ")]


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


async def test_a_schema_is_migrated_by_one_at_a_time(database: Database, address: DatabaseAddress) -> None:
    """The second is told who holds the lock; when the first ends, the lock is free."""
    (first,) = migrations(address, (TABLE, "DROP TABLE orders"))
    async with open_database(address, AT_ONCE) as other:
        await database.apply_migration(first)
        with pytest.raises(MigrationLocked, match="of the server"):
            await other.apply_migration(first, "down")
        await database.close()
        assert (await other.apply_migration(first, "down")).outcome == "applied"


async def test_two_workers_at_once_apply_a_migration_once(address: DatabaseAddress) -> None:
    """Whoever comes second finds it done."""
    (first,) = migrations(address, (f"{TABLE}; INSERT INTO orders VALUES (1, 'a')", "DROP TABLE orders"))

    async def apply() -> str:
        async with open_database(address) as opened:
            return (await opened.apply_migration(first)).outcome

    assert sorted(await asyncio.gather(apply(), apply(), apply())) == ["already", "already", "applied"]


async def test_a_lock_on_the_table_is_waited_for_only_so_long(database: Database, address: DatabaseAddress) -> None:
    """It is tried again, then told with the number of attempts; the schema is as it was."""
    await database.execute_query(TABLE)
    before = await database.catalog()
    change = "-- adx: lock_timeout_ms=100\nALTER TABLE orders ADD COLUMN more int"
    (first,) = migrations(address, (change, "ALTER TABLE orders DROP COLUMN more"))
    async with open_database(address) as other, open_database(address, AT_ONCE) as patient:
        async with other.begin_transaction() as transaction:
            await transaction.execute("SELECT * FROM orders")
            with pytest.raises(LockTimedOut, match=r"0001_step_1\.up\.sql:2: .*\(2 attempts\)"):
                await patient.apply_migration(first)
            assert await database.catalog() == before
        assert (await patient.apply_migration(first)).outcome == "applied"


async def test_a_lock_that_is_given_back_in_time_only_costs_attempts(address: DatabaseAddress) -> None:
    """The delays are drawn; here the draw gives the lock back."""
    async with open_database(address) as other:
        await other.execute_query(TABLE)
        session = await other.session()
        await session.begin()
        await session.execute("SELECT * FROM orders")
        ended: list[asyncio.Task[None]] = []

        def draw(_: float, longest: float) -> float:
            if not ended:
                ended.append(asyncio.ensure_future(session.rollback()))
            return longest

        patience = LockPatience(attempts=20, first_delay_seconds=0.2, longest_delay_seconds=0.2, draw=draw)
        change = "-- adx: lock_timeout_ms=100\nALTER TABLE orders ADD COLUMN more int"
        (first,) = migrations(address, (change, "ALTER TABLE orders DROP COLUMN more"))
        async with open_database(address, patience) as waiting:
            done = await waiting.apply_migration(first)
        await asyncio.gather(*ended)
    assert done.outcome == "applied"
    assert done.lock_timeouts >= 1


SLEEP = {
    "postgresql": "CREATE TABLE slow AS SELECT pg_sleep({})::text AS x",
    "mysql": "CREATE TABLE slow AS SELECT SLEEP({}) AS x",
}


async def running(database: Database, address: DatabaseAddress) -> int:
    """How many sleeping statements the server runs."""
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND query LIKE 'CREATE TABLE slow%%' AND datname = %s",
        "mysql": "SELECT count(*) FROM information_schema.processlist"
        " WHERE info LIKE 'CREATE TABLE slow%%' AND db = %s",
    }[address.engine]
    return int((await database.execute_query(query, (address.database,)))[0][0])


async def test_a_statement_that_runs_too_long_is_ended_on_the_server(
    database: Database, address: DatabaseAddress
) -> None:
    """The limit of its script; nothing of it stays."""
    text = f"-- adx: statement_timeout_ms=200\n{SLEEP[address.engine].format(60)}"
    (first,) = migrations(address, (text, "DROP TABLE slow"))
    with pytest.raises(StatementTimedOut, match=r"0001_step_1\.up\.sql:2"):
        await database.apply_migration(first)
    async with open_database(address) as other:
        assert await running(other, address) == 0
    assert await tables(database) == []


async def test_cancelling_ends_the_statement_on_the_server(database: Database, address: DatabaseAddress) -> None:
    """Not only the wait for it; the lock of the schema is free at once."""
    (first,) = migrations(address, (SLEEP[address.engine].format(60), "DROP TABLE slow"))
    async with open_database(address) as applying:
        task = asyncio.ensure_future(applying.apply_migration(first))
        while not await running(database, address):
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await running(database, address) == 0
        assert await tables(database) == []
    (quick,) = migrations(address, (SLEEP[address.engine].format(0), "DROP TABLE slow"))
    if address.engine == "postgresql":
        assert (await database.apply_migration(quick)).outcome == "applied"


COMMIT = {"postgresql": (b"COMMIT", b"COMMIT\x00"), "mysql": (b"\x03COMMIT", b"\x00\x00\x00")}


async def test_a_commit_whose_answer_is_lost_is_found_done(address: DatabaseAddress) -> None:
    """The server is asked on a new connection; nothing is applied twice."""
    (first,) = migrations(address, (f"{TABLE}; INSERT INTO orders VALUES (1, 'a')", "DROP TABLE orders"))
    with proxied(address.host, address.port) as proxy:
        async with open_database(through(address, proxy.port)) as database:
            word, answer = COMMIT[address.engine]
            proxy.cut_at(word, answer)
            done = await database.apply_migration(first)
            assert (done.outcome, proxy.cuts) == ("found-applied", 1)
            assert (await database.get_schema_version()).version == 1
            assert await database.execute_query("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.parametrize("commit", range(4))
async def test_a_connection_lost_in_any_commit_leaves_a_schema_that_the_next_call_finishes(
    address: DatabaseAddress, commit: int
) -> None:
    """Cut before and after the server has heard of each commit; a row is inserted once, whatever happens."""
    text = f"{TABLE}; INSERT INTO orders VALUES (1, 'a'); CREATE INDEX notes ON orders (note)"
    (first,) = migrations(address, (text, "DROP TABLE orders"))
    with proxied(address.host, address.port) as proxy:
        async with open_database(through(address, proxy.port)) as database:
            word, answer = COMMIT[address.engine]
            proxy.cut_at(word, answer if commit % 2 else b"", skip=commit // 2)
            try:
                await database.apply_migration(first)
            except DatabaseUnreachable:
                await database.apply_migration(first)
            found = await database.get_schema_version()
            assert (found.version, found.unfinished) == (1, None)
            assert await database.execute_query("SELECT count(*) FROM orders") == [(1,)]
            assert await database.execute_query("SELECT count(*) FROM adx_migration_steps") == [(0,)]


async def test_a_commit_that_the_server_never_heard_is_told_as_not_done(postgres_address: DatabaseAddress) -> None:
    """And the next call does it."""
    (first,) = migrations(postgres_address, (TABLE, "DROP TABLE orders"))
    with proxied(postgres_address.host, postgres_address.port) as proxy:
        async with open_database(through(postgres_address, proxy.port)) as database:
            proxy.cut_at(b"COMMIT")
            with pytest.raises(DatabaseUnreachable, match="says it was not done"):
                await database.apply_migration(first)
            assert (await database.get_schema_version()).version == 0
            assert (await database.apply_migration(first)).outcome == "applied"


async def test_a_server_that_is_away_is_told_without_the_password(address: DatabaseAddress) -> None:
    """Host and user help; the password helps nobody."""
    with proxied(address.host, address.port) as proxy:
        port = proxy.port
    async with open_database(through(address, port)) as database:
        with pytest.raises(DatabaseUnreachable, match=f":{port}/") as raised:
            await database.get_schema_version()
    assert address.password not in f"{raised.value}{raised.value.__cause__}{address!r}"


async def test_a_pooler_is_refused_and_the_server_behind_it_is_named(postgres_address: DatabaseAddress) -> None:
    """Its sessions are not the server's: the lock of the schema would be somebody else's."""
    with proxied(postgres_address.host, postgres_address.port) as proxy:
        proxy.be_a_pooler()
        async with open_database(through(postgres_address, proxy.port)) as database:
            with pytest.raises(PoolerRefused, match=f"behind it is 127.0.0.1:{postgres_address.port}"):
                await database.get_schema_version()


PGBOUNCER = shutil.which("pgbouncer")


@pytest.mark.skipif(
    PGBOUNCER is None, reason="pgbouncer is not on PATH; the test above has what it does in the protocol"
)
@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_pgbouncer_itself_is_refused(postgres_address: DatabaseAddress, tmp_path: Path, mode: str) -> None:
    """In both modes: which of the two it is, nobody can ask."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users, configuration = tmp_path / "users.txt", tmp_path / "pgbouncer.ini"
    users.write_text(f'"{postgres_address.user}" "{postgres_address.password}"\n')
    configuration.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres_address.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
        f"listen_port={port}\nauth_type=plain\nauth_file={users}\npool_mode={mode}\nunix_socket_dir=\n"
    )
    for path in (*tmp_path.parents[:2], tmp_path, users, configuration):
        path.chmod(0o755)
    process = _pgbouncer(configuration)
    try:
        while not _listens(port):
            assert process.poll() is None
            await asyncio.sleep(0.05)
        async with open_database(through(postgres_address, port)) as database:
            with pytest.raises(PoolerRefused):
                await database.get_schema_version()
    finally:
        process.terminate()
        process.wait()


def _pgbouncer(configuration: Path) -> subprocess.Popen[bytes]:
    step_down = ["-u", "nobody"] if os.geteuid() == 0 else []
    return subprocess.Popen([str(PGBOUNCER), *step_down, str(configuration)], stderr=subprocess.DEVNULL)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "url",
    ["", "postgresql://", "oracle://u:canary@h/d", "mysql://u:canary@h", "postgresql://u:canary@h:x/d", "mysql://h/d"],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(AddressInvalid) as raised:
        DatabaseAddress.parse(url)
    assert "canary" not in str(raised.value)


def test_a_url_is_taken_apart() -> None:
    """Escapes, defaults, and what is not to be seen."""
    found = DatabaseAddress.parse("postgresql+psycopg://a%40b:p%2Fw@db.local/shop?sslmode=require", "acme")
    assert (found.user, found.password, found.port, found.schema) == ("a@b", "p/w", 5432, "acme")
    assert found.options == (("sslmode", "require"),)
    assert "p/w" not in repr(found)


async def test_limits_end_with_their_transaction(postgres_address: DatabaseAddress) -> None:
    """What comes afterwards has none."""
    async with open_database(postgres_address) as database:
        async with database.begin_transaction(Limits(100, 200)) as transaction:
            assert await transaction.execute("SELECT current_setting('lock_timeout')") == [("100ms",)]
        assert await database.execute_query("SELECT current_setting('lock_timeout')") == [("0",)]


def through(address: DatabaseAddress, port: int) -> DatabaseAddress:
    """The same database through a proxy on this machine."""
    plain = {"postgresql": (("sslmode", "disable"),), "mysql": ()}[address.engine]
    return DatabaseAddress(
        engine=address.engine,
        host="127.0.0.1",
        port=port,
        user=address.user,
        password=address.password,
        database=address.database,
        schema=address.schema,
        options=plain,
    )
