"""Up, down and up again on a scratch database of a real server; and what the catalog sees."""

from __future__ import annotations

import uuid

import pytest

from policies.migrations.catalog import compare, is_same, lines
from policies.migrations.spec import Engine
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.migrations import proof as proofs
from workflows.migrations.proof import prove_migrations

TABLE = "CREATE TABLE orders (id integer PRIMARY KEY, note varchar(20))"


async def verdicts(address: DatabaseAddress, *pairs: tuple[str, str | None], applied: int = 0) -> list[str]:
    """What the proof says of each."""
    proof = await prove_migrations(address, scripts_of(address.engine, *pairs), applied)
    assert proof.is_proved == all(one.verdict in ("proved", "irreversible") for one in proof.migrations)
    return [one.verdict for one in proof.migrations]


async def test_what_can_be_taken_back_is_proved(address: DatabaseAddress) -> None:
    """And what is declared irreversible is only applied."""
    pairs = [(TABLE, "DROP TABLE orders"), ("ALTER TABLE orders ADD COLUMN a int", "ALTER TABLE orders DROP COLUMN a")]
    assert await verdicts(address, *pairs, ("DELETE FROM orders", None)) == ["proved", "proved", "irreversible"]
    assert await verdicts(address, *pairs, applied=1) == ["proved"]


async def test_a_down_script_that_leaves_something_is_shown_with_what_it_leaves(address: DatabaseAddress) -> None:
    """An index that it forgot."""
    first = (TABLE, "DROP TABLE orders")
    second = ("CREATE INDEX notes ON orders (note)", "SELECT 1")
    proof = await prove_migrations(address, scripts_of(address.engine, first, second))
    assert [one.verdict for one in proof.migrations] == ["proved", "not-undone"]
    text = "\n".join(lines(proof.migrations[1].differences))
    assert "table orders" in text
    assert "+ index notes" in text


@pytest.mark.parametrize(
    ("pair", "verdict"),
    [
        (("CREATE TABLE a (id int REFERENCES nowhere (id))", "DROP TABLE a"), "up-failed"),
        (("CREATE TABLE a (id int)", "DROP TABLE b"), "down-failed"),
    ],
)
async def test_what_fails_is_told_with_its_error(
    postgres_address: DatabaseAddress, pair: tuple[str, str], verdict: str
) -> None:
    """At the direction in which it failed."""
    proof = await prove_migrations(postgres_address, scripts_of("postgresql", pair))
    assert [one.verdict for one in proof.migrations] == [verdict]
    assert "step_1" in proof.migrations[0].error


