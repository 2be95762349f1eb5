"""Row counts, backups and past runs of a preview, read from real servers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from pipelines.preview.migrations.facts import FoundMigrations, found_migrations
from policies.migrations.model import ScriptSet
from policies.migrations.targets import MigrationTarget
from tests.loading.repositories import base_files
from tests.migrations.scripts import scripts_of
from tests.migrations.targets import working
from tests.preview.schema_examples import INDEX, ORDERS, STATUS
from tests.preview.schema_repository import declared, proposed, question
from tests.support.local_stack import LocalStack
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.ledger import Ledger

MANY, FEW = 20_000, 40
FILLED = ("UPDATE orders SET note = 'x'", "UPDATE orders SET note = NULL")
BASE, TOPIC = declared(2, (ORDERS, STATUS)), declared(3, (ORDERS, STATUS, INDEX))


@pytest.fixture
def shop(local_stack: LocalStack) -> Iterator[DatabaseAddress]:
    """A server of which only this test knows the databases: ``shop``, called otherwise, with a schema for acme."""
    server = DatabaseAddress.parse(local_stack.postgres_url)
    name = f"shop_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    address = server.at(database=name, schema="acme")
    with psycopg.connect(url_of(address), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA acme")
    yield address
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """A migrated ledger in a database of its own."""
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        yield opened


def url_of(address: DatabaseAddress) -> str:
    """As the setting has it."""
    return f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"


def in_database(files: dict[str, bytes], address: DatabaseAddress) -> dict[str, bytes]:
    """The repository whose tenant lives in the database of this test."""
    tenant = "tenants/acme.yaml"
    named = base_files()[tenant].replace(b"name: shop, ", f"name: {address.database}, ".encode())
    assert named != base_files()[tenant]
    return {**files, tenant: named}


async def filled(address: DatabaseAddress, rows: int, *, pairs: Sequence[tuple[str, str]] = (ORDERS, STATUS)) -> None:
    """Apply the scripts and write so many rows, which the server then counts."""
    scripts: ScriptSet = scripts_of("postgresql", *pairs)
    async with open_database(address) as database:
        for migration in scripts.migrations:
            await database.apply_migration(migration)
        await database.execute_query(f"INSERT INTO orders (id) SELECT n FROM generate_series(1, {rows}) n")
        await database.execute_query("ANALYZE orders")


async def looked(
    folder: Path, address: DatabaseAddress, topic: dict[str, bytes] | None = None, **environ: str
) -> FoundMigrations:
    """What is found of the topic on the server."""
    change = proposed(folder, in_database(BASE, address), in_database(topic or TOPIC, address))
    return await found_migrations(question(change, {"ADX_DATABASE_SHOP_EU_URL": url_of(address), **environ}))


@pytest.mark.parametrize(("rows", "is_blocking"), [(MANY, True), (FEW, False)])
async def test_rows_are_the_servers_own_count_and_decide(
    shop: DatabaseAddress, tmp_path: Path, rows: int, is_blocking: bool
) -> None:
    """An index that locks writers out forbids the merge where many rows are, and warns where few are."""
    await filled(shop, rows)
    found = await looked(tmp_path, shop)

    assert (found.problems, found.unchecked, found.notes) == ((), (), ())
    (one,) = found.outlines
    (finding,) = one.findings
    (table,) = one.tables
    assert (table.table, table.rows, table.all_rows, table.databases) == ("orders", rows, rows, 1)
    assert (table.bytes or 0) > 0
    assert (one.asked, one.rows_unknown, bool(one.blocking)) == (1, (), is_blocking)
    assert finding.tables[0].rows == rows
    assert one.duration.seconds is not None
    assert shop.password not in msgspec.json.encode(found).decode()


async def test_the_backup_is_the_one_that_a_rollout_would_choose(shop: DatabaseAddress, tmp_path: Path) -> None:
    """Rows are written, so that their table is copied; how long it takes to bring them back is told."""
    await filled(shop, MANY)
    (one,) = (await looked(tmp_path, shop, declared(3, (ORDERS, STATUS, FILLED)))).outlines

    assert one.backup is not None
    assert (one.backup.strategy, one.backup.database) == ("table_copy", f"shop-eu/{shop.database}/acme")
    assert (one.backup.rows, (one.backup.restore_seconds or 0) > 0) == (MANY, True)
    assert "orders" in one.backup.reason


async def test_one_database_that_is_missing_hides_no_other(shop: DatabaseAddress, tmp_path: Path) -> None:
    """Its size is not known, so that nothing counts as small."""
    await filled(shop, FEW)
    topic, tenant = in_database(TOPIC, shop), "tenants/initech.yaml"
    more = {tenant: topic["tenants/acme.yaml"].replace(b"acme", b"initech").replace(b"shop_", b"gone_")}
    change = proposed(tmp_path, {**in_database(BASE, shop), **more}, {**topic, **more})
    found = await found_migrations(question(change, {"ADX_DATABASE_SHOP_EU_URL": url_of(shop)}))

    (one,) = found.outlines
    assert (one.asked, len(one.targets), len(one.rows_unknown)) == (1, 2, 1)
    assert one.rows_unknown[0].startswith("shop-eu/gone_")
    assert [(table.rows, table.databases) for table in one.tables] == [(FEW, 1)]
    assert one.blocking


async def test_nothing_is_changed_by_looking(shop: DatabaseAddress, tmp_path: Path) -> None:
    """No table of ADX's own, no copy, no lock."""
    await looked(tmp_path, shop)
    async with open_database(shop) as database:
        assert (await database.catalog()).objects == {}
        tables: list[Any] = await database.execute_query("SELECT tablename FROM pg_tables WHERE schemaname = 'acme'")
    assert tables == []


