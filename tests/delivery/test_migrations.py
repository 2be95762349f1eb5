"""Migrations in rollouts, on real parts: before the services that need them, back with them, and never with rows."""

from __future__ import annotations

import asyncio
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.delivery.delivery import Delivery, opened
from tests.migrations.scripts import folder
from tests.support.local_stack import LocalStack
from workflows.ledger import history
from workflows.ledger import migrations_targets as rows
from workflows.rollout.models import Decision

PASSWORD = "canary-0b9e-database-password"
SCRIPTS: tuple[tuple[str, str], ...] = (
    ("CREATE TABLE orders (id bigint PRIMARY KEY, total text)", "DROP TABLE orders"),
    ("-- adx: compatible=1\nALTER TABLE orders ADD COLUMN units bigint", "ALTER TABLE orders DROP COLUMN units"),
    (
        "-- adx: phase=contract\n-- adx: requires=2\nALTER TABLE orders DROP COLUMN total",
        "ALTER TABLE orders ADD COLUMN total text",
    ),
    ("SELECT pg_sleep(120)", "SELECT 1"),
    ("ALTER TABLE orders ADD COLUMN units text", "SELECT 1"),
)


@pytest.fixture
async def delivery(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[Delivery]:
    """A delivery whose workers know a database server, as a role of its own with a password."""
    name = f"d{uuid.uuid4().hex[:10]}"
    server = urlsplit(local_stack.postgres_url)
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as admin:
        role = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
        admin.execute(role.format(sql.Identifier(name), sql.Literal(PASSWORD)))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(name)))
    url = f"postgresql://{name}:{PASSWORD}@{server.hostname}:{server.port}/{name}"
    settings = local_stack.environment | {"ADX_LEDGER_URL": ledger_url, "ADX_DATABASE_MAIN_URL": url}
    async with opened(settings, tmp_path, uuid.uuid4().hex[:8]) as own:
        yield own
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as admin:
        for database in _databases(own):
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


