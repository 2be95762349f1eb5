"""Workers that migrate real databases, in this process; a repository with scripts; workflows on the real Temporal."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from infra.engine import EngineSettings
from policies.desired_state import DesiredState
from policies.git_mirror import Mirror
from policies.migrations.spec import DatabaseVersion
from policies.migrations.targets import MigrationTarget, Targets
from policies.spec import Spec
from policies.tenancy.spec import Database as TenantDatabase
from tests.delivery.shop import WHO
from tests.migrations.scripts import folder
from tests.migrations.targets import SHOP
from tests.support.desired import desired_state, tenant_unit
from workflows.clients.databases import DatabaseAddress, LockPatience
from workflows.clients.git import Repository
from workflows.clients.kubernetes import Cluster
from workflows.connection import connect
from workflows.heartbeats import Heartbeats
from workflows.ledger import Ledger, environments, fencing
from workflows.migrations.models import MigrationLease
from workflows.migrations.protection import Protection
from workflows.migrations.registration import MIGRATION_WORKFLOWS, migration_activities
from workflows.models import Timeouts
from workflows.retry import RetryByClass
from workflows.runtime import Runtime
from workflows.sandbox import sandboxed_runner
from workflows.snapshots import open_store

TIMEOUTS = Timeouts(heartbeat_seconds=5)
CANARY = "canary-6f1d-password"
TENANTS = 12


def url_of(address: DatabaseAddress) -> str:
    """The address as workers are told it."""
    password = f":{address.password}" if address.password else ""
    return f"{address.engine}://{address.user}{password}@{address.host}:{address.port}/{address.database}"


@dataclass
class Migrations:
    """One test's own: a ledger, a store, a repository with scripts, and how to start workflows."""

    environment: str
    client: Client
    runtime: Runtime = field(repr=False)
    work: Path = field(repr=False)

    def commit(self, scripts: Sequence[tuple[str, str | None]], engine: str = "postgresql") -> str:
        """Commit these scripts as the database shop; the commit."""
        files: dict[str, str] = {}
        for version, (up, down) in enumerate(scripts, start=1):
            name = f"{version:04d}_step_{version}"
            files[f"{name}.up.sql"] = up if down is not None else f"-- adx: irreversible=cannot be brought back\n{up}"
            if down is not None:
                files[f"{name}.down.sql"] = down
        place = self.work / "infra/databases/shop"
        place.mkdir(parents=True, exist_ok=True)
        for name, data in folder(engine, files).items():  # type: ignore[arg-type] # one of the two
            (place / name).write_bytes(data)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "--message", "scripts")
        git(self.work, "push", "--quiet", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")

    async def body(self, commit: str, *targets: MigrationTarget) -> str:
        """Keep the targets of an operation; their digest."""
        await self.runtime.repository.fetch()
        return await self.put(Targets(environment=self.environment, commits=(commit,), targets=targets))

    async def put(self, body: Spec | DesiredState) -> str:
        """Keep a body."""
        return await self.runtime.bodies.put(body, self.environment)

    def lease(self, operation: str) -> MigrationLease:
        """Without a rollout."""
        return MigrationLease(self.environment, operation)

    def worker(self, protection: Protection | None = None) -> Worker:
        """A worker; several may run."""
        patience = LockPatience(attempts=2, first_delay_seconds=0.05, migration_lock_seconds=30)
        return Worker(
            self.client,
            task_queue=self.environment,
            workflows=MIGRATION_WORKFLOWS,
            activities=migration_activities(self.runtime, protection, patience),
            interceptors=[RetryByClass(), Heartbeats()],
            workflow_runner=sandboxed_runner(),
        )


def git(folder: Path, *arguments: str) -> str:
    """Run git."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **WHO}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.asynccontextmanager
async def opened(settings: dict[str, str], ledger: Ledger, folder: Path) -> AsyncIterator[Migrations]:
    """Everything that migrations need, and no cluster."""
    remote, work, snapshots = folder / "remote.git", folder / "work", folder / "snapshots"
    git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(remote))
    git(folder, "init", "--quiet", "--initial-branch", "main", str(work))
    git(work, "remote", "add", "origin", str(remote))
    environ = {**settings, "ADX_SNAPSHOT_STORE": snapshots.as_uri(), "ADX_HOME": str(folder / "home")}
    runtime = Runtime(
        ledger=ledger,
        store=open_store(environ),
        cluster=await Cluster.connect(settings["KUBECONFIG"], settings["ADX_KUBE_CONTEXT"]),
        repository=Repository(Mirror.open(str(remote), folder / "mirror", "main")),
        engine_settings=EngineSettings.from_environment({**environ, "PULUMI_BACKEND_URL": folder.as_uri()}),
        environ=environ,
    )
    try:
        yield Migrations(f"m{uuid.uuid4().hex[:10]}", await connect(environ), runtime, work)
    finally:
        await runtime.cluster.close()


async def delivered_environment(migrations: Migrations, databases: Sequence[DatabaseAddress], version: int) -> str:
    """An environment whose tenants t00, t01, … are declared with that version; the commit."""
    engine, environment, ledger = databases[0].engine, migrations.environment, migrations.runtime.ledger
    commit = migrations.commit(SHOP, engine)
    units = [
        tenant_unit(
            environment,
            f"t{number:02}",
            database=TenantDatabase(engine=engine, name=one.database, schema=None if engine == "mysql" else one.schema),
            migrations=DatabaseVersion(database="shop", engine=engine, version=version, server="main"),
        )
        for number, one in enumerate(databases)
    ]
    digest = await migrations.put(desired_state(environment, *units, commit=commit))
    token = await fencing.acquire(ledger, environment, "r-1")
    await environments.record_delivered(
        ledger, environment, commit=commit, state_digest=digest, snapshot=None, fencing_token=token
    )
    return commit
