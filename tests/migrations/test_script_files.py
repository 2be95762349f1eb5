"""Which folders of scripts are accepted, and what is said about those that are not."""

from __future__ import annotations

import msgspec
import pytest

from policies.migrations.script_files import databases_of, script_set
from tests.migrations.scripts import Files, folder, scripts_of, wrong_with

UP, DOWN = "0001_add_orders.up.sql", "0001_add_orders.down.sql"
DROP = "DROP TABLE orders;"


def pair(up: str | bytes, down: str | bytes = DROP) -> dict[str, str | bytes]:
    """One version."""
    return {UP: up, DOWN: down}


REFUSED_POSTGRES = {
    "an empty script": ("  -- nothing\n ; ;", "migrations.empty"),
    "a commit of its own": ("CREATE TABLE a (id int);\nCOMMIT;", "migrations.transaction"),
    "a transaction of its own": ("BEGIN; CREATE TABLE a (id int); END;", "migrations.transaction"),
    "a rollback in lower case": ("create table a (id int); rollback", "migrations.transaction"),
    "a commit behind a comment": ("CREATE TABLE a (id int); /* x */ COMMIT", "migrations.transaction"),
    "a prepared transaction": ("PREPARE TRANSACTION 'x'", "migrations.transaction"),
    "a command of psql": ("CREATE TABLE a (id int);\n\\copy a from 'x'", "migrations.client"),
    "rows for a client": ("COPY a FROM STDIN;", "migrations.client"),
    "a setting of the session": ("SET search_path = other; CREATE TABLE a (id int)", "migrations.session"),
    "another role": ("SET SESSION AUTHORIZATION postgres", "migrations.session"),
    "other rules for strings": ("SET standard_conforming_strings = off", "migrations.session"),
    "a database": ("DROP DATABASE shop", "migrations.scope"),
    "the server": ("ALTER SYSTEM SET fsync = off", "migrations.scope"),
    "the record of ADX": ("DELETE FROM adx_migrations", "migrations.own-tables"),
    "the record of ADX in quotes": ('UPDATE "adx_migration_steps" SET state = 1', "migrations.own-tables"),
    "a string without end": ("CREATE TABLE a (n text DEFAULT 'x)", "migrations.syntax"),
    "a comment without end": ("/* /* */ CREATE TABLE a (id int)", "migrations.syntax"),
    "a dollar without end": ("DO $a$ BEGIN END $b$", "migrations.syntax"),
    "two statements where one is allowed": (
        "CREATE INDEX CONCURRENTLY i ON a (b); CREATE TABLE c (id int)",
        "migrations.one-statement",
    ),
    "a concurrent index without name": ("CREATE INDEX CONCURRENTLY ON a (b)", "migrations.index-name"),
    "a partition detached concurrently": ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "migrations.scope"),
    "Latin-1": ("CREATE TABLE caf\u00e9 (id int)".encode("latin-1"), "migrations.text"),
    "UTF-16": ("CREATE TABLE a (id int)".encode("utf-16"), "migrations.text"),
    "a byte order mark": (b"\xef\xbb\xbfCREATE TABLE a (id int)", "migrations.text"),
    "a NUL": (b"CREATE TABLE a (id int)\x00", "migrations.text"),
    "text that runs backwards": ("CREATE TABLE a (id int) -- \u202e x", "migrations.text"),
    "an unknown key": ("-- adx: transactoin=none\nSELECT 1", "migrations.header"),
    "an unknown phase": ("-- adx: phase=shrink\nSELECT 1", "migrations.header"),
    "a time that is none": ("-- adx: lock_timeout_ms=soon\nSELECT 1", "migrations.header"),
    "a key twice": ("-- adx: transaction=auto\n-- adx: transaction=none\nSELECT 1", "migrations.header"),
    "a header below": ("SELECT 1;\n-- adx: transaction=none\n", "migrations.header"),
    "a contract that requires nothing": ("-- adx: phase=contract\nDROP TABLE a", "migrations.header"),
    "an expand that requires": ("-- adx: requires=2\nCREATE TABLE a (id int)", "migrations.header"),
    "irreversible for no reason": ("-- adx: irreversible=no\nSELECT 1", "migrations.header"),
}
REFUSED_MYSQL = {
    "another delimiter": ("DELIMITER //\nCREATE TABLE a (id int)//", "migrations.client"),
    "a command of mysql": ("CREATE TABLE a (id int)\\G", "migrations.client"),
    "another database": ("USE other; DROP TABLE a", "migrations.session"),
    "another mode": ("SET sql_mode = 'ANSI_QUOTES'", "migrations.session"),
    "a setting by its sign": ("SET @@sql_mode = ''", "migrations.session"),
    "a variable of the session": ("SET @last = 0; UPDATE a SET b = (@last := @last + 1)", "migrations.session"),
    "a lock": ("LOCK TABLES a WRITE", "migrations.session"),
    "a commit": ("INSERT INTO a VALUES (1); COMMIT", "migrations.transaction"),
    "a comment that is code": ("/*!50000 DROP TABLE a */; SELECT 1", "migrations.version-comment"),
    "a comment that is code of MariaDB": ("SELECT 1 /*M! ; DROP TABLE a */", "migrations.version-comment"),
}


