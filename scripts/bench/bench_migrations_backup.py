"""What a dump backup and its verified restore cost, beside bare pg_dump and pg_restore of the same schema.

Both sides write the custom format and compress it with zstd at level 3 into a
file that is flushed to the disk; ADX's side also encrypts, checksums every
table before and after, looks for writes, and keeps the old schema until the new
one is verified. Starts a PostgreSQL of its own. ``ADX_BENCH_BACKUP_MB`` is the
size of the schema's tables and indexes (default 1000), ``ADX_BENCH_BACKUP_RUNS`` how often (default 1).
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import zstandard

from policies.migrations.history import plan_migration
from policies.migrations.script_files import checksums, script_set
from policies.migrations.sums import FILE, render
from scripts.bench.rows import Row, paired
from scripts.stack import Home, Stack
from scripts.stack.parts import postgres
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.migrations.backup import make_backup, mark_point, plan_backup, restore_backup
from workflows.migrations.backup.programs import Access, postgres_access, postgres_program
from workflows.snapshots import SnapshotStore, open_store

TOGETHER = "migrations.backup_and_restore"
BACKUP, RESTORE = "migrations.backup", "migrations.restore"
BARE = "pg_dump -Fc | zstd -3, and back"
LIMIT = 1.2
SMALL = "-- adx: irreversible=the benchmark measures a dump\nALTER TABLE bench_0 DROP COLUMN note"
ROWS_PER_MB = 5_400
TABLES = 4


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    if not any(only in name for name in (TOGETHER, BACKUP, RESTORE)):
        return []
    with _server() as (address, folder):
        measured = asyncio.run(_measure(address, folder))
    backups, restores = [pairs for pairs, _ in measured], [pairs for _, pairs in measured]
    both = [(a[0] + b[0], a[1] + b[1]) for a, b in measured]
    return [
        paired(TOGETHER, both, "s", BARE, LIMIT),
        paired(BACKUP, backups, "s", BARE, LIMIT),
        paired(RESTORE, restores, "s", BARE, LIMIT),
    ]


@contextmanager
def _server() -> Iterator[tuple[DatabaseAddress, Path]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        stack = Stack(Path(name) / "stack")
        try:
            stack.up(["postgres"])
            url = postgres.superuser_url(Home(stack.home), stack.port("postgres", "sql"))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE bench")
            yield DatabaseAddress.parse(url).at(database="bench"), Path(name)
        finally:
            stack.down()


async def _measure(address: DatabaseAddress, folder: Path) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """((backup, bare backup), (restore, bare restore)) in seconds, for each run; who goes first is swapped."""
    key = base64.b64encode(os.urandom(32)).decode()
    store = open_store({"ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(), "ADX_SNAPSHOT_KEY": key})
    async with open_database(address) as database:
        await _fill(database)
        found = []
        for number in range(int(os.environ.get("ADX_BENCH_BACKUP_RUNS", "1"))):
            sides = [_ours(database, store), _bare(address, folder / "bare.zst")]
            order = (0, 1) if number % 2 else (1, 0)
            seconds = {side: await sides[side] for side in order}
            found.append(tuple(zip(seconds[0], seconds[1], strict=True)))
    return found  # type: ignore[return-value] # two pairs


async def _fill(database: Database) -> None:
    """Tables of texts, numbers and times with a primary key and an index each; the last figures of many are alike."""
    count = int(os.environ.get("ADX_BENCH_BACKUP_MB", "1000")) * ROWS_PER_MB // TABLES
    for number in range(TABLES):
        table = f"bench_{number}"
        await database.execute_query(
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, note text, amount integer, made timestamptz)"
        )
        values = "i, md5(i::text) || md5((i * 7)::text) || ' paid by card', i % 1000"
        when = "'2026-01-01'::timestamptz + i * interval '1 second'"
        query = f"SELECT {values}, {when} FROM generate_series(1, {count}) AS i"  # noqa: S608 - our own numbers
        await database.execute_query(f"INSERT INTO {table} {query}")
        await database.execute_query(f"CREATE INDEX ON {table} (amount)")
        await database.execute_query(f"VACUUM ANALYZE {table}")
    await database.execute_query("CHECKPOINT")


async def _ours(database: Database, store: SnapshotStore) -> tuple[float, float]:
    """Backup, the migration (not measured), restore. The schema is then as it was."""
    files = {"0001_small.up.sql": SMALL.encode()}
    scripts, problems = script_set("bench", {**files, FILE: render("postgresql", checksums(files)).encode()})
    if scripts is None:
        raise SystemExit(f"the script of the benchmark is not read: {problems}")
    plan = plan_migration(scripts, await database.get_schema_version(), 1)
    begun = time.perf_counter()
    record = await make_backup(database, await plan_backup(database, plan, strategy="dump"), store)
    backed_up = time.perf_counter()
    await database.apply_migration(scripts.migrations[0])
    mark = await mark_point(database, record, store)
    await database.execute_query("CHECKPOINT")
    again = time.perf_counter()
    report = await restore_backup(database, record, store, mark=mark)
    restored = time.perf_counter()
    if report.outcome != "restored":
        raise SystemExit(f"not restored: {report.outcome} {report.differences}")
    await database.execute_query("CHECKPOINT")
    return backed_up - begun, restored - again


async def _bare(address: DatabaseAddress, file: Path) -> tuple[float, float]:
    """The same by the programs alone: dump, drop the schema, load."""
    return await asyncio.to_thread(_run_bare, address, file)


def _run_bare(address: DatabaseAddress, file: Path) -> tuple[float, float]:
    with postgres_access(address) as access:
        begun = time.perf_counter()
        command = [str(postgres_program("pg_dump", 18)), "-Fc", "-Z0", "-n", "public"]
        with _started(command, access, stdout=subprocess.PIPE) as process, file.open("wb") as target:
            assert process.stdout is not None  # noqa: S101 - as asked for
            zstandard.ZstdCompressor(level=3).copy_stream(process.stdout, target, read_size=2**20, write_size=2**20)
            target.flush()
            os.fsync(target.fileno())
        dumped = time.perf_counter()
        _checkpoint(address)
        again = time.perf_counter()
        with _connected(address) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
        command = [str(postgres_program("pg_restore", 18)), "--single-transaction", "-d", address.database]
        with _started(command, access, stdin=subprocess.PIPE) as process, file.open("rb") as source:
            assert process.stdin is not None  # noqa: S101 - as asked for
            zstandard.ZstdDecompressor().copy_stream(source, process.stdin, read_size=2**20, write_size=2**20)
            process.stdin.close()
        restored = time.perf_counter()
        if process.returncode != 0:
            raise SystemExit("pg_restore failed")
    _checkpoint(address)
    return dumped - begun, restored - again


def _started(
    command: list[str], access: Access, *, stdin: int | None = None, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=dict(access.environment), pass_fds=access.descriptors, stdin=stdin, stdout=stdout
    )


def _checkpoint(address: DatabaseAddress) -> None:
    with _connected(address) as connection:
        connection.execute("CHECKPOINT")


def _connected(address: DatabaseAddress) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
        autocommit=True,
    )
