"""Which rows a plan may change, and which strategy follows. No servers."""

from __future__ import annotations

import msgspec
import pytest

from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.spec import Engine
from tests.migrations.scripts import scripts_of
from workflows.clients.databases.interface_types import TableSize
from workflows.migrations.backup import BackupRefused, Strategy, Throughput
from workflows.migrations.backup.choosing import LARGEST_COPY_BYTES, ServerFacts, choose, estimates
from workflows.migrations.backup.losses import losses
from workflows.migrations.backup.models import BackupPlan, Point, TableMark
from workflows.migrations.backup.stakes import Stake, at_stake

Pair = tuple[str, str | None]


def stake_of(engine: Engine, *pairs: Pair) -> Stake:
    """What a plan of ``pairs`` does to rows."""
    scripts = scripts_of(engine, *pairs)
    return at_stake(plan_migration(scripts, SchemaVersion(version=0, applied=()), scripts.newest), engine)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN a integer DEFAULT 0, ADD CONSTRAINT c CHECK (a > 0)",
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE t DROP CONSTRAINT c",
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "DROP INDEX i",
        "CREATE SEQUENCE s",
        "ALTER SEQUENCE s INCREMENT BY 5",
        "ALTER TABLE t ALTER COLUMN restart SET DEFAULT 1, ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO PUBLIC",
    ],
)
def test_what_leaves_every_row_as_it_is(statement: str) -> None:
    """Only the shape changes."""
    stake = stake_of("postgresql", (statement, "COMMENT ON TABLE t IS 'y'"))
    assert (stake.tables, stake.unknown) == ((), "")


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("UPDATE ONLY public.Orders SET a = 1", ("orders",)),
        ('DELETE FROM "Or""ders"', ('Or"ders',)),
        ("INSERT INTO t SELECT * FROM u", ("t",)),
        ("TRUNCATE TABLE a, b", ("a", "b")),
        ("DROP TABLE IF EXISTS a, b", ("a", "b")),
        ("ALTER TABLE t ADD COLUMN a integer, DROP COLUMN b", ("t",)),
        ("ALTER TABLE IF EXISTS t ALTER COLUMN a TYPE bigint", ("t",)),
        ("ALTER TABLE t RENAME TO u", ("t",)),
        ("ALTER TABLE t RENAME COLUMN a TO b", ("t",)),
        ("ALTER TABLE t DROP key", ("t",)),
        ("ALTER TABLE t DROP index", ("t",)),
        ("ALTER TABLE IF EXISTS ONLY s.t DROP IF EXISTS key", ("t",)),
        ("ALTER TABLE t * DROP a", ("t",)),
        ("UPDATE ignore SET a = 1", ("ignore",)),
        ("TRUNCATE ONLY a, ONLY s.b", ("a", "b")),
        ("DROP TABLE t; CREATE TABLE t (id integer)", ("t",)),
    ],
)
def test_the_tables_whose_rows_are_at_stake(statement: str, tables: tuple[str, ...]) -> None:
    """By the names that the catalog has."""
    stake = stake_of("postgresql", (statement, "COMMENT ON TABLE t IS 'y'"))
    assert (stake.tables, stake.unknown) == (tables, "")