@pytest.mark.parametrize("name", REFUSED_POSTGRES)
def test_refused_for_postgresql(name: str) -> None:
    """The file is named, and the rule that it breaks."""
    text, rule = REFUSED_POSTGRES[name]
    problems = wrong_with(folder("postgresql", pair(text)))
    assert (f"infra/databases/shop/{UP}", rule) in {(problem.file, problem.rule) for problem in problems}
    assert all(problem.fix for problem in problems)


@pytest.mark.parametrize("name", REFUSED_MYSQL)
def test_refused_for_mysql(name: str) -> None:
    """The file is named, and the rule that it breaks."""
    text, rule = REFUSED_MYSQL[name]
    assert rule in {problem.rule for problem in wrong_with(folder("mysql", pair(text)))}


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("postgresql", "INSERT INTO a VALUES ('COMMIT; \\copy');"),
        ("postgresql", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$"),
        ("postgresql", "CREATE INDEX CONCURRENTLY i ON a (b)"),
        ("postgresql", "-- adx: transaction=none\nCREATE INDEX CONCURRENTLY i ON a (b); DROP INDEX CONCURRENTLY j"),
        ("postgresql", "SET CONSTRAINTS ALL DEFERRED; UPDATE a SET b = 1"),
        ("mysql", "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.b = 1; SET NEW.c = 2; END"),
    ],
)
def test_accepted(engine: str, text: str) -> None:
    """What only looks like what is refused."""
    found, problems = script_set("shop", folder(engine, pair(text)))  # type: ignore[arg-type]
    assert problems == []
    assert found is not None


def test_a_problem_is_told_at_its_line() -> None:
    """The line of the statement, not of the file."""
    (problem,) = wrong_with(folder("postgresql", pair("CREATE TABLE a (id int);\n\n-- so\nCOMMIT;\n")))
    assert (problem.line, problem.column) == (4, 1)


def test_the_header_is_read() -> None:
    """Every key, from the first comment lines."""
    text = (
        "-- Orders get a state.\n-- adx: phase=contract\n-- adx: requires=2\n-- adx: compatible=2\n"
        "-- adx: lock_timeout_ms=500\n-- adx: statement_timeout_ms=60000\n-- adx: tables=orders, lines\n"
        "-- adx: created=2026-01-31\nDROP TABLE orders"
    )
    found, _ = script_set("shop", folder("postgresql", pair(text, "CREATE TABLE orders (id int)")))
    assert found is not None
    (migration,) = found.migrations
    header = migration.up.header
    assert (header.phase, header.requires, header.compatible) == ("contract", 2, 2)
    assert (header.lock_timeout_ms, header.statement_timeout_ms) == (500, 60_000)
    assert header.tables == ("orders", "lines")
    assert (migration.id, migration.created_at) == ("shop/0001_add_orders", "2026-01-31")


def test_line_ends_of_another_system_change_no_checksum() -> None:
    """A checkout with CRLF holds the same script."""
    plain = scripts_of("postgresql", ("CREATE TABLE a (\nid int)", "DROP TABLE a"))
    other = scripts_of("postgresql", ("CREATE TABLE a (\r\nid int)", "DROP TABLE a"))
    assert plain.migrations[0].checksum == other.migrations[0].checksum


