"""How far a script in batches is: table ``adx_migration_batches``, made where the first such script runs.

::

    adx_migration_batches(version, direction, checksum, after_key, last_key, batches, rows_passed, rows_written)

A row belongs to a migration that ``adx_migrations`` calls half done in that direction, and means nothing otherwise. It
is written in the transaction of the rows that it speaks of.
"""

from __future__ import annotations

from policies.migrations.model import Direction
from policies.spec import Spec
from workflows.clients.databases.record import TABLE_OPTIONS
from workflows.clients.databases.session import Session

_TABLE = (
    "CREATE TABLE IF NOT EXISTS adx_migration_batches (version integer NOT NULL, direction varchar(4) NOT NULL,"
    " checksum varchar(64) NOT NULL, after_key text, last_key text, batches bigint NOT NULL,"
    " rows_passed bigint NOT NULL, rows_written bigint NOT NULL, PRIMARY KEY (version, direction)){}"
)


class Position(Spec):
    """``after``: the last key that is done, None before the first batch; ``last``: where it ends, None for no rows.

    Keys as ``KeyColumn`` reads them. ``checksum`` is of the statement.
    """

    checksum: str
    last: str | None
    after: str | None = None
    batches: int = 0
    rows_passed: int = 0
    rows_written: int = 0

    @property
    def is_end(self) -> bool:
        """Whether nothing is left."""
        return self.after == self.last


async def ensure_table(session: Session) -> None:
    """Make the table where it is not. Call it with the schema's lock, outside a transaction."""
    await session.execute(_TABLE.format(TABLE_OPTIONS[session.engine]))


async def read(session: Session, version: int, direction: Direction) -> Position | None:
    """The position of a script, where one is recorded."""
    rows = await session.execute(
        "SELECT checksum, last_key, after_key, batches, rows_passed, rows_written FROM adx_migration_batches"
        " WHERE version = %s AND direction = %s",
        (version, direction),
    )
    for checksum, last, after, batches, passed, written in rows:
        return Position(
            checksum=str(checksum),
            last=last,
            after=after,
            batches=int(batches),
            rows_passed=int(passed),
            rows_written=int(written),
        )
    return None


async def write(session: Session, version: int, direction: Direction, position: Position) -> None:
    """Record a position within the transaction of its rows."""
    await session.execute(
        "DELETE FROM adx_migration_batches WHERE version = %s AND direction = %s", (version, direction)
    )
    counts = (position.batches, position.rows_passed, position.rows_written)
    await session.execute(
        "INSERT INTO adx_migration_batches"
        " (version, direction, checksum, after_key, last_key, batches, rows_passed, rows_written)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (version, direction, position.checksum, position.after, position.last, *counts),
    )


async def clear(session: Session, version: int) -> None:
    """Forget the positions of a version, within the transaction that ends it."""
    await session.execute("DELETE FROM adx_migration_batches WHERE version = %s", (version,))
