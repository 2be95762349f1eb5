"""Proves migrations where nothing can be lost: each up, down and up again, the schema compared through the catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from secrets import token_hex

from policies.errors import AdxError
from policies.migrations.catalog import compare, is_same
from policies.migrations.model import Migration, ScriptSet
from workflows.clients.databases import Database, DatabaseAddress, LockPatience, open_database
from workflows.clients.databases.errors import DatabaseUnreachable, StatementRefused
from workflows.errors import AdxConnectionError
from workflows.migrations.errors import ScratchRefused
from workflows.migrations.models import MigrationProof, Proof, Verdict

SCRATCH_PREFIX = "adx_scratch_"


async def prove_migrations(server: DatabaseAddress, scripts: ScriptSet, applied: int = 0) -> Proof:
    """Prove the versions above ``applied`` on a scratch database at ``server``, after those up to it.

    Raises ScratchRefused and AdxConnectionError; what scripts do wrong is in the proof.
    """
    async with scratch_database(server) as address, open_database(address, LockPatience(attempts=1)) as database:
        before = scripts.between(0, applied)
        failed = await _prepared(database, before)
        proofs = [failed] if failed is not None else await _proved(database, scripts.between(applied, scripts.newest))
    return Proof(database=scripts.database, server=f"{server.host}:{server.port}", migrations=tuple(proofs))


async def _prepared(database: Database, migrations: Sequence[Migration]) -> MigrationProof | None:
    for migration in migrations:
        try:
            await database.apply_migration(migration)
        except AdxConnectionError:
            raise
        except AdxError as error:
            return MigrationProof(migration=migration.id, verdict="up-failed", error=str(error))
    return None


async def _proved(database: Database, migrations: Sequence[Migration]) -> list[MigrationProof]:
    proofs: list[MigrationProof] = []
    for migration in migrations:
        proofs.append(await _prove(database, migration))
        if proofs[-1].verdict not in ("proved", "irreversible"):
            break
    return proofs


async def _prove(database: Database, migration: Migration) -> MigrationProof:
    state: Verdict = "up-failed"
    try:
        before = await database.catalog()
        first = await database.apply_migration(migration)
        if migration.down is None:
            return MigrationProof(migration=migration.id, verdict="irreversible", duration_ms=first.duration_ms)
        after = await database.catalog()
        state = "down-failed"
        await database.apply_migration(migration, "down")
        left = compare(before, await database.catalog())
        if not is_same(left):
            return MigrationProof(migration=migration.id, verdict="not-undone", differences=left)
        state = "up-again-failed"
        await database.apply_migration(migration)
        again = compare(after, await database.catalog())
        verdict: Verdict = "proved" if is_same(again) else "not-repeated"
        return MigrationProof(
            migration=migration.id, verdict=verdict, differences=(*left, *again), duration_ms=first.duration_ms
        )
    except AdxConnectionError:
        raise
    except AdxError as error:
        return MigrationProof(migration=migration.id, verdict=state, error=str(error))


@asynccontextmanager
async def scratch_database(server: DatabaseAddress) -> AsyncIterator[DatabaseAddress]:
    """An empty database of its own at ``server``, gone at the end. Its name says when it was made."""
    name = f"{SCRATCH_PREFIX}{datetime.now(UTC):%Y%m%d%H%M%S}_{token_hex(4)}"
    encoding = "" if server.engine == "postgresql" else " CHARACTER SET utf8mb4"
    async with open_database(server) as admin:
        try:
            await admin.execute_query(f"CREATE DATABASE {name}{encoding}")
        except StatementRefused as error:
            raise ScratchRefused(
                f"{server.shown()}: {error}", next_step="use a user that may make databases, or another server"
            ) from error
    try:
        yield server.at(database=name, schema="public")
    finally:
        async with open_database(server) as admin:
            force = " WITH (FORCE)" if server.engine == "postgresql" else ""
            with suppress(DatabaseUnreachable):
                await admin.execute_query(f"DROP DATABASE IF EXISTS {name}{force}")
