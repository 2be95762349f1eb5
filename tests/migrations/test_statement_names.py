"""Which tables a statement names, and the actions of ALTER TABLE. No servers."""

from __future__ import annotations

from datetime import date

import pytest

from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.made_tables import MadeTables
from policies.migrations.safety.findings import SafetyFinding, Statistics
from policies.migrations.safety.postgresql import effect_of
from policies.migrations.spec import Engine
from policies.migrations.statements import actions, names, split
from tests.migrations.scripts import scripts_of
from workflows.migrations.checking import check_plan


def words_of(engine: Engine, text: str) -> tuple[str, ...]:
    """As rules compare them."""
    (statement,) = split(text, engine)
    return statement.words


@pytest.mark.parametrize(
    ("engine", "text", "found"),
    [
        ("postgresql", "Orders", ("orders",)),
        ("postgresql", 'shop . public."Or""ders" AS o', ('Or"ders',)),
        ("postgresql", "TABLE IF EXISTS a, ONLY s.b * CASCADE", ("a", "b")),
        ("postgresql", "IF NOT EXISTS t (id integer, x integer)", ("t",)),
        ("postgresql", "if SET x = 1", ("if",)),
        ("postgresql", 'a, U&"b"', ()),
        ("postgresql", "a, (b)", ()),
        ("mysql", "FROM `A``b`, 1c", ("A`b", "1c")),
        ("mysql", "IGNORE INTO T (a)", ("t",)),
        ("mysql", "t.* FROM t", ()),
        ("mysql", "12", ()),
        ("mysql", "", ()),
    ],
)
def test_a_list_of_tables_is_read_wholly_or_not_at_all(engine: Engine, text: str, found: tuple[str, ...]) -> None:
    """A part of it would leave out what happens to the rest."""
    assert names(words_of(engine, text) if text else (), engine) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "ALTER TABLE t ADD a numeric(8, 2), DROP b",
            [("ADD", "A", "NUMERIC", "(", "8", ",", "2", ")"), ("DROP", "B")],
        ),
        ("ALTER TABLE IF EXISTS ONLY shop.s.t DROP index", [("DROP", "INDEX")]),
        ("ALTER TABLE t * DROP key", [("DROP", "KEY")]),
        ('ALTER TABLE "only" DROP if', [("DROP", "IF")]),
    ],
)
def test_actions_are_cut_at_the_commas_between_them(text: str, found: list[tuple[str, ...]]) -> None:
    """Without the table's name, and with every word of a column's."""
    assert list(actions(words_of("postgresql", text), "postgresql")) == found


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("ALTER TABLE IF EXISTS ONLY s.orders ALTER COLUMN a TYPE bigint", ("orders",)),
        ('ALTER TABLE shop.s."Or""ders" ADD FOREIGN KEY (a) REFERENCES shop.s."co""des" (id)', ('Or"ders', 'co"des')),
        ("DELETE FROM ONLY shop.s.orders", ("orders",)),
        ("CREATE INDEX i ON ONLY shop.s.orders (a)", ("orders",)),
        ("TRUNCATE ONLY a, ONLY b", ("a", "b")),
    ],
)
def test_a_lock_is_told_with_its_tables_however_long_their_names_are(text: str, tables: tuple[str, ...]) -> None:
    """Their sizes are looked up by these names: without one nothing would be known."""
    (statement,) = split(text, "postgresql")
    assert effect_of(statement).tables == tables


def test_a_rewrite_is_told_of_a_table_whose_name_is_not_read() -> None:
    """What is done to it is read all the same."""
    (statement,) = split(r'ALTER TABLE U&"t\0061" ALTER a TYPE bigint, ALTER b SET NOT NULL', "postgresql")
    found = effect_of(statement)
    assert (found.tables, found.rewrites, found.lock) == ((), True, "ACCESS EXCLUSIVE")


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("RENAME TABLE shop.`Or``ders` TO others", ("Or`ders",)),
        ("ALTER TABLE shop.orders CONVERT TO CHARACTER SET latin1", ("orders",)),
        ("CREATE INDEX i ON shop.`lines` (id)", ("lines",)),
    ],
)
def test_a_table_of_mysql_is_told_without_its_schema(text: str, tables: tuple[str, ...]) -> None:
    """Its size is looked up by that."""
    found = [finding for finding in found_in(text) if finding.tables]
    assert found
    assert {tuple(one.table for one in finding.tables) for finding in found} == {tables}


