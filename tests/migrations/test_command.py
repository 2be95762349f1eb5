"""`adx migrate` as a person runs it: in a process of its own, over files and real servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.migrations.test_sum_in_git import git
from workflows.clients.databases import DatabaseAddress, open_database

SOURCE = Path(__file__).parents[2]
BASE = SOURCE / "tests" / "support" / "base_declarations"
ENVIRONMENT = "development"
# The same command as in the application, whether it is already among its commands or not.
PROGRAM = """
import sys
from typer.main import get_command
from pipelines.cli.app import build
from pipelines.cli.migrate import migrate
app = build()
if not any(group.name == "migrate" for group in app.registered_groups):
    app.add_typer(migrate)
get_command(app).main(args=sys.argv[1:], prog_name="adx")
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shop:
    """A repository with declarations, in which `adx migrate` is run."""

    folder: Path

    def adx(self, *arguments: str, **variables: str) -> Ran:
        """Run `adx migrate`; nothing of the developer's own settings reaches it."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environ = {**kept, "PYTHONPATH": str(SOURCE), "ADX_HOME": str(self.folder / ".adx"), **variables}
        command = [sys.executable, "-c", PROGRAM, "migrate", *arguments]
        done = subprocess.run(
            command, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def script(self, name: str, text: str) -> None:
        """Write one script of the database shop."""
        (self.folder / "infra/databases/shop" / name).write_text(text)

    def declare(self, version: int, engine: str = "postgresql") -> None:
        """The version of the one database."""
        text = (
            f"apiVersion: adx/v1\nkind: Migrations\nenvironment: {ENVIRONMENT}\ndatabases:\n"
            f"  - name: shop\n    engine: {engine}\n    version: {version}\n"
        )
        (self.folder / f"environments/{ENVIRONMENT}/migrations.yaml").write_text(text)

    def commit(self) -> None:
        """Everything as it is."""
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "--quiet", "-m", "test")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """The base declarations, committed."""
    folder = tmp_path / "shop"
    shutil.copytree(BASE, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    made = Shop(folder)
    made.commit()
    return made


@pytest.fixture
def orders(shop: Shop) -> Shop:
    """One version that makes a table, declared and committed."""
    shop.adx("new", "shop", "create_orders", "--engine", "postgresql")
    shop.script("0001_create_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n")
    shop.script("0001_create_orders.down.sql", "DROP TABLE orders;\n")
    shop.adx("sum", "shop")
    shop.declare(1)
    shop.commit()
    return shop


def test_new_writes_two_scripts_and_the_sum(shop: Shop) -> None:
    """With the next free number; the scripts are empty and say so until they are written."""
    ran = shop.adx("new", "shop", "create_orders", "--engine", "postgresql")
    assert (ran.code, ran.out.split()) == (
        0,
        [
            "infra/databases/shop/0001_create_orders.up.sql",
            "infra/databases/shop/0001_create_orders.down.sql",
            "infra/databases/shop/adx.sum",
        ],
    )
    assert "adx migrate sum shop" in ran.err
    assert "phase=expand" in (shop.folder / "infra/databases/shop/0001_create_orders.up.sql").read_text()
    second = shop.adx("new", "shop", "drop_it", "--phase", "contract")
    assert "0002_drop_it.up.sql" in second.out
    plan = shop.adx("plan")
    assert (plan.code, plan.err.count("the script is empty")) == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("new", "shop", "create_orders"), 2, "names no engine"),
        (("new", "shop", "Create Orders", "--engine", "mysql"), 2, "no description"),
        (("new", "../shop", "x", "--engine", "mysql"), 6, "no name of a database"),
        (("sum", "shop"), 2, "names no engine"),
        (("verify", "shop"), 6, "there are no scripts"),
        (("plan", "nowhere"), 6, "no environment nowhere"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    shop: Shop, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Without a traceback."""
    ran = shop.adx(*arguments)
    assert ran.code == code
    assert said in ran.err
    assert "→" in ran.err
    assert "Traceback" not in ran.err


def test_new_does_not_write_a_sum_over_a_script_that_was_changed(orders: Shop) -> None:
    """Somebody has to look first."""
    orders.script("0001_create_orders.up.sql", "CREATE TABLE orders (id int);\n")
    ran = orders.adx("new", "shop", "more")
    assert ran.code == 2
    assert "0001_create_orders.up.sql was changed" in ran.err
    assert "adx migrate sum shop" in ran.err


def test_plan_shows_what_is_added_and_blocks_what_is_unsafe(orders: Shop) -> None:
    """In 80 columns, with lock, size and the safe way; exit status 1."""
    orders.adx("new", "shop", "index_notes")
    orders.script("0002_index_notes.up.sql", "CREATE INDEX notes ON orders (note);\n")
    orders.script("0002_index_notes.down.sql", "DROP INDEX notes;\n")
    orders.adx("sum", "shop")
    orders.declare(2)
    ran = orders.adx("plan")
    assert ran.code == 1, ran.err
    for text in (
        "version 1 → 2",
        "0002_index_notes",
        "✗ blocks",
        "takes SHARE, blocks writes",
        "CREATE INDEX CONCURRENTLY",
    ):
        assert text in ran.out
    assert "0001" not in ran.out
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []
    (answer,) = json.loads(orders.adx("plan", "--json").out)
    assert [finding["check"] for finding in answer["findings"]] == ["pg.require-concurrent-index-creation"]


