"""One database under ADX's care, without Temporal: a ledger, a claim and a target, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from policies.migrations.model import ScriptSet
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import DatabaseAddress, LockPatience, open_database
from workflows.ledger import Ledger
from workflows.ledger import migrations_claims as claims
from workflows.ledger.migrations_claims import ClaimedTarget, TargetClaim
from workflows.migrations.protection import Protection
from workflows.migrations.target import TargetMigration

ENVIRONMENT = "staging"
# Old services know id and note; version 2 adds a column, 3 fills it, 4 drops the old one.
SHOP = (
    ("CREATE TABLE orders (id integer PRIMARY KEY, note varchar(40))", "DROP TABLE orders"),
    ("ALTER TABLE orders ADD COLUMN status varchar(20)", "ALTER TABLE orders DROP COLUMN status"),
    ("UPDATE orders SET status = note", "SELECT 1"),
    (
        "-- adx: phase=contract\n-- adx: requires=2\nALTER TABLE orders DROP COLUMN note",
        "ALTER TABLE orders ADD COLUMN note varchar(40); UPDATE orders SET note = status",
    ),
)


def target_for(address: DatabaseAddress, start: int, end: int, *, is_new: bool = False) -> MigrationTarget:
    """A tenant's database."""
    is_mysql = address.engine == "mysql"
    return MigrationTarget(
        id=f"main/{address.database}" + ("" if is_mysql else f"/{address.schema}"),
        server="main",
        database=address.database,
        schema="" if is_mysql else address.schema,
        scripts="shop",
        engine=address.engine,
        tenants=("acme",),
        from_version=start,
        to_version=end,
        is_new=is_new,
    )


@asynccontextmanager
async def working(
    ledger: Ledger,
    address: DatabaseAddress,
    scripts: ScriptSet,
    start: int,
    end: int,
    *,
    operation: str = "op",
    holder: str = "worker",
    protection: Protection | None = None,
    is_cancel_wanted: Callable[[], bool] = lambda: False,
    accepts_loss: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    is_new: bool = True,
) -> AsyncIterator[TargetMigration]:
    """An attempt at the database, claimed and connected."""
    target = target_for(address, start, end, is_new=is_new)
    claim = TargetClaim(environment=ENVIRONMENT, operation_id=operation, holder=holder)
    claimed = ClaimedTarget(target=target.id, scripts="shop", engine=target.engine, tenants=["acme"])
    await claims.claim(ledger, claim, [claimed])
    patience = LockPatience(attempts=2, first_delay_seconds=0.01, migration_lock_seconds=5)
    async with open_database(address, patience) as database:
        yield TargetMigration(
            ledger=ledger,
            claim=claim,
            target=target,
            scripts=scripts,
            database=database,
            protection=protection or Protection(),
            tell=tell,
            is_cancel_wanted=is_cancel_wanted,
            accepted_by="ada" if accepts_loss else "",
        )
