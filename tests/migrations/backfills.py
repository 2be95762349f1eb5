"""A table whose rows count how often they were written, and the script in batches that writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policies.migrations.model import Migration
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress
from workflows.clients.databases.errors import StatementRefused
from workflows.clients.databases.interface_types import BatchesDone, StepDone

FILL = "UPDATE orders SET done = done + 1 WHERE id > :after AND id <= :upto"
BACK = "UPDATE orders SET done = done - 1 WHERE id > :after AND id <= :upto"


class Killed(Exception):
    """The process is gone."""


def backfill(
    address: DatabaseAddress,
    *header: str,
    rows: int = 3,
    up: str = FILL,
    down: str = f"-- adx: batch=orders.id\n{BACK}",
) -> Migration:
    """Version 1 of the database; ``header`` are further lines."""
    lines = ("phase=backfill", "batch=orders.id", f"batch_rows={rows}", *header)
    text = "".join(f"-- adx: {line}\n" for line in lines)
    return scripts_of(address.engine, (f"{text}{up}", down)).migrations[0]


async def make_orders(database: Database, ids: Sequence[object], type_: str = "bigint NOT NULL PRIMARY KEY") -> None:
    """The table with these keys."""
    await database.execute_query(f"CREATE TABLE orders (id {type_}, done integer NOT NULL DEFAULT 0)")
    for one in ids:
        await database.execute_query("INSERT INTO orders (id) VALUES (%s)", (one,))


async def counters(database: Database) -> list[int]:
    """How often each row was written, in the order of keys."""
    return [int(row[0]) for row in await database.execute_query("SELECT done FROM orders ORDER BY id")]


async def batches(database: Database) -> int:
    """How many are recorded."""
    try:
        rows = await database.execute_query("SELECT batches FROM adx_migration_batches")
    except StatementRefused:  # the table is not made yet
        return 0
    return int(rows[0][0]) if rows else 0


async def is_clean(database: Database) -> bool:
    """Whether nothing is left of the way to where the record is."""
    found = [
        await database.execute_query(f"SELECT count(*) FROM {table}")
        for table in ("adx_migration_steps", "adx_migration_batches")
    ]
    return found == [[(0,)], [(0,)]]


def batches_told(told: Sequence[StepDone]) -> list[BatchesDone]:
    """What was told of batches."""
    return [one.batches for one in told if one.batches is not None]


def killed_after(batch: int) -> Callable[[StepDone], None]:
    """An observer that ends the process behind a batch."""

    def observe(told: StepDone) -> None:
        if told.batches is not None and told.batches.batches == batch and not told.was_done:
            raise Killed

    return observe