def test_a_waiver_counts_once_it_is_in_the_base(orders: Shop) -> None:
    """A change cannot excuse itself."""
    orders.adx("new", "shop", "index_notes")
    orders.script("0002_index_notes.up.sql", "CREATE INDEX notes ON orders (note);\n")
    orders.script("0002_index_notes.down.sql", "DROP INDEX notes;\n")
    orders.adx("sum", "shop")
    orders.declare(2)
    (orders.folder / "policies/migrations").mkdir(parents=True)
    from datetime import UTC, datetime, timedelta

    expires = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    (orders.folder / "policies/migrations/waivers.yaml").write_text(
        "apiVersion: adx/v1\nkind: MigrationWaivers\nwaivers:\n"
        "  - check: pg.require-concurrent-index-creation\n    script: infra/databases/shop/0002*\n"
        f'    owner: team-shop\n    reason: Nobody writes yet.\n    expires: "{expires}"\n'
    )
    assert orders.adx("plan").code == 1
    git(orders.folder, "add", "policies")
    git(orders.folder, "commit", "--quiet", "-m", "waive")
    ran = orders.adx("plan")
    assert ran.code == 0, ran.err
    assert "· waived" in ran.out
    assert f"waiver holds until {expires}, team-shop: Nobody writes yet." in ran.out


def test_plan_refuses_a_script_that_the_base_has_otherwise(orders: Shop) -> None:
    """Even when the sum was written anew."""
    orders.script("0001_create_orders.up.sql", "CREATE TABLE orders (id int);\n")
    orders.adx("sum", "shop")
    ran = orders.adx("plan")
    assert ran.code == 3
    assert "was changed after it was applied" in ran.err


def test_plan_without_a_declared_database_says_so(shop: Shop) -> None:
    """Nothing is pending anywhere."""
    ran = shop.adx("plan")
    assert (ran.code, "No environment declares a database" in ran.out) == (0, True)


async def test_plan_asks_a_database_what_is_applied_and_how_large_it_is(
    orders: Shop, postgres_address: DatabaseAddress
) -> None:
    """Rows of the table at stake; the password is nowhere."""
    from policies.folder_tree import FolderTree
    from policies.loader import load

    scripts = load(FolderTree(orders.folder)).databases["shop"]
    async with open_database(postgres_address) as database:
        await database.apply_migration(scripts.migrations[0])
        await database.execute_query("INSERT INTO orders SELECT n FROM generate_series(1, 12345) n")
        await database.execute_query("ANALYZE orders")
    orders.adx("new", "shop", "index_notes")
    orders.script("0002_index_notes.up.sql", "CREATE INDEX notes ON orders (note);\n")
    orders.script("0002_index_notes.down.sql", "DROP INDEX notes;\n")
    orders.adx("sum", "shop")
    orders.declare(2)
    ran = orders.adx("plan", ADX_MIGRATE_URL=url_of(postgres_address))
    assert ran.code == 1, ran.err
    assert "at stake: orders (about 12,345 rows" in ran.out
    assert "takes about" in ran.out
    assert postgres_address.password not in ran.out + ran.err


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_verify_proves_and_finds_what_is_not_undone(shop: Shop, request: pytest.FixtureRequest, engine: str) -> None:
    """On a scratch database of a server of that engine."""
    fixture = "postgres_address" if engine == "postgresql" else "mysql_address"
    address: DatabaseAddress = request.getfixturevalue(fixture)
    shop.adx("new", "shop", "create_orders", "--engine", engine)
    shop.script("0001_create_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(20));\n")
    shop.script("0001_create_orders.down.sql", "DROP TABLE orders;\n")
    shop.adx("new", "shop", "index_notes")
    shop.script("0001_create_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(20));\n")
    shop.adx("sum", "shop")
    shop.adx("new", "shop", "index_notes")
    shop.script("0002_index_notes.up.sql", "CREATE INDEX notes ON orders (note);\n")
    shop.script("0002_index_notes.down.sql", "SELECT 1;\n")
    shop.adx("sum", "shop")
    ran = shop.adx("verify", "shop", ADX_MIGRATE_SCRATCH_URL=url_of(address))
    assert ran.code == 1, ran.err
    assert "✓ 0001_create_orders  up, down and up again" in ran.out
    assert "✗ 0002_index_notes  the down script does not undo it" in ran.out
    assert "+ index notes" in ran.out
    down = {"postgresql": "DROP INDEX notes;\n", "mysql": "DROP INDEX notes ON orders;\n"}[engine]
    shop.script("0002_index_notes.down.sql", down)
    shop.adx("sum", "shop")
    ran = shop.adx("verify", "shop", "--json", ADX_MIGRATE_SCRATCH_URL=url_of(address))
    assert (ran.code, json.loads(ran.out)["proved"]) == (0, True)


def url_of(address: DatabaseAddress) -> str:
    """The address with its password."""
    return f"{address.engine}://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"


@pytest.mark.parametrize("command", ["", "new", "sum", "plan", "verify"])
def test_help_has_examples_in_eighty_columns(shop: Shop, command: str) -> None:
    """A person who asks finds how it is called."""
    ran = shop.adx(*([command] if command else []), "--help", COLUMNS="80")
    assert ran.code == 0
    assert command == "" or f"adx migrate {command}" in ran.out
