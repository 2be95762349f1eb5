"""What is found in scripts before they are run, and what blocks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest

from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.model import ScriptSet
from policies.migrations.safety.catalogue import CHECKS, NOT_UNDERSTOOD
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver, Statistics, TableAtStake
from policies.migrations.safety.judging import estimated_seconds, judge, statistics_of, with_checks, wrong_waiver
from tests.migrations.scripts import scripts_of
from workflows.migrations import squawk
from workflows.migrations.checking import check_plan
from workflows.migrations.errors import SquawkFailed

TABLE = "CREATE TABLE orders (id bigint PRIMARY KEY, note text, code integer)"
MY_TABLE = "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(200), code int, price decimal(10,2))"
TODAY = date(2026, 1, 31)


def findings(
    scripts: ScriptSet,
    *,
    after: int = 1,
    statistics: Statistics | None = None,
    waivers: tuple[ScriptWaiver, ...] = (),
) -> tuple[SafetyFinding, ...]:
    """What is found in the versions above ``after``."""
    plan = plan_migration(scripts, SchemaVersion(version=0, applied=()), scripts.newest)
    plan = msgspec.structs.replace(plan, migrations=scripts.between(after, scripts.newest))
    return check_plan(scripts, plan, statistics or Statistics(), waivers, environment="production", today=TODAY)


def one(engine: str, text: str, **more: object) -> tuple[SafetyFinding, ...]:
    """What is found in ``text``, run after the table was made."""
    table = TABLE if engine == "postgresql" else MY_TABLE
    return findings(scripts_of(engine, (table, "DROP TABLE orders"), (text, None)), **more)  # type: ignore[arg-type]


POSTGRES = {
    "CREATE INDEX i ON orders (note)": ("pg.require-concurrent-index-creation", "SHARE", False),
    "ALTER TABLE orders ADD COLUMN a int NOT NULL": ("pg.adding-required-field", "ACCESS EXCLUSIVE", False),
    "ALTER TABLE orders ALTER COLUMN code TYPE bigint": ("pg.changing-column-type", "ACCESS EXCLUSIVE", True),
    "ALTER TABLE orders ALTER COLUMN note SET NOT NULL": ("pg.adding-not-nullable-field", "ACCESS EXCLUSIVE", False),
    "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (code) REFERENCES codes (id)": (
        "pg.adding-foreign-key-constraint",
        "SHARE ROW EXCLUSIVE",
        False,
    ),
    "ALTER TABLE orders ADD CONSTRAINT c CHECK (code > 0)": (
        "pg.constraint-missing-not-valid",
        "ACCESS EXCLUSIVE",
        False,
    ),
    "ALTER TABLE orders ADD CONSTRAINT u UNIQUE (code)": (
        "pg.disallowed-unique-constraint",
        "ACCESS EXCLUSIVE",
        False,
    ),
    "ALTER TABLE orders DROP COLUMN code": ("pg.ban-drop-column", "ACCESS EXCLUSIVE", False),
    "DROP TABLE orders": ("pg.ban-drop-table", "ACCESS EXCLUSIVE", False),
    "ALTER TABLE orders RENAME COLUMN code TO other": ("pg.renaming-column", "ACCESS EXCLUSIVE", False),
    "UPDATE orders SET code = 1": ("sql.whole-table-write", "ROW EXCLUSIVE", False),
    "DELETE FROM orders": ("sql.whole-table-write", "ROW EXCLUSIVE", False),
    "TRUNCATE orders": ("sql.truncate", "ACCESS EXCLUSIVE", False),
    "VACUUM FULL orders": ("pg.table-rewrite", "ACCESS EXCLUSIVE", True),
}
MYSQL = {
    "ALTER TABLE orders MODIFY code smallint": "mysql.type-narrowing",
    "ALTER TABLE orders MODIFY note varchar(100)": "mysql.type-narrowing",
    "ALTER TABLE orders MODIFY price decimal(8,2)": "mysql.type-narrowing",
    "ALTER TABLE orders MODIFY code int unsigned": "mysql.type-narrowing",
    "ALTER TABLE orders MODIFY unknown int": "mysql.type-narrowing",
    "ALTER TABLE orders MODIFY code bigint": "mysql.copying-alter",
    "ALTER TABLE orders CONVERT TO CHARACTER SET latin1": "mysql.copying-alter",
    "ALTER TABLE orders DROP PRIMARY KEY": "mysql.copying-alter",
    "ALTER TABLE orders DROP COLUMN code": "mysql.dropped-column",
    "ALTER TABLE orders CHANGE code other int": "mysql.renamed-column",
    "ALTER TABLE orders RENAME COLUMN code TO other": "mysql.renamed-column",
    "RENAME TABLE orders TO others": "mysql.renamed-table",
    "ALTER TABLE orders RENAME TO others": "mysql.renamed-table",
    "DROP TABLE orders": "mysql.dropped-table",
    "ALTER TABLE orders ADD COLUMN a int NOT NULL": "mysql.required-column",
    "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (code) REFERENCES codes (id)": "mysql.foreign-key-copies",
    "ALTER TABLE orders ADD COLUMN a int, ALGORITHM=COPY": "mysql.blocking-lock",
    "ALTER TABLE orders ADD INDEX i (code), LOCK=SHARED": "mysql.blocking-lock",
    "UPDATE orders SET code = 1": "sql.whole-table-write",
    "TRUNCATE TABLE orders": "sql.truncate",
    "HANDLER orders OPEN": NOT_UNDERSTOOD,
    "ALTER TABLE orders DISCARD TABLESPACE": NOT_UNDERSTOOD,
    "SELECT FROM WHERE": NOT_UNDERSTOOD,
}


@pytest.mark.parametrize("text", POSTGRES)
def test_postgresql_finding_names_the_lock_the_rewrite_and_the_safe_way(text: str) -> None:
    """And it blocks where nothing is known of the table's size."""
    check, lock, rewrites = POSTGRES[text]
    found = {finding.check: finding for finding in one("postgresql", text)}
    assert check in found
    assert (found[check].lock, found[check].rewrites) == (lock, rewrites)
    assert found[check].is_blocking
    assert found[check].safe_way
    assert [table.table for table in found[check].tables][:1] == ["orders"]


