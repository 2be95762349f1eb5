"""Databases that come back from a backup: what down scripts cannot undo, and what was written since."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.migrations.catalog import compare, is_same
from tests.migrations.backup.scenes import store_in
from tests.migrations.scripts import scripts_of
from tests.migrations.targets import SHOP, working
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.ledger import Ledger
from workflows.ledger import migrations_targets as rows
from workflows.migrations.models import TargetResult
from workflows.migrations.protection import Protection

GONE = ("ALTER TABLE orders DROP COLUMN note", None)


@pytest.fixture
def protection(tmp_path: Path) -> Protection:
    """Backups go to a store of the test's own."""
    return Protection(store_in(tmp_path / "snapshots"))


async def asked(address: DatabaseAddress, query: str) -> list[tuple[object, ...]]:
    """Ask the database as a service would."""
    async with open_database(address) as database:
        return await database.execute_query(query)


async def first(ledger: Ledger, address: DatabaseAddress) -> None:
    """Version 1 with a row."""
    async with working(ledger, address, scripts_of(address.engine, *SHOP), 0, 1) as work:
        assert (await work.deliver()).outcome == "delivered"
    await asked(address, "INSERT INTO orders VALUES (1, 'kept')")


async def test_half_a_script_that_cannot_be_undone_comes_back_from_its_backup(
    ledger: Ledger, mysql_address: DatabaseAddress, protection: Protection
) -> None:
    """MySQL commits each statement: the second one failed, and the first is gone all the same."""
    await first(ledger, mysql_address)
    async with open_database(mysql_address) as database:
        before = await database.catalog()
    text = "ALTER TABLE orders ADD COLUMN a int; UPDATE orders SET note = 'x'; ALTER TABLE nothing ADD COLUMN b int"
    scripts = scripts_of("mysql", SHOP[0], (text, "ALTER TABLE orders DROP COLUMN a"))
    async with working(ledger, mysql_address, scripts, 1, 2, operation="bad", protection=protection) as work:
        result = await work.deliver()
    assert (result.outcome, result.version) == ("restored", 1)
    async with open_database(mysql_address) as database:
        assert is_same(compare(before, await database.catalog()))
        assert (await database.get_schema_version()).unfinished is None
    assert await asked(mysql_address, "SELECT note FROM orders") == [("kept",)]


async def test_an_irreversible_script_is_taken_back_with_its_rows(
    ledger: Ledger, address: DatabaseAddress, protection: Protection
) -> None:
    """The dropped column is there again, and what stood in it."""
    await first(ledger, address)
    await _drop(ledger, address, protection)
    result = await _undo(ledger, address, protection)
    assert (result.outcome, result.version) == ("restored", 1)
    assert await asked(address, "SELECT id, note FROM orders") == [(1, "kept")]


async def test_rows_that_came_after_it_keep_the_version(
    ledger: Ledger, address: DatabaseAddress, protection: Protection
) -> None:
    """A backup that lacks them is not put in their place, unless somebody says so."""
    await first(ledger, address)
    await _drop(ledger, address, protection)
    await asked(address, "INSERT INTO orders VALUES (2)")
    result = await _undo(ledger, address, protection)
    assert (result.outcome, result.version) == ("kept", 2)
    assert "orders" in result.why
    assert await asked(address, "SELECT count(*) FROM orders") == [(2,)]
    assert (await _undo(ledger, address, protection, accepts_loss=True)).outcome == "restored"


async def test_rows_that_came_before_it_was_verified_keep_the_version(
    ledger: Ledger, address: DatabaseAddress, protection: Protection
) -> None:
    """The mark is made where the scripts end, though the worker dies there."""
    await first(ledger, address)
    scripts = scripts_of(address.engine, SHOP[0], GONE)
    async with working(ledger, address, scripts, 1, 2, operation="drop", protection=protection) as work:
        plan = await work.planned()
        await work.protect(plan)
        await work.execute(plan)
    await asked(address, "INSERT INTO orders VALUES (2)")
    await _drop(ledger, address, protection, holder="another")
    assert (await _undo(ledger, address, protection)).outcome == "kept"
    assert await asked(address, "SELECT count(*) FROM orders") == [(2,)]


async def _drop(ledger: Ledger, address: DatabaseAddress, protection: Protection, *, holder: str = "worker") -> None:
    scripts = scripts_of(address.engine, SHOP[0], GONE)
    async with working(ledger, address, scripts, 1, 2, operation="drop", protection=protection, holder=holder) as work:
        assert (await work.deliver()).outcome == "delivered"
        run = await rows.find_run(ledger, "drop", work.target.id)
    assert run is not None
    assert run.backup is not None


async def _undo(
    ledger: Ledger, address: DatabaseAddress, protection: Protection, *, accepts_loss: bool = False
) -> TargetResult:
    scripts = scripts_of(address.engine, SHOP[0], GONE)
    async with working(
        ledger, address, scripts, 1, 2, operation="undo", protection=protection, accepts_loss=accepts_loss
    ) as work:
        run = await rows.find_run(ledger, "drop", work.target.id)
        assert run is not None
        return await work.take_back(run, "", is_undo=True)
