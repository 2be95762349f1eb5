"""Connections that are lost, servers that are away, and poolers in between."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.migrations.clients import COMMIT, TABLE, migrations, through
from tests.support.tcp_proxy import proxied
from workflows.clients.databases import Database, DatabaseAddress, Limits, open_database
from workflows.clients.databases.errors import DatabaseUnreachable, PoolerRefused
from workflows.clients.databases.mysql import MySqlSession


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


async def test_a_worker_that_is_paused_in_a_script_gives_its_locks_back(
    postgres_address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its session, which is all that says that it migrates the schema."""
    monkeypatch.setattr("workflows.clients.databases.postgresql._IDLE_MS", 1000)

    async def paused(silent: Database, other: Database) -> None:
        await silent.locked()
        async with silent.begin_transaction(Limits(0, 0)) as session:
            await session.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            assert await other.execute_query("SELECT * FROM orders") == []
            await other.locked()
            await session.execute("SELECT 1")

    async with open_database(postgres_address) as silent, open_database(postgres_address) as other:
        await silent.execute_query(TABLE)
        with pytest.raises(DatabaseUnreachable):
            await paused(silent, other)


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
    with socket.socket() as nobody:  # bound, so that no other server gets the port, and not listening
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
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


async def test_the_server_soon_notices_that_a_worker_s_host_is_dead(postgres_address: DatabaseAddress) -> None:
    """Else it would hold the schema's lock for hours. The server reads these from the connection itself."""
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    async with open_database(postgres_address) as database:
        found = [(await database.execute_query("SELECT current_setting(%s)", (name,)))[0][0] for name in names]
        assert found == ["10", "5", "3", "30000"]


async def test_a_worker_soon_notices_that_mysql_s_host_is_dead(mysql_address: DatabaseAddress) -> None:
    """Its driver would wait for as long as the system does."""
    async with open_database(mysql_address) as database:
        session = await database.session()
        assert isinstance(session, MySqlSession)
        wire = session._connection._sock
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [wire.getsockopt(socket.IPPROTO_TCP, one) for one in options] == [10, 5, 3, 30_000]


PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@pytest.mark.skipif(
    PGBOUNCER is None,
    reason="PgBouncer is not installed (`make packages`); the test above has what it does in the protocol",
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