@pytest.mark.parametrize("text", MYSQL)
def test_mysql_finding_blocks_and_names_the_safe_way(text: str) -> None:
    """What is not understood blocks too."""
    found = {finding.check: finding for finding in one("mysql", text)}
    assert MYSQL[text] in found
    assert found[MYSQL[text]].is_blocking
    assert found[MYSQL[text]].safe_way


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("postgresql", "ALTER TABLE orders ADD COLUMN state text"),
        ("postgresql", "CREATE INDEX CONCURRENTLY i ON orders (note)"),
        ("postgresql", "ALTER TABLE orders ADD CONSTRAINT c CHECK (code > 0) NOT VALID"),
        ("postgresql", "ALTER TABLE orders VALIDATE CONSTRAINT c"),
        ("postgresql", "UPDATE orders SET code = 1 WHERE id BETWEEN 1 AND 1000"),
        ("postgresql", "CREATE TABLE lines (id bigint PRIMARY KEY); CREATE INDEX i ON lines (id)"),
        ("mysql", "ALTER TABLE orders ADD COLUMN state int, ALGORITHM=INSTANT"),
        ("mysql", "ALTER TABLE orders ADD INDEX i (code), ALGORITHM=INPLACE, LOCK=NONE"),
        ("mysql", "CREATE TABLE lines (id bigint PRIMARY KEY); CREATE INDEX i ON lines (id)"),
        ("mysql", "UPDATE orders SET code = 1 WHERE id BETWEEN 1 AND 1000"),
        ("mysql", "CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW SET NEW.code = 1"),
    ],
)
def test_the_safe_way_is_not_found_fault_with(engine: str, text: str) -> None:
    """Nothing blocks, nothing warns."""
    assert one(engine, text) == ()


@pytest.mark.parametrize(
    ("engine", "text", "check", "tables"),
    [
        ("postgresql", "DROP TABLE orders;\n" + TABLE, "pg.ban-drop-table", ["orders"]),
        ("postgresql", f"DROP TABLE orders; {TABLE}", "pg.ban-drop-table", ["orders"]),
        (
            "postgresql",
            "CREATE TABLE archive.orders AS SELECT * FROM orders;\nDROP TABLE orders",
            "pg.ban-drop-table",
            ["orders"],
        ),
        (
            "postgresql",
            "CREATE TABLE IF NOT EXISTS orders (id bigint);\nALTER TABLE orders DROP COLUMN note",
            "pg.ban-drop-column",
            ["orders"],
        ),
        ("mysql", "DROP TABLE orders;\n" + MY_TABLE, "mysql.dropped-table", ["orders"]),
        ("mysql", "CREATE TABLE a (id int); DROP TABLE a, orders", "mysql.dropped-table", ["a", "orders"]),
        ("mysql", "CREATE OR REPLACE TABLE orders (id int)", "mysql.dropped-table", ["orders"]),
    ],
)
def test_a_table_that_is_made_again_is_dropped_all_the_same(
    engine: str, text: str, check: str, tables: list[str]
) -> None:
    """What is made after, elsewhere, or only where it is missing excuses nothing."""
    recorded = scripts_of(engine, ("SELECT 1", None), (text, None))  # type: ignore[arg-type]
    found = {finding.check: finding for finding in findings(recorded)}
    assert [table.table for table in found[check].tables] == tables
    assert found[check].is_blocking


