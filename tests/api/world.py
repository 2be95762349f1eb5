"""An environment that was delivered, with its databases and a worker, on the real servers; no cluster is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
from psycopg import sql
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from pipelines.api.app import application
from pipelines.api.limits import RateLimit
from pipelines.api.temporal import TemporalStarter
from pipelines.api.tokens import anybody
from pipelines.settings import Settings, load
from policies.git_mirror import Mirror
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from tests.delivery.shop import Shop
from tests.migrations.scripts import folder as scripts_folder
from tests.support.local_stack import LocalStack
from workflows.bodies import Bodies
from workflows.clients.git import Repository
from workflows.connection import connect
from workflows.heartbeats import Heartbeats
from workflows.ledger import Ledger, environments, fencing
from workflows.migrations.registration import MIGRATION_WORKFLOWS, migration_activities
from workflows.retry import RetryByClass
from workflows.runtime import Runtime
from workflows.sandbox import sandboxed_runner
from workflows.snapshots import open_store

# Version 4 fails on its second statement.
SCRIPTS = {
    "0001_create_orders.up.sql": "CREATE TABLE orders (id integer PRIMARY KEY)",
    "0001_create_orders.down.sql": "DROP TABLE orders",
    "0002_add_note.up.sql": "ALTER TABLE orders ADD COLUMN note text",
    "0002_add_note.down.sql": "ALTER TABLE orders DROP COLUMN note",
    "0003_add_items.up.sql": "CREATE TABLE items (id integer PRIMARY KEY)",
    "0003_add_items.down.sql": "DROP TABLE items",
    "0004_fails.up.sql": "ALTER TABLE orders ADD COLUMN more text; SELECT 1 / 0",
    "0004_fails.down.sql": "ALTER TABLE orders DROP COLUMN more",
}
NEWEST = 3


@dataclass(frozen=True)
class World:
    """One test's own environment. ``environ`` are the settings of its worker and of its API."""

    environment: str
    environ: dict[str, str] = field(repr=False)
    folder: Path
    server_url: str = field(repr=False)
    database: str
    ledger: Ledger
    client: Client

    @property
    def settings(self) -> Settings:
        """The settings as `adx` reads them."""
        return load(self.environ, working_folder=self.folder)

    def starter(self) -> TemporalStarter:
        """A starter as one server has it."""
        return TemporalStarter(self.settings, self.ledger)

    @asynccontextmanager
    async def api(self, starter: TemporalStarter | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """The application, in this process and without tokens."""
        app = application(starter or self.starter(), anybody, limit=RateLimit(10_000, 10_000))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A worker for migrations."""
        mirror = Mirror.open(self.environ["ADX_REPO"], self.folder / "mirror", "main")
        unused = cast("Any", None)  # migrations need no cluster and no Pulumi
        store, repository = open_store(self.environ), Repository(mirror)
        runtime = Runtime(self.ledger, store, unused, repository, unused, self.environ)
        async with Worker(
            self.client,
            task_queue=self.environ["ADX_TASK_QUEUE"],
            workflows=MIGRATION_WORKFLOWS,
            activities=migration_activities(runtime),
            interceptors=[RetryByClass(), Heartbeats()],
            workflow_runner=sandboxed_runner(),
        ):
            yield

    def version_of(self, tenant: str) -> int:
        """What the tenant's schema itself records."""
        with self.connection() as connection:
            table = sql.SQL("SELECT coalesce(max(version), 0) FROM {}.adx_migrations").format(sql.Identifier(tenant))
            row = connection.execute(table).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A session in the tenants' database."""
        with psycopg.connect(self.server_url, dbname=self.database, autocommit=True) as connection:
            yield connection


async def over(api: httpx.AsyncClient, operation_id: str) -> dict[str, Any]:
    """The operation once it is over; waits as the guide tells. The test's own timeout bounds this."""
    tag, place = "", f"/api/operations/{operation_id}"
    while True:
        answer = await api.get(place, params={"wait": "30"}, headers={"If-None-Match": tag})
        tag = answer.headers.get("etag", tag)
        if answer.status_code == 200 and answer.json()["is_over"]:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code in (200, 304), answer.text


@asynccontextmanager
async def delivered(stack: LocalStack, ledger_url: str, folder: Path, name: str) -> AsyncIterator[World]:
    """An environment with two tenants, acme and globex, whose databases are declared and not migrated yet."""
    environment, database = f"e{name}", f"test_{name}"
    remote, commit = _merged(folder, environment, database)
    environ = {
        **stack.environment,
        "ADX_LEDGER_URL": ledger_url,
        "ADX_HOME": str(folder / "home"),
        "ADX_REPO": str(remote),
        "ADX_TASK_QUEUE": environment,
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "ADX_DATABASE_MAIN_URL": stack.postgres_url,
    }
    client = await connect(environ)
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        await _record(ledger, environ, environment, remote, commit)
        try:
            yield World(environment, environ, folder, stack.postgres_url, database, ledger, client)
        finally:
            await _end_workflows(client, environment)
            with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def _merged(folder: Path, environment: str, database: str) -> tuple[Path, str]:
    shop = Shop(folder, environment)
    for tenant in ("acme", "globex"):
        document = shop.documents[f"tenants/{tenant}.yaml"]
        document["isolation_strategy"] = "schema_per_tenant"
        document["database"] = {"engine": "postgresql", "name": database, "schema": tenant}
    shop.documents[f"environments/{environment}/migrations.yaml"] = {
        "apiVersion": "adx/v1",
        "kind": "Migrations",
        "environment": environment,
        "databases": [{"name": "shop", "engine": "postgresql", "version": NEWEST, "server": "main"}],
    }
    for name, content in scripts_folder("postgresql", SCRIPTS).items():
        shop.write(f"infra/databases/shop/{name}", content.decode())
    return shop.remote, shop.merge("Declare the shop's database")


async def _record(ledger: Ledger, environ: dict[str, str], environment: str, remote: Path, commit: str) -> None:
    """As a rollout does at its end."""
    state = resolve_commit(GitTree.open(remote, commit), environment, None)
    digest = await Bodies(open_store(environ)).put(state, environment)
    async with ledger.transaction() as connection:
        await environments.ensure(connection, environment)
    token = await fencing.acquire(ledger, environment, "first")
    await environments.record_delivered(
        ledger, environment, commit=commit, state_digest=digest, snapshot=None, fencing_token=token
    )


async def _end_workflows(client: Client, environment: str) -> None:
    running = client.list_workflows(f"TaskQueue = '{environment}' AND ExecutionStatus = 'Running'")
    async for one in running:
        try:
            await client.get_workflow_handle(one.id).terminate()
        except RPCError as error:  # the list is late: it has ended by itself
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
    await asyncio.sleep(0)