def made_before(engine: Engine, text: str) -> bool:
    """Whether the tables of the last statement were made by those before it."""
    made, (*before, last) = MadeTables(engine), split(text, engine)
    for one in before:
        made.see(one)
    start = {"DROP": 2, "TRUNCATE": 1}.get(last.words[0], 2)
    return made.has_all(last, names(last.words[start:], engine))


@pytest.mark.parametrize(
    ("engine", "text", "is_made"),
    [
        ("postgresql", "CREATE TABLE t (a int); DROP TABLE t", True),
        ("postgresql", "CREATE UNLOGGED TABLE t (a int); TRUNCATE t", True),
        ("postgresql", 'CREATE TABLE s."Li""nes" (a int); DROP TABLE s."Li""nes"', True),
        ("postgresql", "CREATE TABLE t (a int); DROP TABLE IF EXISTS T, orders", False),
        ("postgresql", "CREATE TABLE IF NOT EXISTS t (a int); DROP TABLE t", False),
        ("postgresql", "CREATE TABLE archive.t (a int); DROP TABLE t", False),
        ("postgresql", "CREATE TABLE t (a int); DROP TABLE archive.t", False),
        ("postgresql", "CREATE TEMPORARY TABLE t (a int); DROP TABLE t", False),
        ("postgresql", "CREATE TABLE t (a int); DROP TABLE t; ALTER TABLE orders RENAME TO t; DROP TABLE t", False),
        ("postgresql", "CREATE TABLE t (a int); ALTER TABLE t RENAME TO u; DROP TABLE t", False),
        ("postgresql", "CREATE TABLE s.t (a int); ALTER TABLE s.t RENAME TO u; DROP TABLE s.u", True),
        ("postgresql", "CREATE TABLE t (a int); ALTER TABLE t RENAME a TO b; DROP TABLE t", True),
        ("postgresql", "CREATE TABLE t (a int); ALTER TABLE t RENAME COLUMN a TO b; DROP TABLE t", True),
        ("postgresql", "CREATE TABLE t (a int); ALTER TABLE t SET SCHEMA s; DROP TABLE s.t", True),
        ("postgresql", "CREATE TABLE s.t (a int); DROP SCHEMA s; DROP TABLE s.t", False),
        ("postgresql", "CREATE TABLE t (a int); ALTER TABLE t ATTACH PARTITION old DEFAULT; DROP TABLE t", False),
        ("postgresql", r'CREATE TABLE t (a int); DROP TABLE U&"t\0061"; DROP TABLE t', False),
        ("mysql", "CREATE TABLE shop.`Li``nes` (a int); DROP TABLE shop.`li``nes`", True),
        ("mysql", "CREATE OR REPLACE TABLE t (a int); DROP TABLE t", True),
        ("mysql", "CREATE TABLE t (a int); ALTER TABLE t RENAME AS u; DROP TABLE u", True),
        ("mysql", "CREATE TABLE t (a int); RENAME TABLE t TO u, orders TO t; DROP TABLE t", False),
        ("mysql", "CREATE TABLE t (a int); ALTER TABLE orders EXCHANGE PARTITION p WITH TABLE t; DROP TABLE t", False),
    ],
)
def test_a_table_counts_as_made_only_where_nobody_can_have_rows_in_it(engine: Engine, text: str, is_made: bool) -> None:
    """By the order of statements, and by how it is written."""
    assert made_before(engine, text) is is_made


def test_a_table_that_the_plan_makes_is_known_with_its_quotation_marks() -> None:
    """Nobody uses it yet: an index on it makes nobody wait."""
    made = "CREATE TABLE shop.`Li``nes` (id bigint PRIMARY KEY)"
    assert not found_in(f"{made}; CREATE INDEX i ON shop.`Li``nes` (id)")
    assert found_in(f"{made}; CREATE INDEX i ON `Li``nes` (id)")


def found_in(text: str) -> tuple[SafetyFinding, ...]:
    """What is unsafe in a script of MySQL."""
    scripts = scripts_of("mysql", (text, None))
    plan = plan_migration(scripts, SchemaVersion(version=0, applied=()), 1)
    return check_plan(scripts, plan, Statistics(), (), environment="production", today=date(2026, 1, 31))
