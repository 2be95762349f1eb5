"""What a schema records about itself: tables ``adx_migrations`` and ``adx_migration_steps``, in the schema itself.

::

    adx_migrations(version, description, checksum, state, applied_at, duration_ms)
    adx_migration_steps(version, direction, step, checksum, state, catalog_before)

A migration that runs in one transaction writes its row in that transaction. One
that cannot has a row in the state ``applying`` or ``reverting`` and a row for
each statement; these are deleted when the last is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from policies.migrations.history import AppliedMigration, RecordState, SchemaVersion
from policies.migrations.model import Direction, Migration
from policies.migrations.spec import Engine
from policies.spec import Spec
from workflows.clients.databases.errors import StatementRefused
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session

_MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS adx_migrations (version integer PRIMARY KEY, description varchar(200) NOT NULL,"
    " checksum varchar(80) NOT NULL, state varchar(10) NOT NULL, applied_at varchar(40) NOT NULL,"
    " duration_ms bigint NOT NULL){}"
)
_STEPS = (
    "CREATE TABLE IF NOT EXISTS adx_migration_steps (version integer NOT NULL, direction varchar(4) NOT NULL,"
    " step integer NOT NULL, checksum varchar(64) NOT NULL, state varchar(10) NOT NULL,"
    " catalog_before varchar(64) NOT NULL, PRIMARY KEY (version, direction, step)){}"
)
TABLE_OPTIONS: dict[Engine, str] = {"postgresql": "", "mysql": " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"}
_NO_SUCH_TABLE = frozenset({"42P01", "1146"})
_COLUMNS = "version, description, checksum, state, applied_at, duration_ms"
_RECORD = f"SELECT {_COLUMNS} FROM adx_migrations ORDER BY version"  # noqa: S608 - our own names
_WITH_RECORD: dict[Engine, str] = {
    "postgresql": "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relname = 'adx_migrations' AND c.relkind = 'r' AND n.nspname IN ({})",
    "mysql": "SELECT table_schema FROM information_schema.tables"
    " WHERE table_name = 'adx_migrations' AND table_schema IN ({})",
}


class StepRow(Spec):
    """How far one statement is; ``checksum`` is of its text."""

    checksum: str
    is_done: bool
    catalog_before: str


async def read(session: Session) -> SchemaVersion:
    """What is recorded; version 0 where nothing ever was."""
    try:
        rows = await session.execute(_RECORD)
    except StatementRefused as error:
        if error.code in _NO_SUCH_TABLE:
            return SchemaVersion(version=0, applied=())
        raise
    return _version_of(rows)


async def read_many(session: Session, places: Sequence[str]) -> dict[str, SchemaVersion]:
    """What is recorded in schemas of the session's database, or in databases of its server (MySQL), that have a record.

    In two statements, however many they are; ``places`` are their names.
    """
    if not places:
        return {}
    marks = ", ".join(["%s"] * len(places))
    known = sorted(str(row[0]) for row in await session.execute(_WITH_RECORD[session.engine].format(marks), places))
    if not known:
        return {}
    each = (
        f"SELECT %s AS place, {_COLUMNS} FROM {quoted(session.engine, place, 'adx_migrations')}"  # noqa: S608 - quoted names of the catalog
        for place in known
    )
    found: dict[str, list[tuple[object, ...]]] = {place: [] for place in known}
    for place, *row in await session.execute(f"{' UNION ALL '.join(each)} ORDER BY 1, 2", known):
        found[str(place)].append(tuple(row))
    return {place: _version_of(of_place) for place, of_place in found.items()}


def _version_of(rows: Iterable[tuple[object, ...]]) -> SchemaVersion:
    found = [_applied(row) for row in rows]
    whole = tuple(one for one in found if one.state == "applied")
    unfinished = next((one for one in found if one.state != "applied"), None)
    return SchemaVersion(version=max((one.version for one in whole), default=0), applied=whole, unfinished=unfinished)


async def ensure_tables(session: Session) -> None:
    """Make the two tables where they are not. Call it with the schema's lock."""
    options = TABLE_OPTIONS[session.engine]
    for statement in (_MIGRATIONS, _STEPS):
        await session.execute(statement.format(options))


async def write_done(session: Session, migration: Migration, direction: Direction, duration_ms: int) -> None:
    """The end of a migration, within its transaction: a row for up, none for down, no steps in either direction."""
    await session.execute("DELETE FROM adx_migration_steps WHERE version = %s", (migration.version,))
    await session.execute("DELETE FROM adx_migrations WHERE version = %s", (migration.version,))
    if direction == "up":
        await _insert(session, migration, "applied", duration_ms)


async def write_begun(session: Session, migration: Migration, direction: Direction) -> None:
    """The beginning of a migration that runs statement by statement, within a transaction."""
    if direction == "up":
        await _insert(session, migration, "applying", 0)
    else:
        await session.execute("UPDATE adx_migrations SET state = 'reverting' WHERE version = %s", (migration.version,))


async def steps(session: Session, version: int, direction: Direction) -> Mapping[int, StepRow]:
    """The statements that were begun, by their number from 1."""
    rows = await session.execute(
        "SELECT step, checksum, state, catalog_before FROM adx_migration_steps WHERE version = %s AND direction = %s",
        (version, direction),
    )
    return {
        int(step): StepRow(checksum=str(checksum), is_done=state == "done", catalog_before=str(before))
        for step, checksum, state, before in rows
    }


async def insert_step(session: Session, migration: Migration, direction: Direction, step: int, row: StepRow) -> None:
    """One statement is begun, or done with the transaction that this is in."""
    state = "done" if row.is_done else "begun"
    await session.execute(
        "INSERT INTO adx_migration_steps (version, direction, step, checksum, state, catalog_before)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (migration.version, direction, step, row.checksum, state, row.catalog_before),
    )


async def finish_step(session: Session, migration: Migration, direction: Direction, step: int) -> None:
    """A statement that was begun is done: one statement, so that no crash can take the row away."""
    await session.execute(
        "UPDATE adx_migration_steps SET state = 'done' WHERE version = %s AND direction = %s AND step = %s",
        (migration.version, direction, step),
    )


async def did_nothing(session: Session, version: int, direction: Direction) -> bool:
    """Whether nothing is left of a migration that was begun: no statement is done, and the catalog is as it was."""
    begun = (await steps(session, version, direction)).values()
    if any(row.is_done for row in begun):
        return False
    now = (await session.catalog()).digest()
    return all(row.catalog_before == now for row in begun)


async def forget(session: Session, version: int, direction: Direction) -> None:
    """As if a migration that did nothing had not been begun, within a transaction."""
    await session.execute("DELETE FROM adx_migration_steps WHERE version = %s", (version,))
    if direction == "up":
        await session.execute("DELETE FROM adx_migrations WHERE version = %s AND state = 'applying'", (version,))
    else:
        await session.execute(
            "UPDATE adx_migrations SET state = 'applied' WHERE version = %s AND state = 'reverting'", (version,)
        )


async def _insert(session: Session, migration: Migration, state: RecordState, duration_ms: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    await session.execute(
        "INSERT INTO adx_migrations (version, description, checksum, state, applied_at, duration_ms)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (migration.version, migration.description, migration.checksum, state, now, duration_ms),
    )


def _applied(row: tuple[object, ...]) -> AppliedMigration:
    version, description, checksum, state, applied_at, duration_ms = row
    return AppliedMigration(
        version=int(cast(int, version)),
        description=str(description),
        checksum=str(checksum),
        state=cast(RecordState, str(state)),
        applied_at=str(applied_at),
        duration_ms=int(cast(int, duration_ms)),
    )
