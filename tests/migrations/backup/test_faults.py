"""Disks that fill up, programs that are killed, parts that are missing, writers that come in between."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from policies.migrations.catalog import compare
from tests.migrations.backup.scenes import ADD, GONE, PLANS, migrated, orders, planned, prepared, store_in
from tests.support.local_stack import S3Server
from tests.support.processes import found
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.errors import StatementRefused
from workflows.migrations.backup import (
    BackupInterrupted,
    BackupRecord,
    BackupRefused,
    BackupUnusable,
    RestoreFailed,
    dumps_postgresql,
    make_backup,
    plan_backup,
    programs,
    prune_backups,
    restore_backup,
)
from workflows.migrations.backup.storing import dumps, marks, put_dump, records
from workflows.snapshots import SnapshotStore, open_store
from workflows.snapshots.errors import SnapshotStoreUnreachable

NOISE = {
    "postgresql": "INSERT INTO orders SELECT i, left(md5(i::text), 20), i FROM generate_series(10, 150000) i",
    "mysql": "INSERT INTO orders SELECT seq, left(md5(seq), 20), seq FROM seq_10_to_150000",
}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one megabyte, which only root can make."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts a filesystem of a size")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", str(folder)], check=False)
    if done.returncode != 0:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def child(name: str, making: asyncio.Task[BackupRecord]) -> psutil.Process:
    """The program ``name`` that ``making`` has started, once it is there."""

    def is_meant(one: psutil.Process) -> bool:
        arguments = one.cmdline()
        return len(arguments) > 2 and Path(arguments[0]).name == name  # not the one that tells its version

    while not (programs := found(is_meant, psutil.Process().children())):
        assert not making.done(), making
        await asyncio.sleep(0.02)
    return programs[0]


async def test_a_store_that_is_full_leaves_no_backup(
    database: Database, address: DatabaseAddress, tiny_disk: Path
) -> None:
    """It is told, the schema is as it was, and with space the same plan succeeds."""
    scripts = await prepared(database, address, GONE)
    await database.execute_query(NOISE[address.engine])
    backup = await plan_backup(database, await planned(database, scripts))
    full = store_in(tiny_disk / "snapshots")
    with pytest.raises(SnapshotStoreUnreachable, match="No space left"):
        await make_backup(database, backup, full)
    assert await full.entries(records(backup.owner)) == ()
    assert found(lambda one: "dump" in one.name(), psutil.Process().children()) == []
    assert (await make_backup(database, backup, store_in(tiny_disk.parent / "roomy"))).dump_bytes > 2_000_000


async def test_a_server_that_is_full_leaves_no_copy(
    postgres_address: DatabaseAddress, store: SnapshotStore, tiny_disk: Path
) -> None:
    """The copy goes with its transaction."""
    async with open_database(postgres_address) as database:
        scripts = await prepared(database, postgres_address, PLANS["table_copy"])
        await database.execute_query(NOISE["postgresql"])
        space = f"tiny_{os.getpid()}"
        os.chown(tiny_disk, 65534, 65534)
        await database.execute_query(f"CREATE TABLESPACE {space} LOCATION '{tiny_disk}'")
        try:
            backup = await plan_backup(database, await planned(database, scripts))
            await database.execute_query(f"SET default_tablespace = {space}")
            with pytest.raises(StatementRefused, match=r"No space left|could not extend"):
                await make_backup(database, backup, store)
            assert not await dumps_postgresql.exists(await database.session(), f"adx_backup_{backup.backup_id}")
            assert await store.entries(records(backup.owner)) == ()
            await database.execute_query("SET default_tablespace = ''")
            assert (await make_backup(database, backup, store)).strategy == "table_copy"
        finally:
            await database.execute_query("SET default_tablespace = ''")
            await database.execute_query(f"DROP TABLESPACE {space}")


async def test_a_dump_that_is_killed_is_no_backup_and_shows_no_password(
    address: DatabaseAddress, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the store when it is killed; its arguments and variables are looked at before."""
    monkeypatch.setattr("workflows.migrations.backup.storing.CHUNK_BYTES", 4096)
    held, is_open = store.put, asyncio.Event()

    async def put(data: bytes, *, owner: str) -> str:
        await is_open.wait()
        return await held(data, owner=owner)

    monkeypatch.setattr(store, "put", put)
    name = "pg_dump" if address.engine == "postgresql" else "mariadb-dump"
    async with open_database(address) as database, open_database(address) as blocker:
        scripts = await prepared(database, address, GONE)
        await database.execute_query("CREATE TABLE big (id integer PRIMARY KEY, note varchar(20), amount integer)")
        await database.execute_query(NOISE[address.engine].replace("orders", "big"))
        backup = await plan_backup(database, await planned(database, scripts))
        making = asyncio.create_task(make_backup(database, backup, store))
        program = await child(name, making)
        assert address.password not in " ".join(program.cmdline())
        assert address.password not in " ".join(program.environ().values())
        program.kill()
        is_open.set()
        with pytest.raises(BackupInterrupted, match="status -9"):
            await making
        assert await store.entries(records(backup.owner)) == ()
        assert await blocker.execute_query("SELECT count(*) FROM orders") == [(3,)]
        await database.execute_query("UPDATE orders SET amount = 1")  # nobody holds a lock


