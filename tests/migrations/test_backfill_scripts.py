"""Scripts in batches: what is refused before anybody merges, how bounds are bound, and what a plan says of them."""

from __future__ import annotations

from datetime import date

import pytest

from policies.migrations.batches import TARGET_SECONDS, bound_statement, next_rows
from policies.migrations.headers import Wrong
from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.model import Direction, Script
from policies.migrations.safety.findings import Statistics, TableAtStake
from policies.migrations.script_rules import read_script
from policies.migrations.spec import Engine
from tests.migrations.scripts import scripts_of
from workflows.migrations.planning import planned

FILE = "infra/databases/shop/0002_fill.up.sql"
HEADER = "-- adx: phase=backfill\n-- adx: batch=orders.id\n"
RANGE = "id > :after AND id <= :upto"
OF_O = "o.id > :after AND o.id <= :upto"
FILL = f"UPDATE orders SET amount = total * 100\nWHERE {RANGE}\n  AND amount IS NULL;"
TABLE = ("CREATE TABLE orders (id bigint PRIMARY KEY, total bigint, amount bigint)", "DROP TABLE orders")
ENGINES: tuple[Engine, ...] = ("postgresql", "mysql")


def read(text: str, engine: Engine = "postgresql", direction: Direction = "up") -> tuple[Script | None, list[Wrong]]:
    """The script, or what is wrong with it."""
    return read_script(FILE, text.encode(), engine, direction)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_header_says_how_batches_are_cut(engine: Engine) -> None:
    """With a thousand rows and no pause where it says no more."""
    script, wrong = read(f"{HEADER}-- adx: batch_rows=5000\n-- adx: pause_ms=50\n{FILL}", engine)
    assert script is not None, wrong
    assert (script.header.batch, script.header.batch_rows, script.header.pause_ms) == ("orders.id", 5000, 50)
    script, _ = read(HEADER + FILL, engine)
    assert script is not None
    assert (script.header.batch_rows, script.header.pause_ms) == (1000, 0)