@pytest.mark.parametrize(
    "statement",
    [
        "DO 'BEGIN DELETE FROM t; END'",
        "SELECT purge()",
        "CALL purge()",
        "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
        "DROP TABLE t CASCADE",
        "TRUNCATE t CASCADE",
        "DROP SCHEMA other CASCADE",
        "CREATE TABLE u AS SELECT purge()",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        r'UPDATE U&"t\0061" SET a = 1',
        r'DROP TABLE a, U&"t\0061"',
        "DROP SEQUENCE s",
        "CREATE SEQUENCE IF NOT EXISTS s",
        "ALTER SEQUENCE IF EXISTS s RESTART WITH 5",
        "ALTER TABLE t ALTER COLUMN id DROP IDENTITY IF EXISTS",
        "ALTER TABLE t ADD a integer, ALTER id DROP IDENTITY",
        "ALTER TABLE t ALTER id SET INCREMENT BY 5 RESTART",
    ],
)
def test_what_may_touch_everything(statement: str) -> None:
    """On no list, or of a name that is not read, so nothing is said about it."""
    assert stake_of("postgresql", (statement, "COMMENT ON TABLE t IS 'y'")).unknown


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE a JOIN b ON a.id = b.id SET b.x = 1",
        "UPDATE a, b SET b.x = 1 WHERE a.id = b.id",
        "UPDATE LOW_PRIORITY a STRAIGHT_JOIN b SET b.x = 1",
        "UPDATE a, (SELECT 1 AS x) q SET a.x = q.x",
        "UPDATE a USE INDEX FOR ORDER BY (i), b SET b.x = 1",
        "DELETE a, b FROM a JOIN b ON a.id = b.id",
        "DELETE x FROM orders AS x",
        "DELETE FROM a, b USING a JOIN b ON a.id = b.id",
        "DELETE QUICK FROM a USING a, b WHERE a.id = b.id",
        "TRUNCATE TABLE 12, t",
        "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        "ALTER TABLE a ADD COLUMN IF NOT EXISTS (x integer, y integer)",
        "CREATE TABLE IF NOT EXISTS 12 (id integer)",
    ],
)
def test_what_may_write_more_tables_of_mysql_than_the_first(statement: str) -> None:
    """The names may be aliases, too: a dump of everything."""
    stake = stake_of("mysql", (statement, "ALTER TABLE t COMMENT 'y'"))
    assert stake.unknown
    assert choose(stake, FACTS).strategy == "dump"


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("UPDATE IGNORE `Or``ders` PARTITION (p0, p1) SET x = 1", ("Or`ders",)),
        ("DELETE LOW_PRIORITY QUICK FROM shop.t WHERE id IN (SELECT a.id FROM a JOIN b USING (id))", ("t",)),
        ("UPDATE T USE INDEX (i, k) SET a = 1, b = 2", ("t",)),
        ("INSERT IGNORE INTO 1t VALUES (1), (2)", ("1t",)),
        ("REPLACE DELAYED t VALUES (1)", ("t",)),
        ("TRUNCATE 1t", ("1t",)),
        ("ALTER TABLE t DROP KEY k, DROP PRIMARY KEY, DROP FOREIGN KEY f", ()),
        ("ALTER TABLE t DROP `key`", ("t",)),
        ("ALTER TABLE t ADD INDEX IF NOT EXISTS i (a)", ()),
        ("CREATE OR REPLACE TABLE t (id integer)", ("t",)),
    ],
)
def test_the_tables_whose_rows_are_at_stake_in_mysql(statement: str, tables: tuple[str, ...]) -> None:
    """One table, however it is written; words without quotation marks are compared without case."""
    stake = stake_of("mysql", (statement, "CREATE INDEX i ON t (a)"))
    assert (stake.tables, stake.unknown) == (tables, "")


@pytest.mark.parametrize(
    ("statement", "tables", "perhaps_there"),
    [
        ("CREATE TABLE IF NOT EXISTS s.T (id integer); INSERT INTO t VALUES (1)", ("t",), (("t", ""),)),
        ("CREATE TABLE IF NOT EXISTS t (id integer)", (), (("t", ""),)),
        ("CREATE OR REPLACE TABLE t (id integer)", ("t",), (("t", ""),)),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS A numeric(8, 2), ADD b integer", (), (("t", "a"),)),
    ],
)
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_what_is_made_only_where_it_is_missing_may_be_there(
    engine: Engine, statement: str, tables: tuple[str, ...], perhaps_there: tuple[tuple[str, str], ...]
) -> None:
    """And is not new: what takes the plan back would drop rows that were there before."""
    stake = stake_of(engine, (statement, "SELECT 1"))
    assert (stake.perhaps_there, stake.created) == (perhaps_there, ())
    assert set(tables) <= set(stake.tables)
    found = msgspec.structs.replace(stake, unknown="", stepwise=(), there_already="t is there already")
    assert choose(found, FACTS).strategy == "dump"


def test_rows_of_a_table_that_the_plan_makes_are_not_at_stake() -> None:
    """Nobody had them before; what an undo script writes is."""
    made = ("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)", "DROP TABLE t")
    assert stake_of("postgresql", made).tables == ()
    undo = ("ALTER TABLE t ADD COLUMN a integer", "UPDATE u SET b = 1; ALTER TABLE t DROP COLUMN a")
    assert stake_of("postgresql", undo).tables == ("u",)


ADD: Pair = ("ALTER TABLE t ADD COLUMN a integer", "ALTER TABLE t DROP COLUMN a")
WRITE: Pair = ("UPDATE t SET a = 1", None)
SIZES = (TableSize(table="t", rows=10, bytes=10**6), TableSize(table="u", rows=10, bytes=10**9))
FACTS = ServerFacts(sizes=SIZES, uncopyable={}, may_copy=True)