async def test_a_part_that_is_missing_is_found_before_anything_is_touched(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """The schema is as it was."""
    scene = await migrated(database, address, store, GONE)
    for entry in await store.entries(dumps(scene.record.owner)):
        await store.delete(entry.digest, owner=dumps(scene.record.owner))
    with pytest.raises(BackupUnusable, match="part 1 of 1"):
        await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (await database.get_schema_version()).version == 2


async def test_copies_that_somebody_wrote_to_are_not_used(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Their checksums are those of the backup, or nothing is done."""
    scene = await migrated(database, address, store, PLANS["table_copy"])
    await database.execute_query(f"UPDATE adx_backup_{scene.record.backup_id}.orders SET amount = 0")
    with pytest.raises(BackupUnusable, match="does not hold the rows"):
        await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (await database.get_schema_version()).version == 2


async def test_a_restore_that_was_killed_half_way_is_done_by_the_next_call(
    database: Database, address: DatabaseAddress, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables wait aside; nothing of them is lost, and what was loaded before is not taken for the backup."""
    scene = await migrated(database, address, store, GONE)
    monkeypatch.setattr(dumps_postgresql, "put_back", _nothing)  # as a process that is gone puts nothing back
    broken = programs.BackupRefused("the program is gone")

    def no_program(*_: object) -> Path:
        raise broken

    with monkeypatch.context() as during:
        during.setattr("workflows.migrations.backup.dumps_postgresql.postgres_program", no_program)
        during.setattr("workflows.migrations.backup.dumps_mysql.mysql_program", no_program)
        with pytest.raises((BackupRefused, RestoreFailed), match="program is gone"):
            await restore_backup(database, scene.record, store, mark=scene.mark)
    monkeypatch.undo()
    with pytest.raises(StatementRefused):
        await orders(database)
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (report.outcome, report.differences) == ("restored", ())
    assert await orders(database) == scene.rows


async def _nothing(*_: object) -> None:
    return None


async def test_a_load_that_fails_puts_the_schema_back(postgres_address: DatabaseAddress, store: SnapshotStore) -> None:
    """PostgreSQL renames back what it had put aside."""
    async with open_database(postgres_address) as database:
        await database.execute_query("CREATE SCHEMA other")
        await database.execute_query("CREATE TABLE other.u (id integer PRIMARY KEY)")
        await database.execute_query("CREATE TABLE t (id integer REFERENCES other.u)")
        scene = await migrated(database, postgres_address, store, GONE)
        await database.execute_query("DROP TABLE other.u CASCADE")
        with pytest.raises(RestoreFailed, match="pg_restore ended with status 1"):
            await restore_backup(database, scene.record, store, mark=scene.mark)
        assert (await database.get_schema_version()).version == 2
        assert await database.execute_query("SELECT count(*) FROM orders") == [(3,)]


async def test_a_restore_that_is_not_the_backup_is_told_and_puts_the_schema_back(
    postgres_address: DatabaseAddress, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that loads nothing and says that all is well is not believed."""
    async with open_database(postgres_address) as database:
        scene = await migrated(database, postgres_address, store, GONE)
        monkeypatch.setattr(dumps_postgresql, "_contents", _bad_contents)
        report = await restore_backup(database, scene.record, store, mark=scene.mark)
        assert report.outcome == "not-verified"
        assert "table orders" in "\n".join(report.differences)
        assert (await database.get_schema_version()).version == 2
        assert await database.execute_query("SELECT count(*) FROM orders") == [(3,)]


async def _bad_contents(*_: object) -> bytes:
    return b"99999; 1259 1 TABLE public nowhere postgres\n"


async def test_a_writer_that_waits_for_the_restore_gets_an_error_and_loses_nothing_silently(
    postgres_address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Its row goes into no table that is dropped afterwards."""
    async with open_database(postgres_address) as database, open_database(postgres_address) as writer:
        scene = await migrated(database, postgres_address, store, GONE)
        async with database.begin_transaction() as session:
            await dumps_postgresql.lock_tables(session, "public")
            writing = asyncio.create_task(writer.execute_query("INSERT INTO orders VALUES (9, 9)"))
            while not await session.execute(WAITING["postgresql"]):
                assert not writing.done(), writing
                await asyncio.sleep(0.02)
            await dumps_postgresql.put_aside(session, "public", "adx_aside_test")
        with pytest.raises(StatementRefused, match="does not exist"):
            await writing
        await dumps_postgresql.put_back(await database.session(), "public", "adx_aside_test")
        assert (await restore_backup(database, scene.record, store, mark=scene.mark)).outcome == "restored"


WAITING = {
    "postgresql": "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass",
    "mysql": "SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%' AND info LIKE 'RENAME%'",
}


async def test_a_write_that_was_not_committed_at_the_look_is_waited_for_and_found(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Refused in the end, with everything as it was."""
    scene = await migrated(database, address, store, GONE)
    catalog = await database.catalog()
    async with open_database(address) as writer, open_database(address) as observer:
        async with writer.begin_transaction() as session:
            await session.execute("INSERT INTO orders (id) VALUES (9)")
            restoring = asyncio.create_task(restore_backup(database, scene.record, store, mark=scene.mark))
            while not await observer.execute_query(WAITING[address.engine]):
                assert not restoring.done()
                await asyncio.sleep(0.05)
        report = await restoring
    assert (report.outcome, [(one.table, one.rows) for one in report.losses]) == ("refused", [("orders", 1)])
    assert await database.execute_query("SELECT count(*) FROM orders") == [(4,)]
    assert compare(catalog, await database.catalog()) == ()


async def test_a_dump_is_never_whole_in_memory(store: SnapshotStore) -> None:
    """While one part is put the next is read, and no further."""
    begun = ended = 0

    async def read(_: int) -> bytes:
        nonlocal begun
        begun += 1
        assert begun - ended <= 3
        return b"" if begun > 20 else bytes([begun])

    held = store.put

    async def put(data: bytes, *, owner: str) -> str:
        nonlocal ended
        digest = await held(data, owner=owner)
        ended += 1
        return digest

    store.put = put  # type: ignore[method-assign]
    stored = await put_dump(store, "test", read)
    assert (len(stored.chunks), stored.size_bytes) == (20, 20)


async def test_a_dump_goes_to_s3_and_back(
    postgres_address: DatabaseAddress, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts."""
    monkeypatch.setattr("workflows.migrations.backup.storing.CHUNK_BYTES", 1024)
    place = f"s3://{s3_server.bucket}/{postgres_address.database}"
    key = base64.b64encode(os.urandom(32)).decode()
    store = open_store({**s3_server.environment, "ADX_SNAPSHOT_STORE": place, "ADX_SNAPSHOT_KEY": key})
    async with open_database(postgres_address) as database:
        scene = await migrated(database, postgres_address, store, GONE)
        assert len(await store.entries(dumps(scene.record.owner))) > 1
        assert (await restore_backup(database, scene.record, store, mark=scene.mark)).outcome == "restored"


def test_a_program_that_is_too_old_is_refused_with_what_is_needed() -> None:
    """The versions that are here are told."""
    with pytest.raises(BackupRefused, match="PostgreSQL 99") as raised:
        programs.postgres_program("pg_dump", 99)
    assert "postgresql-client-99" in raised.value.next_step


async def test_settled_backups_go_when_they_are_old_enough(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """With their parts, marks and copies; others stay, and can still be restored."""
    copied = await migrated(database, address, store, PLANS["table_copy"])
    await restore_backup(database, copied.record, store, mark=copied.mark)
    plan = copied.plan
    kept = await make_backup(database, await plan_backup(database, plan, strategy="table_copy"), store)
    dumped = await make_backup(database, await plan_backup(database, plan, strategy="dump"), store)
    now = datetime.now(UTC)
    settled = {one.backup_id: now - timedelta(days=8) for one in (copied.record, dumped)}
    early = await prune_backups(database, store, settled=settled, keep_days=9, now=now)
    assert early.backups == ()
    pruned = await prune_backups(database, store, settled=settled, keep_days=7, now=now)
    assert set(pruned.backups) == set(settled)
    assert pruned.copies == (f"adx_backup_{copied.record.backup_id}",)
    assert await store.entries(dumps(kept.owner)) == ()
    assert await store.entries(marks(kept.owner)) == ()
    assert await store.digests(records(kept.owner)) == (kept.manifest,)
    assert (await restore_backup(database, kept, store)).outcome == "restored"


async def test_copies_without_a_backup_go_when_they_are_a_day_old(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """A backup that is being made has a copy and no manifest yet."""
    scene = await migrated(database, address, store, ADD)
    kind = "SCHEMA" if address.engine == "postgresql" else "DATABASE"
    prefix = scene.record.backup_id.partition("_")[0]
    orphan, young = (f"adx_backup_{prefix}_{when}_abcdef" for when in ("20200101000000", "29990101000000"))
    for name in (orphan, young):
        await database.execute_query(f"CREATE {kind} {name}")
    pruned = await prune_backups(database, store, settled={}, keep_days=1, now=datetime.now(UTC))
    await database.execute_query(f"DROP {kind} {young}")
    assert pruned.copies == (orphan,)


async def test_a_lost_connection_gives_the_lock_back(postgres_address: DatabaseAddress, store: SnapshotStore) -> None:
    """The next call connects anew."""
    async with open_database(postgres_address) as database:
        scene = await migrated(database, postgres_address, store, GONE)
        with psycopg.connect(_url(postgres_address), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(Exception, match="lost"):
            await restore_backup(database, scene.record, store, mark=scene.mark)
        assert (await restore_backup(database, scene.record, store, mark=scene.mark)).outcome == "restored"


def _url(address: DatabaseAddress) -> str:
    return f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