NAMES = {
    "three digits": ("001_x.up.sql", "migrations.file"),
    "no direction": ("0001_x.sql", "migrations.file"),
    "upper case": ("0001_X.up.sql", "migrations.file"),
    "version 0": ("0000_x.up.sql", "migrations.file"),
    "a backup": ("0001_x.up.sql~", "migrations.file"),
    "something else": ("notes.txt", "migrations.file"),
    "the same number again": ("0001_zzz.up.sql", "migrations.clash"),
    "the down script of another name": ("0001_zzz.down.sql", "migrations.clash"),
    "a number too far": ("0003_later.up.sql", "migrations.gap"),
    "only a down script": ("0002_alone.down.sql", "migrations.pair"),
    "only an up script": ("0002_alone.up.sql", "migrations.pair"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    """Beside a version that is right."""
    file, rule = NAMES[name]
    problems = wrong_with(folder("postgresql", {**pair("CREATE TABLE orders (id int)"), file: "SELECT 1"}))
    assert rule in {problem.rule for problem in problems}


def test_irreversible_and_a_down_script_contradict_each_other() -> None:
    """One of the two is a mistake."""
    text = "-- adx: irreversible=the rows are gone for good\nDELETE FROM a"
    (problem,) = wrong_with(folder("postgresql", pair(text)))
    assert problem.rule == "migrations.pair"


def test_a_declared_irreversible_script_needs_no_down_script() -> None:
    """The reason is kept for who rolls back."""
    found = scripts_of("postgresql", ("DELETE FROM a", None))
    assert found.migrations[0].down_script is None
    assert found.migrations[0].up.header.irreversible == "nothing can bring it back"


def with_changed(files: Files, name: str, data: bytes) -> Files:
    """``files`` with one changed and the adx.sum as it was."""
    return {**files, name: data}


def test_a_changed_script_is_named_with_both_checksums() -> None:
    """adx.sum says what it was."""
    files = folder("postgresql", pair("CREATE TABLE orders (id int)"))
    (problem,) = wrong_with(with_changed(files, UP, b"CREATE TABLE orders (id bigint)"))
    assert (problem.file, problem.line) == ("infra/databases/shop/adx.sum", 2)
    assert UP in problem.what
    assert problem.what.count("sha256:") == 2


def test_a_script_that_is_not_in_the_sum_is_named() -> None:
    """It was added by hand."""
    files = folder("postgresql", pair("CREATE TABLE orders (id int)"))
    added = with_changed(with_changed(files, "0002_b.up.sql", b"SELECT 1"), "0002_b.down.sql", b"SELECT 1")
    assert {problem.what for problem in wrong_with(added)} == {
        "0002_b.up.sql is not in adx.sum",
        "0002_b.down.sql is not in adx.sum",
    }


def test_a_script_that_is_gone_is_named() -> None:
    """The sum still knows it."""
    files = folder("postgresql", pair("CREATE TABLE orders (id int)"))
    del files[DOWN]
    assert any("there is no such script" in problem.what for problem in wrong_with(files))


def test_branches_that_were_merged_line_by_line_are_found() -> None:
    """A merge driver that takes both lines makes a chain that does not hold."""
    ours = folder("postgresql", {**pair("SELECT 1"), "0002_ours.up.sql": "SELECT 2", "0002_ours.down.sql": "SELECT 2"})
    names = {**pair("SELECT 1"), "0002_x.up.sql": "SELECT 3", "0002_x.down.sql": "SELECT 3"}
    theirs = folder("postgresql", names)
    both = ours["adx.sum"] + b"".join(theirs["adx.sum"].splitlines(keepends=True)[3:])
    problems = wrong_with({**theirs, **ours, "adx.sum": both})
    assert any("two branches were merged" in problem.what for problem in problems)


@pytest.mark.parametrize("data", [b"", b"adx.sum/1 oracle\n", b"adx.sum/2 postgresql\n", b"\xff\xfe"])
def test_a_sum_that_names_no_engine_is_refused(data: bytes) -> None:
    """Nothing can be read without it."""
    (problem,) = wrong_with({**folder("postgresql", pair("SELECT 1")), "adx.sum": data})
    assert problem.rule == "migrations.sum"


def test_conflict_marks_are_told_as_such() -> None:
    """Git left them there."""
    files = folder("postgresql", pair("SELECT 1"))
    problems = wrong_with({**files, "adx.sum": files["adx.sum"] + b"<<<<<<< HEAD\n"})
    assert any("merge conflict" in problem.what for problem in problems)


def test_notes_for_people_are_left_alone_and_other_places_are_not() -> None:
    """A README is no script; a file beside the folders is in the wrong place."""
    databases, problems = databases_of(
        {
            "infra/databases/README.md": b"x",
            "infra/databases/shop/README.md": b"x",
            "infra/databases/0001_x.up.sql": b"SELECT 1",
            "infra/databases/Shop/adx.sum": b"adx.sum/1 mysql\n",
            **{f"infra/databases/shop/{name}": data for name, data in folder("mysql", pair("SELECT 1")).items()},
        }
    )
    assert list(databases) == ["shop"]
    assert [problem.file for problem in problems] == ["infra/databases/0001_x.up.sql", "infra/databases/Shop/adx.sum"]


def test_a_set_survives_being_written_down() -> None:
    """It is data that histories may hold."""
    scripts = scripts_of("postgresql", ("CREATE TABLE a (id int)", "DROP TABLE a"))
    assert msgspec.json.decode(msgspec.json.encode(scripts), type=type(scripts)) == scripts