@pytest.mark.parametrize(
    ("engine", "pairs", "strategy"),
    [
        ("postgresql", [ADD], "down_script"),
        ("postgresql", [ADD, WRITE], "table_copy"),
        ("postgresql", [("ALTER TABLE t ADD COLUMN a integer", None)], "dump"),
        ("postgresql", [("SELECT f()", "SELECT g()")], "dump"),
        ("postgresql", [("-- adx: transaction=none\n" + ADD[0] + "; COMMENT ON TABLE t IS 'x'", ADD[1])], "dump"),
        ("mysql", [(ADD[0] + "; CREATE INDEX i ON t (a)", "DROP INDEX i ON t; " + str(ADD[1]))], "dump"),
        ("mysql", [ADD], "down_script"),
    ],
)
def test_the_strategy_that_follows(engine: Engine, pairs: list[Pair], strategy: Strategy) -> None:
    """The cheapest that loses nothing, with a reason."""
    choice = choose(stake_of(engine, *pairs), FACTS)
    assert choice.strategy == strategy
    assert choice.reason


@pytest.mark.parametrize(
    "facts",
    [
        ServerFacts(sizes=SIZES, uncopyable={"t": "it is partitioned"}, may_copy=True),
        ServerFacts(sizes=SIZES, uncopyable={}, may_copy=False),
        ServerFacts(sizes=SIZES, uncopyable={}, may_copy=True, triggers=("u",)),
        ServerFacts(sizes=(TableSize(table="t", rows=1, bytes=LARGEST_COPY_BYTES + 1),), uncopyable={}, may_copy=True),
    ],
)
def test_what_the_server_has_rules_a_copy_out(facts: ServerFacts) -> None:
    """Then it is a dump, and asking for a copy is refused."""
    stake = stake_of("postgresql", WRITE)
    assert choose(stake, facts).strategy == "dump"
    with pytest.raises(BackupRefused, match="table_copy is no backup"):
        choose(stake, facts, "table_copy")


def test_estimates_follow_sizes_and_speed() -> None:
    """A dump counts the whole schema, a copy what is at stake; measured figures replace the cautious ones."""
    stake = stake_of("postgresql", WRITE)
    dump = estimates("dump", FACTS, stake, Throughput())
    copy = estimates("table_copy", FACTS, stake, Throughput())
    assert dump[1] > 20 > copy[1]
    parts = (TableSize(table="t", rows=1, bytes=10**9), TableSize(table="t_1", rows=1, bytes=10**9, is_part=True))
    whole, both = (ServerFacts(sizes=sizes, uncopyable={}, may_copy=True) for sizes in (parts[:1], parts))
    assert estimates("dump", both, stake, Throughput()) == estimates("dump", whole, stake, Throughput())
    assert estimates("dump", FACTS, stake, Throughput(load=80e6))[1] == pytest.approx(dump[1] - 12.5, abs=0.2)


@pytest.mark.parametrize(
    ("pair", "strategy"),
    [
        (("CREATE SEQUENCE s", "DROP SEQUENCE s"), "down_script"),
        (
            (
                "ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
                "ALTER TABLE t ALTER id DROP IDENTITY",
            ),
            "down_script",
        ),
        (("DROP SEQUENCE s", "CREATE SEQUENCE s"), "dump"),
        (("ALTER SEQUENCE s INCREMENT 5", "ALTER SEQUENCE s INCREMENT 1 RESTART"), "dump"),
    ],
)
def test_where_a_sequence_stands_is_lost_with_one_that_was_there(pair: Pair, strategy: Strategy) -> None:
    """One that the script itself brings may go when it is taken back."""
    choice = choose(stake_of("postgresql", pair), FACTS)
    assert choice.strategy == strategy, choice.reason
    assert stake_of("mysql", ("CREATE OR REPLACE SEQUENCE s", "DROP SEQUENCE s")).unknown


def test_the_reason_for_a_dump_quotes_no_value() -> None:
    """Neither a string, nor what a comment says, nor what stands behind one."""
    stake = stake_of("postgresql", ("SELECT set_key( -- hunter1\n 'hunter2', $x$hunter3$x$)", None))
    assert stake.unknown.startswith("SELECT set_key(")
    assert "hunter" not in stake.unknown


def test_a_loss_is_counted_by_the_server_where_it_counts() -> None:
    """Five rows written and none added are five, not one."""
    scripts = scripts_of("postgresql", ADD)
    plan = BackupPlan(
        backup_id="x",
        target="x",
        owner="x",
        engine="postgresql",
        strategy="dump",
        reason="",
        plan=plan_migration(scripts, SchemaVersion(version=0, applied=()), 1),
    )
    before = Point(taken_at="", tables=(TableMark(table="t", rows=9, kept="1:1", columns=("id",), writes=100),))
    now = Point(taken_at="", tables=(TableMark(table="t", rows=9, kept="2:2", columns=("id",), writes=105),))
    assert [(one.table, one.rows) for one in losses(plan, before, None, now)] == [("t", 5)]
    assert losses(plan, before, None, before) == ()