def test_what_squawk_cannot_read_blocks() -> None:
    """Nothing can be said about it, which is not the same as nothing wrong."""
    (found,) = {finding.line: finding for finding in one("postgresql", "SELECT 1;\nSELECT FROM WHERE ,")}.values()
    assert (found.check, found.line, found.is_blocking) == (NOT_UNDERSTOOD, 3, True)
    assert found.detail


def test_a_script_cannot_excuse_itself() -> None:
    """squawk's comments are taken away before it reads."""
    text = "-- squawk-ignore-file\n-- squawk-ignore require-concurrent-index-creation\nCREATE INDEX i ON orders (note)"
    assert [finding.check for finding in one("postgresql", text)] == ["pg.require-concurrent-index-creation"]


def test_a_place_is_that_of_the_statement_in_the_script() -> None:
    """Comments that were taken away leave their lines."""
    text = "/* one\ntwo */ SELECT 1;\n\nCREATE INDEX i\n  ON orders (note)"
    (found,) = one("postgresql", text)
    assert (found.file, found.line) == ("infra/databases/shop/0002_step_2.up.sql", 5)
    assert found.statement == "CREATE INDEX i ON orders (note)"


def sizes(rows: int, size_bytes: int = 0) -> Statistics:
    """Of the one table."""
    return statistics_of([TableAtStake(table="orders", rows=rows, bytes=size_bytes)])


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_few_rows_make_a_scan_harmless_but_no_lost_column(engine: str) -> None:
    """By the statistics of the environment."""
    index = {"postgresql": "CREATE INDEX i ON orders (note)", "mysql": "ALTER TABLE orders MODIFY code bigint"}[engine]
    assert [finding.is_blocking for finding in one(engine, index, statistics=sizes(100))] == [False]
    assert [finding.is_blocking for finding in one(engine, index, statistics=sizes(1_000_000))] == [True]
    drop = (
        "ALTER TABLE orders DROP COLUMN code, ALGORITHM=INSTANT"
        if engine == "mysql"
        else ("ALTER TABLE orders DROP COLUMN code")
    )
    assert [finding.is_blocking for finding in one(engine, drop, statistics=sizes(100))] == [True]


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_contract_script_may_drop_what_it_says_nobody_uses(engine: str) -> None:
    """It warns, and says which schema version it requires."""
    option = ", ALGORITHM=INSTANT" if engine == "mysql" else ""
    text = f"-- adx: phase=contract\n-- adx: requires=2\nALTER TABLE orders DROP COLUMN code{option}"
    assert [(finding.severity, finding.is_blocking) for finding in one(engine, text)] == [("low", False)]


def test_a_duration_is_estimated_from_the_sizes() -> None:
    """A rewrite of 500 MB takes about ten seconds; without a size nothing is guessed."""
    text = "ALTER TABLE orders ALTER COLUMN code TYPE bigint"
    assert estimated_seconds(one("postgresql", text, statistics=sizes(10**6, 500_000_000))) == pytest.approx(10.0)
    assert estimated_seconds(one("postgresql", text)) is None