async def test_nothing_is_left_of_the_scratch_database(
    address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the proof holds or not."""
    # Of this test alone: others prove on the same servers at the same time.
    prefix = f"{proofs.SCRATCH_PREFIX}{uuid.uuid4().hex[:12]}_"
    monkeypatch.setattr(proofs, "SCRATCH_PREFIX", prefix)
    await verdicts(address, ("CREATE TABLE a (id int", "SELECT 1"))
    names = {
        "postgresql": "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)",
        "mysql": "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE concat(%s, '%%')",
    }
    async with open_database(address) as database:
        assert await database.execute_query(names[address.engine], (prefix,)) == [(0,)]


CHANGES: dict[Engine, dict[str, tuple[str, str]]] = {
    "postgresql": {
        "a type": ("ALTER TABLE t ALTER COLUMN n TYPE varchar(30)", "column n"),
        "a default": ("ALTER TABLE t ALTER COLUMN n SET DEFAULT 'x'", "column n"),
        "not null": ("ALTER TABLE t ALTER COLUMN n SET NOT NULL", "column n"),
        "a constraint": ("ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID", "constraint c"),
        "an index": ("CREATE INDEX i ON t (n) WHERE id > 5", "index i"),
        "a trigger": ("CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()", "trigger g"),
        "a policy": ("CREATE POLICY p ON t USING (id = 1)", "policy p"),
        "row security": ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "row security"),
        "a grant": ("GRANT SELECT ON t TO PUBLIC", "grant public"),
        "a comment": ("COMMENT ON COLUMN t.n IS 'x'", "comment on n"),
        "a view": ("CREATE OR REPLACE VIEW v AS SELECT id + 1 AS id FROM t", "definition"),
        "a function": (
            "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "definition",
        ),
        "a sequence": ("ALTER SEQUENCE s INCREMENT BY 5", "definition"),
        "an enum": ("ALTER TYPE e ADD VALUE 'z'", "labels"),
        "a domain": ("ALTER DOMAIN d SET NOT NULL", "definition"),
        "a composite type": ("ALTER TYPE c ADD ATTRIBUTE b text", "column b"),
        "an option": ("ALTER TABLE t SET (fillfactor = 50)", "kind"),
    },
    "mysql": {
        "a type": ("ALTER TABLE t MODIFY n varchar(30)", "column n"),
        "a default": ("ALTER TABLE t ALTER COLUMN n SET DEFAULT 'x'", "column n"),
        "a constraint": ("ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)", "constraint c"),
        "an index": ("CREATE INDEX i ON t (n)", "index i"),
        "a unique index": ("CREATE UNIQUE INDEX i ON t (n)", "index i"),
        "a trigger": ("CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SET NEW.n = 'x'", "trigger g"),
        "a view": ("CREATE OR REPLACE VIEW v AS SELECT id + 1 AS id FROM t", "definition"),
        "a procedure": ("CREATE OR REPLACE PROCEDURE f() SELECT 2", "definition"),
        "an option": ("ALTER TABLE t COMMENT = 'x'", "options"),
        "a primary key": ("ALTER TABLE t DROP PRIMARY KEY", "primary key"),
    },
}
SETUP: dict[Engine, tuple[str, ...]] = {
    "postgresql": (
        "CREATE TABLE t (id integer PRIMARY KEY, n varchar(20))",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE SEQUENCE s",
        "CREATE TYPE e AS ENUM ('a')",
        "CREATE DOMAIN d AS text",
        "CREATE TYPE c AS (a integer)",
    ),
    "mysql": (
        "CREATE TABLE t (id integer PRIMARY KEY, n varchar(20) COMMENT 'a, (b', amount decimal(10, 2))",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE PROCEDURE f() SELECT 1",
    ),
}


@pytest.mark.parametrize("change", sorted({*CHANGES["postgresql"], *CHANGES["mysql"]}))
async def test_the_catalog_sees_a_change(address: DatabaseAddress, change: str) -> None:
    """Of everything that a script may change; the same schema read twice differs in nothing."""
    statement, attribute = CHANGES[address.engine].get(change, ("", ""))
    if not statement:
        return
    async with open_database(address) as database:
        for one in SETUP[address.engine]:
            await database.execute_query(one)
        before = await database.catalog()
        assert compare(before, await database.catalog()) == ()
        await database.execute_query(statement)
        found = compare(before, await database.catalog())
    assert [one.attribute for one in found] == [attribute]
    assert not is_same(found)


async def test_two_schemas_with_the_same_in_them_are_equal(postgres_address: DatabaseAddress) -> None:
    """Whatever they are called."""
    found = []
    for schema in ("one", "an Other"):
        async with open_database(postgres_address) as database:
            await database.execute_query(f'CREATE SCHEMA "{schema}"')
        async with open_database(postgres_address.at(schema=schema)) as database:
            for statement in SETUP["postgresql"]:
                await database.execute_query(statement)
            await database.execute_query("ALTER TABLE t ADD COLUMN x integer DEFAULT nextval('s')")
            await database.execute_query("CREATE INDEX i ON t (n)")
            found.append(await database.catalog())
    assert len(found[0].objects) == 7
    assert compare(*found) == ()


async def test_what_was_moved_is_where_it_is_now(postgres_address: DatabaseAddress) -> None:
    """As if it had been made there; and what an extension brought is nobody's."""
    things = ("TABLE t", "VIEW v", "FUNCTION f", "SEQUENCE s", "TYPE e", "TYPE c", "DOMAIN d")
    async with open_database(postgres_address) as made, open_database(postgres_address.at(schema="moved")) as moved:
        for statement in SETUP["postgresql"]:
            await made.execute_query(statement)
        before = await made.catalog()
        await made.execute_query("CREATE SCHEMA moved")
        await moved.execute_query("CREATE EXTENSION pg_trgm SCHEMA moved")
        assert (await moved.catalog()).objects == {}
        for thing in things:
            await made.execute_query(f"ALTER {thing} SET SCHEMA moved")
        assert (await made.catalog()).objects == {}
        assert compare(before, await moved.catalog()) == ()


async def test_a_column_that_stands_elsewhere_is_told_and_forgiven(postgres_address: DatabaseAddress) -> None:
    """PostgreSQL adds columns at the end; no down script can bring one back to its place."""
    pairs = [
        ("CREATE TABLE a (x int, y int)", "DROP TABLE a"),
        ("ALTER TABLE a DROP COLUMN x", "ALTER TABLE a ADD COLUMN x int"),
    ]
    proof = await prove_migrations(postgres_address, scripts_of("postgresql", *pairs))
    assert [one.verdict for one in proof.migrations] == ["proved", "proved"]
    assert [one.attribute for one in proof.migrations[1].differences] == ["order of columns"]