async def test_a_database_that_is_elsewhere_is_told(shop: DatabaseAddress, tmp_path: Path) -> None:
    """Somebody brought it to another version, or nobody brought it where it should be."""
    await filled(shop, FEW, pairs=(ORDERS,))
    found = await looked(tmp_path, shop)

    assert found.problems == ()
    (note,) = found.notes
    assert f"shop-eu/{shop.database}/acme (version 1, not 2)" in note


async def test_a_database_that_has_run_another_text_forbids_the_merge(shop: DatabaseAddress, tmp_path: Path) -> None:
    """Its own record says so, whatever git says."""
    await filled(shop, FEW, pairs=(ORDERS, ("ALTER TABLE orders ADD COLUMN status varchar(9)", STATUS[1])))
    (problem,) = (await looked(tmp_path, shop)).problems

    assert problem.file == "infra/databases/shop/0002_step_2.up.sql"
    assert f"shop-eu/{shop.database}/acme" in problem.what


DROPPED = ("ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders ADD COLUMN note text")


async def returned(folder: Path, server: DatabaseAddress, address: DatabaseAddress) -> FoundMigrations:
    """What is found where acme is declared anew, at the version that drops the notes."""
    after = in_database(declared(3, (ORDERS, STATUS, DROPPED)), address)
    before = {name: data for name, data in after.items() if name != "tenants/acme.yaml"}
    change = proposed(folder, before, after)
    return await found_migrations(question(change, {"ADX_DATABASE_SHOP_EU_URL": url_of(server)}))


async def test_a_tenant_that_comes_back_finds_its_data_again(shop: DatabaseAddress, tmp_path: Path) -> None:
    """It went at version 2: what was dropped meanwhile is dropped from its data now, and that is told."""
    await filled(shop, FEW)
    found = await returned(tmp_path, shop, shop)

    (one,) = found.outlines
    assert (one.is_new, one.from_version, one.to_version, one.asked) == (False, 2, 3, 1)
    assert [loss.what for loss in one.losses] == ["drops the column note of orders"]
    assert one.backup is not None
    assert [note for note in found.notes if "kept at version 2" in note and f"{shop.database}/acme" in note]


async def test_a_tenant_that_never_was_is_new(shop: DatabaseAddress, tmp_path: Path) -> None:
    """Its schema is empty, or its database is not there."""
    for number, address in enumerate((shop, shop.at(database="gone_0", schema="acme"))):
        found = await returned(tmp_path / str(number), shop, address)
        (one,) = found.outlines
        assert (one.is_new, one.from_version, one.losses, found.notes) == (True, 0, (), ()), address.database


async def test_a_tenant_may_come_back_where_nothing_is_left_to_do(shop: DatabaseAddress, tmp_path: Path) -> None:
    """It has the version already, and that is told."""
    await filled(shop, FEW, pairs=(ORDERS, STATUS, DROPPED))
    found = await returned(tmp_path, shop, shop)

    assert found.outlines == ()
    assert [note for note in found.notes if "kept at version 3" in note]


async def test_where_nobody_can_be_asked_it_is_told_that_databases_may_be_old(
    shop: DatabaseAddress, tmp_path: Path
) -> None:
    """They are taken for new."""
    found = await returned(tmp_path, shop.at(database="gone_1"), shop)

    assert [one.is_new for one in found.outlines] == [True]
    assert [note for note in found.notes if "hold data from before, is not known" in note]


async def test_past_runs_of_the_same_way_are_told(
    shop: DatabaseAddress, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    """Wherever they ran; what was restored says nothing about how long it takes."""
    await filled(shop, FEW)
    scripts = scripts_of("postgresql", ORDERS, STATUS, INDEX)
    async with working(ledger, shop, scripts, 2, 3, is_new=False) as attempt:
        target: MigrationTarget = attempt.target
        assert (await attempt.deliver()).outcome == "delivered"
    async with open_database(shop) as database:
        await database.apply_migration(scripts.migrations[-1], "down")
    (one,) = (await looked(tmp_path, shop, ADX_LEDGER_URL=ledger_url)).outlines

    assert target.scripts == one.database
    assert one.duration.past is not None
    assert (one.duration.past.environments, one.duration.past.runs) == (("staging",), 1)
    assert one.duration.past.longest_seconds > 0