class TestRollouts:
    """From a merge to every tenant's schema."""

    async def test_a_merge_brings_schemas_before_and_contracts_after_its_services(self, delivery: Delivery) -> None:
        """New tenants' databases are made; old columns go once no service needs them."""
        _declare(delivery, 1, written_for=1)
        delivery.start_worker()
        delivery.shop.merge("first")
        status = await delivery.deliver()
        assert (status.outcome, [step.name for step in status.steps][3:5]) == ("delivered", ["migrate", "apply"])
        assert _columns(delivery) == {"acme": ["id", "total"], "globex": ["id", "total"]}

        _declare(delivery, 3, written_for=2)
        delivery.shop.merge("the column goes")
        status = await delivery.deliver()
        steps = {step.name: step.message for step in status.steps}
        assert status.outcome == "delivered"
        assert list(steps).index("migrate") < list(steps).index("apply") < list(steps).index("contract")
        assert steps["migrate"].startswith("shop 1 → 2 in 2 databases: 2 delivered")
        assert steps["contract"].startswith("shop 2 → 3 in 2 databases: 2 delivered")
        assert _columns(delivery) == {"acme": ["id", "units"], "globex": ["id", "units"]}
        shown = await history.show(delivery.ledger, status.rollout_id)
        assert any(step.name.startswith("migrate-") and step.unit == "database/main" for step in shown.steps)
        self._check_no_password(delivery)

    async def test_a_contract_that_a_service_does_not_survive_is_refused(self, delivery: Delivery) -> None:
        """Before anything is touched, with the script and the service."""
        _declare(delivery, 2, written_for=1)
        delivery.start_worker()
        delivery.shop.merge("first")
        assert (await delivery.deliver()).outcome == "delivered"
        _declare(delivery, 3, written_for=1)
        delivery.shop.merge("too early")
        status = await delivery.deliver()
        assert (status.outcome, status.failed_step) == ("refused", "validate")
        assert "0003_step_3.up.sql is for services written for version 2" in status.failure
        assert "frontend is written for 1" in status.failure

    async def test_a_service_that_never_becomes_ready_takes_its_schema_back(self, delivery: Delivery) -> None:
        """The cluster and the schemas are what they were."""
        await self._first(delivery)
        before = await delivery.live()
        _declare(delivery, 2, written_for=2)
        delivery.shop.services["frontend"]["version"] = "v2.0.0-broken"
        delivery.shop.merge("bad")
        status = await delivery.deliver()
        assert (status.outcome, status.failed_step) == ("restored", "deploy")
        assert _columns(delivery) == {"acme": ["id", "total"], "globex": ["id", "total"]}
        assert await delivery.live() == before
        known = await rows.targets_of(delivery.ledger, delivery.environment)
        assert {(one.version, one.status) for one in known} == {(1, "restored")}

    async def test_a_schema_that_was_written_to_stays_and_the_outcome_says_so(self, delivery: Delivery) -> None:
        """Everything else is restored; nobody's row is lost."""
        await self._first(delivery)
        _declare(delivery, 2, written_for=2)
        written = delivery.folder / "written"
        delivery.shop.rules["post_deployment_tests"] = [_fails_once_there_is(written)]
        delivery.shop.merge("bad")
        await delivery.submit()
        await delivery.until(lambda live: _is_running(live.rollout, "test"))
        _execute(delivery, "acme", "INSERT INTO orders VALUES (1, '1 EUR', 100)")
        written.touch()
        status = await delivery.settled()
        assert (status.outcome, status.failed_step) == ("restored", "test")
        assert "1 kept" in status.failure
        assert "orders.units" in status.failure
        assert _columns(delivery) == {"acme": ["id", "total", "units"], "globex": ["id", "total"]}

    async def test_one_tenants_database_fails_and_nothing_of_the_merge_stays(self, delivery: Delivery) -> None:
        """No service was touched; the other tenant's schema is back."""
        await self._first(delivery)
        before = await delivery.live()
        _execute(delivery, "globex", "ALTER TABLE orders ADD COLUMN units text")
        _declare(delivery, 2, written_for=2)
        delivery.shop.services["frontend"]["version"] = "v1.3.0"
        delivery.shop.merge("bad for one")
        status = await delivery.deliver()
        assert (status.outcome, status.failed_step) == ("restored", "migrate")
        assert "globex" in status.failure
        assert "already exists" in status.failure
        assert await delivery.live() == before
        assert _columns(delivery) == {"acme": ["id", "total"], "globex": ["id", "total", "units"]}

    async def test_a_cancelled_rollout_cancels_its_statement(self, delivery: Delivery) -> None:
        """On the server; what was under way is as it was."""
        await self._first(delivery)
        _write_scripts(delivery, (*SCRIPTS[:1], SCRIPTS[3]))
        _declare(delivery, 2, written_for=1)
        delivery.shop.merge("slow")
        await delivery.submit()
        while not _sleeping(delivery):
            await asyncio.sleep(0.1)
        await delivery.workflows.cancel(delivery.environment, Decision("ada"))
        status = await delivery.settled()
        assert status.outcome == "cancelled"
        assert not _sleeping(delivery)
        assert _columns(delivery) == {"acme": ["id", "total"], "globex": ["id", "total"]}

    async def test_a_rollback_takes_back_what_it_brought(self, delivery: Delivery) -> None:
        """The older commit does not even have the scripts."""
        first = await self._first(delivery, SCRIPTS[:1])
        _write_scripts(delivery, SCRIPTS[:2])
        _declare(delivery, 2, written_for=2)
        delivery.shop.merge("second")
        assert (await delivery.deliver()).outcome == "delivered"
        await delivery.workflows.rollback(delivery.environment, first, "ada")
        status = await delivery.settled()
        assert (status.kind, status.outcome) == ("rollback", "delivered")
        assert _columns(delivery) == {"acme": ["id", "total"], "globex": ["id", "total"]}

    async def test_a_worker_that_is_killed_in_the_middle_is_replaced(self, delivery: Delivery) -> None:
        """Its statement ends with it; the next worker finishes the rollout."""
        await self._first(delivery)
        slow = ("SELECT pg_sleep(6); ALTER TABLE orders ADD COLUMN units bigint", SCRIPTS[1][1])
        _write_scripts(delivery, (SCRIPTS[0], slow))
        _declare(delivery, 2, written_for=2)
        delivery.shop.merge("second")
        await delivery.submit()
        while not _sleeping(delivery):
            await asyncio.sleep(0.1)
        delivery.workers[-1].kill()
        delivery.start_worker()
        status = await delivery.settled()
        assert status.outcome == "delivered"
        assert _columns(delivery) == {"acme": ["id", "total", "units"], "globex": ["id", "total", "units"]}

    async def test_without_a_server_the_rollout_says_that_nobody_applies_it(self, delivery: Delivery) -> None:
        """Delivered as before, and not in silence."""
        _declare(delivery, 1, written_for=None, server=None)
        delivery.start_worker()
        delivery.shop.merge("first")
        status = await delivery.deliver()
        assert status.outcome == "delivered"
        assert "migrations.yaml names no server: shop 1" in status.summary

    async def test_a_server_without_an_address_is_refused(self, delivery: Delivery) -> None:
        """With the name of the setting."""
        _declare(delivery, 1, written_for=1, server="elsewhere")
        delivery.start_worker()
        delivery.shop.merge("first")
        status = await delivery.deliver()
        assert status.outcome == "refused"
        assert "the database server elsewhere has no address" in status.failure

    @staticmethod
    async def _first(delivery: Delivery, scripts: tuple[tuple[str, str], ...] = SCRIPTS) -> str:
        """Version 1 everywhere; the commit."""
        _write_scripts(delivery, scripts)
        _declare(delivery, 1, written_for=1)
        delivery.start_worker()
        commit = delivery.shop.merge("first")
        assert (await delivery.deliver()).outcome == "delivered"
        return commit

    @staticmethod
    def _check_no_password(delivery: Delivery) -> None:
        kept = [path for path in delivery.folder.rglob("*") if path.is_file() and "home" not in path.parts]
        assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
        with psycopg.connect(delivery.environ["ADX_LEDGER_URL"].replace("+psycopg", "")) as ledger:
            for table in ("database_runs", "database_targets", "steps", "idempotent_results", "rollouts"):
                query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE %s").format(sql.Identifier(table))
                assert ledger.execute(query, (f"%{PASSWORD}%",)).fetchone() == (0,)


