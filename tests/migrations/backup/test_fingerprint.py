"""Checksums that the servers compute: what they see, and what they must not see."""

from __future__ import annotations

import pytest

from workflows.clients.databases import Database, DatabaseAddress
from workflows.migrations.backup.fingerprint import read_point
from workflows.migrations.backup.making import one_moment
from workflows.migrations.backup.models import Point, TableMark

TABLE = "CREATE TABLE t (id integer, a varchar(20), b varchar(20), n decimal(20, 4), f double precision)"
ROWS = "INSERT INTO t VALUES (1, 'x', 'y', 1.5, 0.1), (2, 'p', 'q', NULL, NULL), (3, NULL, '', 0, 0)"


async def mark(database: Database, address: DatabaseAddress, known: Point | None = None) -> TableMark:
    """The mark of the table."""
    session = await database.session()
    async with one_moment(session):
        found = (await read_point(session, address, known)).table("t")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE t SET a = CASE id WHEN 1 THEN 'p' ELSE 'x' END WHERE id < 3",  # two rows swap a value
        "UPDATE t SET a = 'y', b = 'x' WHERE id = 1",  # two columns swap theirs
        "UPDATE t SET a = 'xy', b = '' WHERE id = 1",  # the same text, cut elsewhere
        "UPDATE t SET a = '', b = NULL WHERE id = 3",  # NULL and empty change places
        "UPDATE t SET a = 'NULL' WHERE id = 3",
        "UPDATE t SET a = 'X' WHERE id = 1",
        "UPDATE t SET n = 1.5001 WHERE id = 1",
        "UPDATE t SET f = 0.1000000000000001 WHERE id = 1",
        "INSERT INTO t SELECT * FROM t WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
    ],
)
async def test_a_change_is_seen(database: Database, address: DatabaseAddress, change: str) -> None:
    """Every kind that a weaker sum would not see."""
    await database.execute_query(TABLE)
    await database.execute_query(ROWS)
    before = await mark(database, address)
    assert await mark(database, address) == before
    await database.execute_query(change)
    after = await mark(database, address)
    assert (after.rows, after.kept) != (before.rows, before.kept)


async def test_the_order_of_rows_and_columns_is_not_seen(database: Database, address: DatabaseAddress) -> None:
    """The same rows written in another order into columns in another order."""
    await database.execute_query(TABLE)
    await database.execute_query(ROWS)
    before = await mark(database, address)
    await database.execute_query("CREATE TABLE u AS SELECT f, n, b, a, id FROM t ORDER BY id DESC")
    await database.execute_query("DROP TABLE t")
    await database.execute_query("ALTER TABLE u RENAME TO t")
    after = await mark(database, address)
    assert (after.rows, after.kept) == (before.rows, before.kept)


async def test_new_columns_are_apart_from_known_ones(database: Database, address: DatabaseAddress) -> None:
    """Empty ones count for nothing, whatever is written beside them."""
    await database.execute_query(TABLE)
    await database.execute_query(ROWS)
    session = await database.session()
    async with one_moment(session):
        known = await read_point(session, address)
    await database.execute_query("ALTER TABLE t ADD COLUMN c integer")
    empty = await mark(database, address, known)
    assert (empty.kept, empty.added) == (known.tables[0].kept, "0:0")
    await database.execute_query("INSERT INTO t (id) VALUES (9)")
    assert (await mark(database, address, known)).added == "0:0"
    await database.execute_query("UPDATE t SET c = 1 WHERE id = 1")
    assert (await mark(database, address, known)).added != "0:0"


async def test_every_type_of_the_server_has_a_checksum(database: Database, address: DatabaseAddress) -> None:
    """Types without a hash of their own go as text."""
    columns = {
        "postgresql": "a json, b jsonb, c point, d tsvector, e int4range, f inet, g interval, h bytea, i xml,"
        " j text[], k money, l bit(3), m char(5), o name, p timestamptz, q uuid, r time, s real",
        "mysql": "a json, b blob, c point, d bit(3), e datetime(6), f enum('x', 'y'), g set('x', 'y'), h longtext,"
        " i year, j float, k binary(4), l decimal(30, 10), m timestamp NULL, o tinyint(1)",
    }[address.engine]
    await database.execute_query(f"CREATE TABLE t (id integer, {columns})")
    await database.execute_query("INSERT INTO t (id) VALUES (1)")
    first = await mark(database, address)
    value = "h = '\\x00'" if address.engine == "postgresql" else "b = x'00'"
    await database.execute_query(f"UPDATE t SET {value}")
    assert (await mark(database, address)).kept != first.kept