@pytest.mark.parametrize(
    ("engine", "text", "seconds"),
    [
        ("postgresql", "ALTER TABLE orders ADD COLUMN a text", 0.0),
        ("postgresql", "ALTER TABLE orders ALTER COLUMN code TYPE bigint", 10.0),
        ("postgresql", "CREATE TABLE t (a bigint);\nCREATE INDEX i ON t (a);\nALTER TABLE t ADD CHECK (a > 0)", 0.0),
        ("postgresql", "INSERT INTO orders (id) VALUES (1)", 0.0),
        ("postgresql", "UPDATE orders SET code = 1 WHERE note IS NULL", None),
        ("postgresql", "UPDATE orders SET code = 1", None),
        ("postgresql", "DELETE FROM orders WHERE id < 5", None),
        ("postgresql", "INSERT INTO codes SELECT code FROM orders", None),
        ("postgresql", "WITH a AS (SELECT 1) INSERT INTO codes TABLE a", None),
        ("postgresql", "CREATE TABLE copy AS SELECT * FROM orders", None),
        ("postgresql", "SELECT fill()", None),
        ("postgresql", "CREATE INDEX CONCURRENTLY i ON orders (note)", None),
        ("postgresql", "CREATE TABLE orders_2 (a bigint);\nCREATE INDEX CONCURRENTLY i ON orders (note)", None),
        ("postgresql", "ALTER TABLE orders VALIDATE CONSTRAINT c", None),
        ("mysql", "ALTER TABLE orders ADD COLUMN a int, ALGORITHM=INSTANT", 0.0),
        ("mysql", "ALTER TABLE orders MODIFY code bigint", 10.0),
        ("mysql", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t ADD b int", 0.0),
        ("mysql", "ALTER TABLE orders ADD INDEX i (code), ALGORITHM=INPLACE, LOCK=NONE", None),
        ("mysql", "CREATE INDEX i ON orders (code)", None),
        ("mysql", "REPLACE INTO codes SELECT code FROM orders", None),
    ],
)
def test_a_duration_is_told_only_where_every_statement_was_weighed(
    engine: str, text: str, seconds: float | None
) -> None:
    """What takes long and is nowhere found fault with is not for nothing."""
    table = TABLE if engine == "postgresql" else MY_TABLE
    scripts = scripts_of(engine, (table, "DROP TABLE orders"), ("-- adx: transaction=none\n" + text, None))  # type: ignore[arg-type]
    plan = plan_migration(scripts, SchemaVersion(version=0, applied=()), 2)
    plan = msgspec.structs.replace(plan, migrations=plan.migrations[1:])
    known = sizes(10**6, 500_000_000)
    found = check_plan(scripts, plan, known, (), environment="production", today=TODAY)
    assert with_checks(plan, found, known).estimated_duration_seconds == pytest.approx(seconds)


def waiver(**fields: str) -> ScriptWaiver:
    """For the index of the second script."""
    known = {
        "check": "pg.require-concurrent-index-creation",
        "script": "infra/databases/shop/0002_step_2.up.sql",
        "owner": "team-shop",
        "reason": "nobody writes at night",
        "expires": "2026-02-28",
    }
    return ScriptWaiver(**{**known, **fields})


@pytest.mark.parametrize(
    ("fields", "is_blocking"),
    [
        ({}, False),
        ({"script": "infra/databases/shop/*"}, False),
        ({"environment": "production"}, False),
        ({"expires": "2026-01-31"}, False),
        ({"expires": "2026-01-30"}, True),
        ({"environment": "staging"}, True),
        ({"script": "infra/databases/shop/0003_x.up.sql"}, True),
        ({"check": "pg.ban-drop-table"}, True),
    ],
)
def test_a_waiver_holds_for_its_check_script_and_environment_through_its_last_day(
    fields: dict[str, str], is_blocking: bool
) -> None:
    """The finding is still shown."""
    (found,) = one("postgresql", "CREATE INDEX i ON orders (note)", waivers=(waiver(**fields),))
    assert found.is_blocking == is_blocking


@pytest.mark.parametrize(
    "fields", [{"expires": "soon"}, {"expires": "2027-06-01"}, {"owner": " "}, {"reason": ""}, {"check": "x.y"}]
)
def test_a_waiver_that_nobody_answers_for_is_refused(fields: dict[str, str]) -> None:
    """A day within a year, an owner, a reason, a check that exists."""
    assert wrong_waiver(waiver(**fields), TODAY)
    assert wrong_waiver(waiver(), TODAY) is None


def test_a_plan_holds_the_sum_of_its_checks() -> None:
    """A line for each script."""
    scripts = scripts_of("postgresql", (TABLE, "DROP TABLE orders"), ("DELETE FROM orders", None))
    plan = plan_migration(scripts, SchemaVersion(version=0, applied=()), 2)
    found = check_plan(scripts, plan, Statistics(), (), environment="production", today=TODAY)
    checked = with_checks(plan, found).safety_checks
    assert [(check.file, check.blocking, check.warnings) for check in checked] == [
        (plan.migrations[0].up.file, 0, 1),
        (plan.migrations[1].up.file, 0, 0),
    ]
    assert judge([], plan, Statistics(), (), environment="production", today=TODAY) == ()


def test_every_check_says_how_to_write_it() -> None:
    """Ids are unique by being keys; each has a title and a safe way."""
    assert all(id_ == check.id and check.title and check.safe_way for id_, check in CHECKS.items())


def test_a_missing_squawk_is_no_clean_bill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It fails loudly."""
    monkeypatch.setattr(squawk.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SquawkFailed):
        one("postgresql", "SELECT 1")


@pytest.mark.parametrize("answer", ["exit 3", "echo no json", "echo '[{}]'"])
def test_a_squawk_that_answers_otherwise_is_no_clean_bill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    """A crash, words, or JSON of another shape."""
    program = tmp_path / "squawk"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setattr(squawk.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SquawkFailed):
        one("postgresql", "SELECT 1")