def _declare(delivery: Delivery, version: int, *, written_for: int | None, server: str | None = "main") -> None:
    """The version of shop; acme in a schema of a shared database, globex in a database of its own."""
    documents, environment = delivery.shop.documents, delivery.environment
    if not (delivery.shop.work / "infra/databases/shop").is_dir():
        _write_scripts(delivery, SCRIPTS)
    database = {"name": "shop", "engine": "postgresql", "version": version} | ({"server": server} if server else {})
    documents[f"environments/{environment}/migrations.yaml"] = {
        "apiVersion": "adx/v1",
        "kind": "Migrations",
        "environment": environment,
        "databases": [database],
    }
    shared, own = _databases(delivery)
    documents["tenants/acme.yaml"]["database"] = {"engine": "postgresql", "name": shared, "schema": "acme"}
    documents["tenants/globex.yaml"]["database"] = {"engine": "postgresql", "name": own}
    if written_for is not None:
        delivery.shop.services["frontend"]["schema_versions"] = {"shop": written_for}


def _write_scripts(delivery: Delivery, scripts: tuple[tuple[str, str], ...]) -> None:
    files: dict[str, str] = {}
    for number, (up, down) in enumerate(scripts, start=1):
        files |= {f"{number:04d}_step_{number}.up.sql": up, f"{number:04d}_step_{number}.down.sql": down}
    shutil.rmtree(delivery.shop.work / "infra/databases/shop", ignore_errors=True)
    for name, data in folder("postgresql", files).items():  # type: ignore[arg-type] # text is one of the two
        delivery.shop.write(f"infra/databases/shop/{name}", data.decode())


def _databases(delivery: Delivery) -> tuple[str, str]:
    return f"{delivery.environment}_shared", f"{delivery.environment}_globex"


def _place(delivery: Delivery, tenant: str) -> tuple[str, str]:
    """URL and schema."""
    shared, own = _databases(delivery)
    base = delivery.environ["ADX_DATABASE_MAIN_URL"].rpartition("/")[0]
    return (f"{base}/{shared}", "acme") if tenant == "acme" else (f"{base}/{own}", "public")


def _execute(delivery: Delivery, tenant: str, statement: str) -> None:
    url, schema = _place(delivery, tenant)
    with psycopg.connect(url, autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute(statement)  # type: ignore[arg-type] # of the test itself


def _columns(delivery: Delivery) -> dict[str, list[str]]:
    """Columns of ``orders`` by tenant, by name."""
    found = {}
    for tenant in ("acme", "globex"):
        url, schema = _place(delivery, tenant)
        with psycopg.connect(url) as connection:
            query = (
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = 'orders' ORDER BY 1"
            )
            found[tenant] = [str(row[0]) for row in connection.execute(query, (schema,)).fetchall()]
    return found


def _sleeping(delivery: Delivery) -> bool:
    """Whether a slow statement of a worker runs on the server."""
    with psycopg.connect(delivery.environ["ADX_DATABASE_MAIN_URL"]) as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = current_user"
            " AND query LIKE 'SELECT pg_sleep%'"
        )
        return connection.execute(query).fetchone() != (0,)


def _fails_once_there_is(file: Path) -> dict[str, object]:
    """A post-deployment test that waits: what is to happen before the restore has its time."""
    program = file.with_suffix(".py")
    program.write_text(
        f"import os, sys, time\nwhile not os.path.exists({str(file)!r}):\n    time.sleep(0.05)\nsys.exit(1)\n"
    )
    return {"name": "waits", "command": {"arguments": [sys.executable, str(program)], "timeout_seconds": 250}}


def _is_running(rollout: object, step: str) -> bool:
    steps = getattr(rollout, "steps", [])
    return any(one.name == step and one.status == "running" for one in steps)