def test_a_down_script_may_run_in_batches_too() -> None:
    """It has no phase to be wrong."""
    script, wrong = read(f"-- adx: batch=orders.id\nUPDATE orders SET amount = NULL WHERE {RANGE}", direction="down")
    assert script is not None, wrong


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (f"{HEADER}-- adx: batch_rows=0\n{FILL}", 3, "batch_rows cannot be '0'"),
        (f"{HEADER}-- adx: batch_rows=100001\n{FILL}", 3, "batch_rows cannot be '100001'"),
        (f"{HEADER}-- adx: pause_ms=60001\n{FILL}", 3, "pause_ms cannot be '60001'"),
        (f"{HEADER}-- adx: pause_ms=-1\n{FILL}", 3, "pause_ms cannot be '-1'"),
        (f"-- adx: phase=backfill\n-- adx: batch=orders\n{FILL}", 2, "batch cannot be 'orders'"),
        (f"-- adx: phase=backfill\n-- adx: batch=shop.orders.id\n{FILL}", 2, "batch cannot be"),
        (f"-- adx: batch=orders.id\n{FILL}", 1, "in a backfill script only, this one is expand"),
        (f"{HEADER}-- adx: transaction=auto\n{FILL}", 3, "each batch is a transaction of its own"),
        (f"{HEADER}-- adx: transaction=none\n{FILL}", 3, "each batch is a transaction of its own"),
        (f"-- adx: pause_ms=5\n{FILL}", 1, "pause_ms says nothing in a script without batches"),
        (f"-- adx: phase=backfill\n{FILL}", 3, ":after is a bound of batches, and the header names no key"),
        (f"{HEADER}{FILL}\nSELECT 1;", 6, "one statement, this one has 2"),
        (f"{HEADER}SELECT fill(:after) FROM orders WHERE {RANGE}", 3, "SELECT is not run in batches"),
        (f"{HEADER}UPDATE lines SET a = 1 WHERE {RANGE}", 3, "does not name it"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id <= :upto", 3, ":after stands in the statement 0 times"),
        (f"{HEADER}UPDATE orders SET a = 1\nWHERE {RANGE} AND x < :upto", 4, ":upto stands in the statement 2 times"),
        (f"{HEADER}UPDATE orders SET a = ':after' WHERE id <= :upto -- id > :after", 3, ":after stands"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id > :after1 AND id <= :upto", 3, ":after stands"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id > :AFTER AND id <= :upto", 3, ":after stands"),
        (f"{HEADER}UPDATE orders SET a = 1\nWHERE id >= :after AND id <= :upto", 4, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id > :after AND id < :upto", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id < :after AND id <= :upto", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE other > :after AND id <= :upto", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE 2 * id > :after AND id <= :upto", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id > :after AND id <= :upto + 1", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE NOT id > :after AND id <= :upto", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = ({RANGE})", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE id > :after AND (id <= :upto)", 3, "neither overlap"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE b IS NULL\nOR {RANGE}", 4, "OR takes rows of other batches"),
        (f"{HEADER}UPDATE orders SET a = 1 WHERE {RANGE} OR b IS NULL", 3, "OR takes rows of other batches"),
        (f"{HEADER}INSERT INTO l SELECT id FROM orders WHERE {RANGE} LIMIT 5", 3, "LIMIT leaves rows out"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_would_do_rows_twice_or_leave_some_out_is_refused(engine: Engine, text: str, line: int, what: str) -> None:
    """With its line, and what to write."""
    script, wrong = read(text, engine)
    assert script is None
    (found,) = [one for one in wrong if what in one.what]
    assert found.line == line
    assert found.fix


COPY = f"SELECT id FROM orders WHERE {RANGE}"


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (f"UPDATE orders SET t = t * 100 WHERE legacy OR ({RANGE})", "neither overlap"),
        (f"UPDATE orders SET t = t * 100 WHERE NOT ({RANGE})", "neither overlap"),
        (f"DELETE FROM orders WHERE ({RANGE}) LIMIT 500", "neither overlap"),
        (f"UPDATE orders SET a = 1 WHERE ({RANGE}) IS NULL", "neither overlap"),
        (f"UPDATE orders SET a = 1 WHERE b BETWEEN 1 AND {RANGE}", "neither overlap"),
        ("INSERT INTO l SELECT id FROM orders WHERE id > :after ORDER BY a AND id <= :upto", "neither overlap"),
        (f"INSERT INTO l SELECT id FROM orders GROUP BY id HAVING {RANGE}", "neither overlap"),
        (f"INSERT INTO l SELECT id FROM orders ON CONFLICT (id) DO UPDATE SET a = 1 WHERE {RANGE}", "neither overlap"),
        (f"INSERT INTO l {COPY} UNION ALL SELECT id FROM s", "beside UNION"),
        (f"INSERT INTO l SELECT id FROM s UNION {COPY}", "beside UNION"),
        (f"INSERT INTO l SELECT id FROM ({COPY}) x EXCEPT SELECT id FROM s", "beside EXCEPT"),
        (f"INSERT INTO l SELECT id FROM ({COPY} INTERSECT SELECT id FROM s) x", "beside INTERSECT"),
        (f"INSERT INTO l SELECT id FROM ({COPY}) x LIMIT 5", "LIMIT leaves rows out"),
        (f"INSERT INTO l {COPY} FOR UPDATE SKIP LOCKED", "SKIP LOCKED leaves rows out"),
        (f"DELETE FROM l WHERE old OR o IN ({COPY})", "OR takes rows"),
        (f"DELETE FROM l WHERE o NOT IN ({COPY})", "in parentheses behind IN"),
        (f"DELETE FROM l WHERE NOT o IN ({COPY})", "in parentheses behind IN"),
        (f"DELETE FROM l WHERE o IN ({COPY}) = 0", "in parentheses behind IN"),
        (f"UPDATE l SET a = o IN ({COPY})", "in parentheses behind IN"),
        (f"DELETE FROM l WHERE EXISTS ({COPY})", "in parentheses behind EXISTS"),
        (f"UPDATE l SET a = (SELECT 1 FROM orders WHERE {RANGE})", "in parentheses behind ="),
        (f"INSERT INTO l SELECT s.id FROM s LEFT JOIN ({COPY}) x ON x.id = s.id", "in parentheses behind JOIN"),
        (f"MERGE INTO l USING ({COPY}) x ON x.id = l.id WHEN NOT MATCHED BY SOURCE THEN DELETE", "not matched"),
        (
            "UPDATE orders o SET a = 1 FROM l WHERE l.id > :after AND l.id <= :upto AND l.o = o.id",
            "do not compare id of",
        ),
        (
            "UPDATE l JOIN orders o ON o.id = l.o SET a = 1 WHERE o.id > :after AND l.id <= :upto",
            "do not compare id of",
        ),
        (f"DELETE FROM l WHERE {RANGE} AND EXISTS (SELECT 1 FROM orders)", "do not compare id of"),
        (f"INSERT INTO orders SELECT id FROM l WHERE {RANGE}", "do not compare id of"),
        (f"INSERT INTO l SELECT a, orders FROM l WHERE {RANGE}", "do not compare id of"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_but_the_bounds_of_the_key_s_own_table_may_choose_rows(
    engine: Engine, statement: str, what: str
) -> None:
    """However they are hidden in parentheses, or what stands around them."""
    script, wrong = read(HEADER + statement, engine)
    assert script is None
    assert [one for one in wrong if what in one.what], wrong
    assert all(one.fix for one in wrong)


def test_or_is_written_with_bars_in_mysql() -> None:
    """In PostgreSQL they join texts."""
    text = f"{HEADER}UPDATE orders SET a = 1 WHERE b = c || d AND {RANGE}"
    assert read(text)[0] is not None
    assert "OR takes rows" in read(text, "mysql")[1][0].what


@pytest.mark.parametrize(
    ("statement", "engine"),
    [
        (f"UPDATE orders SET a = 1 WHERE (b = 1 OR c = 2) AND {RANGE}", "postgresql"),
        (f"UPDATE orders SET a = 1 WHERE NOT b AND {RANGE} AND (b = 1 OR NOT c = 2)", "mysql"),
        (f"UPDATE orders SET a = 1 WHERE b BETWEEN 1 AND 2 AND {RANGE} AND c IS DISTINCT FROM d", "postgresql"),
        (f"UPDATE orders SET a = 1 WHERE c IS DISTINCT FROM d AND {RANGE} AND b BETWEEN 1 AND 2", "postgresql"),
        (f"DELETE FROM orders WHERE {RANGE} AND done ORDER BY id", "mysql"),
        ("DELETE FROM orders o WHERE o.id > :after AND o.id <= :upto", "postgresql"),
        ('UPDATE "orders" SET a = 1 WHERE "id" > :after AND "id" <= :upto', "postgresql"),
        ("UPDATE `orders` SET a = 1 WHERE `orders`.`ID` > :after AND `orders`.`ID` <= :upto", "mysql"),
        (f"INSERT INTO l SELECT id FROM orders WHERE {RANGE} ON CONFLICT DO NOTHING", "postgresql"),
        (f"INSERT INTO l SELECT id FROM orders WHERE {RANGE} ON DUPLICATE KEY UPDATE a = 1", "mysql"),
        (f"UPDATE orders SET a = b[1:after], c = d::upto WHERE {RANGE}", "postgresql"),
        (f"WITH some AS (SELECT id FROM orders WHERE {RANGE}) UPDATE l SET a = 1 FROM some", "postgresql"),
        (f"DELETE FROM l WHERE NOT kept AND order_id IN (SELECT id FROM orders WHERE {RANGE}) AND done", "mysql"),
        (f"INSERT INTO l SELECT s.id FROM (SELECT id FROM shop.orders WHERE {RANGE}) s", "mysql"),
        (f"UPDATE l SET a = 1 FROM lines x, public.orders AS o WHERE {OF_O} AND x.o = o.id", "postgresql"),
        (f"UPDATE l JOIN `orders` o ON o.id = l.o SET l.a = 1 WHERE {OF_O}", "mysql"),
        (f"INSERT INTO l SELECT o.id FROM lines x LEFT JOIN orders o ON o.id = x.o WHERE {OF_O}", "postgresql"),
    ],
)
def test_what_runs_in_batches(statement: str, engine: Engine) -> None:
    """In whatever way it is written, as long as it is one range of keys behind WHERE."""
    script, wrong = read(HEADER + statement, engine)
    assert script is not None, wrong


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_without_batches_may_hold_what_looks_like_a_bound(engine: Engine) -> None:
    """In strings and comments; in PostgreSQL in subscripts and casts."""
    text = "UPDATE orders SET a = ':after' /* :upto */ WHERE id = 1 -- :after"
    assert read(text, engine)[0] is not None
    assert read("UPDATE orders SET a = b[1:after], c = d::upto WHERE id = 1")[0] is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_bounds_become_the_driver_s_and_nothing_else_does(engine: Engine) -> None:
    """A percent sign stays one, in texts too."""
    text = "UPDATE orders SET a = '5 % :after %s' WHERE id > /* > */ :after AND id <= :upto AND id % 2 = 0"
    found, order = bound_statement(text, engine, "CAST(%s AS bigint)", is_first=False)
    assert order == ("after", "upto")
    cast = "CAST(1 AS bigint)"
    assert found % (1, 1) == (
        f"UPDATE orders SET a = '5 % :after %s' WHERE id > /* > */ {cast} AND id <= {cast} AND id % 2 = 0"
    )


def test_the_first_batch_begins_at_the_smallest_key() -> None:
    """Nothing is smaller, so there is no value that it could be greater than."""
    text = f"UPDATE orders SET a = b > 1 WHERE {RANGE}"
    found, _ = bound_statement(text, "postgresql", "%s", is_first=True)
    assert found == "UPDATE orders SET a = b > 1 WHERE id >= %s AND id <= %s"


def test_a_batch_that_takes_too_long_halves_the_next_and_short_ones_let_it_grow() -> None:
    """Between one row and what the header says."""
    assert next_rows(1000, 1000, 2 * TARGET_SECONDS) == 500
    assert next_rows(1, 1000, 2 * TARGET_SECONDS) == 1
    assert next_rows(500, 1000, TARGET_SECONDS * 0.75) == 500
    assert next_rows(500, 1000, TARGET_SECONDS / 10) == 1000
    assert next_rows(700, 1000, TARGET_SECONDS / 10) == 1000


def plan_of(engine: Engine, sizes: Statistics, *scripts: tuple[str, str]) -> tuple[list[str], float | None]:
    """The checks that find something in the last script, and how long the plan takes."""
    known = scripts_of(engine, TABLE, *scripts)
    recorded = plan_migration(known, SchemaVersion(version=0, applied=()), 1)
    assert recorded.migrations
    found = planned(
        "staging",
        known,
        SchemaVersion(version=0, applied=()),
        2,
        compared_with="",
        sizes=sizes,
        waivers=(),
        today=date(2026, 1, 31),
    )
    return [one.check for one in found.findings if "0002" in one.file], found.plan.estimated_duration_seconds


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_in_batches_is_understood_and_is_no_write_of_the_whole_table(engine: Engine) -> None:
    """Squawk and sqlglot read it with its bounds."""
    assert plan_of(engine, Statistics(), (HEADER + FILL, "SELECT 1"))[0] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_how_long_it_takes_is_told_with_its_pauses_where_sizes_are_known(engine: Engine) -> None:
    """Two million rows in batches of a thousand are two thousand pauses."""
    table = TableAtStake(table="orders", rows=2_000_000, bytes=500_000_000)
    sizes = Statistics(tables={"orders": table})
    script = (f"{HEADER}-- adx: pause_ms=50\n{FILL}", "SELECT 1")
    assert plan_of(engine, sizes, script)[1] == 500_000_000 / 50_000_000 + 2000 * 0.05
    assert plan_of(engine, Statistics(), script)[1] is None
