"""Two environments with many tenants, delivered on paper, and the processes that migrate them: for benchmarks."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from psycopg import sql

from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from policies.migrations.script_files import checksums
from policies.migrations.sums import FILE, render
from scripts.bench.own_worker import own_settings, start_worker
from scripts.bench.tenant_repository import ROOT, commit, git, tenant_document, tenant_name
from scripts.stack import Home, Stack
from scripts.stack.parts import postgres
from workflows.bodies import Bodies
from workflows.ledger import Ledger, environments, fencing
from workflows.snapshots import open_store

REQUESTS = int(os.environ.get("ADX_BENCH_MIGRATIONS", "100"))
TENANTS = int(os.environ.get("ADX_BENCH_TENANTS", "1000"))
RUNS = int(os.environ.get("ADX_BENCH_RUNS", "3"))
AT_ONCE = 16
FEW, MANY = "staging", "production"
WITHIN_SECONDS = 600.0
API_PROGRAM = ("-m", "pipelines.cli", "api")


@dataclass
class MigrationBench:
    """Worker and API are running; ``version`` is what all tenants have."""

    folder: Path
    server_url: str = field(repr=False)
    database: str
    client: httpx.AsyncClient
    version: int = 0

    @property
    def script(self) -> Path:
        """The newest version's script."""
        return self.folder / "work" / "infra" / "databases" / "shop" / f"{self.version:04}_add.up.sql"


@asynccontextmanager
async def running_bench(environ: dict[str, str], folder: Path) -> AsyncIterator[MigrationBench]:
    """Worker and API on the stack of ``environ``; ended, and their databases dropped, at the end."""
    name = uuid.uuid4().hex[:6]
    home = Path(environ["ADX_HOME"])
    server_url = postgres.superuser_url(Home(home), Stack(home).port("postgres", "sql"))
    database, work = f"bench_{name}", folder / "work"
    head = _repository(work, database)
    ledger_url = environ["ADX_LEDGER_URL"].rpartition("/")[0] + f"/ledger_{name}"
    own = {
        **environ,
        **own_settings(folder, name, work),
        "ADX_LEDGER_URL": ledger_url,
        "ADX_DATABASE_BENCH_URL": server_url,
        "ADX_DATABASE_BENCH_AT_ONCE": str(AT_ONCE),
        "ADX_API_REQUESTS_PER_SECOND": "100000",
    }
    (folder / "engine-backend").mkdir()
    with _databases(server_url, database, f"ledger_{name}", owner=environ["ADX_LEDGER_URL"].rpartition("/")[2]):
        await _record_delivered(own, work, head)
        worker = start_worker({**os.environ, **own}, folder)
        api, address = _start_api({**os.environ, **own}, folder)
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{address}", timeout=120, limits=httpx.Limits(max_connections=None), trust_env=False
            ) as client:
                await _until_ready(client)
                yield MigrationBench(folder, server_url, database, client)
        finally:
            for process in (api, worker):
                process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(process.wait)


@contextmanager
def _databases(server_url: str, database: str, ledger: str, *, owner: str) -> Iterator[None]:
    """A database for the tenants and one for the ledger; gone at the end."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        create, drop = sql.SQL("CREATE DATABASE {} OWNER {}"), sql.SQL("DROP DATABASE {} WITH (FORCE)")
        for name in (database, ledger):
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(owner)))
        try:
            yield
        finally:
            for name in (database, ledger):
                connection.execute(drop.format(sql.Identifier(name)))


async def _record_delivered(environ: dict[str, str], work: Path, head: str) -> None:
    """Both environments as rollouts leave them, without a cluster that would hold their tenants."""
    bodies = Bodies(open_store(environ))
    async with await Ledger.open(environ["ADX_LEDGER_URL"]) as ledger:
        await ledger.migrate()
        for name in (FEW, MANY):
            digest = await bodies.put(resolve_commit(GitTree.open(work, head), name, None), name)
            async with ledger.transaction() as connection:
                await environments.ensure(connection, name)
            token = await fencing.acquire(ledger, name, "bench")
            await environments.record_delivered(
                ledger, name, commit=head, state_digest=digest, snapshot=None, fencing_token=token
            )


def _repository(work: Path, database: str) -> str:
    """What this repository declares, with tenants and scripts made up; its commit."""
    shutil.copytree(ROOT / "environments", work / "environments", ignore=shutil.ignore_patterns("Pulumi.*"))
    shutil.copytree(ROOT / "tenants", work / "tenants")  # flags name some of them
    for environment in (FEW, MANY):
        for tenant in _numbers(environment):
            (work / "tenants" / f"{tenant_name(tenant)}.yaml").write_text(_document(tenant, environment, database))
    _write_scripts(work / "infra" / "databases" / "shop")
    for file in work.glob("environments/*/migrations.yaml"):
        file.write_text(re.sub(r"version: \d+", f"version: {RUNS + 1}\n    server: bench", file.read_text()))
    git(work, "init", "--quiet", "--initial-branch=main")
    return commit(work, "Declare tenants and scripts")


def _document(number: int, environment: str, database: str) -> str:
    """The tenant with a schema in the one database, in one environment."""
    text = re.sub(r"(?<=\n  name: )boutique_\d+", database, tenant_document(number)).partition("\noverrides:")[0] + "\n"
    return re.sub(r"\nenvironments:\n(  - \w+\n)+", f"\nenvironments:\n  - {environment}\n", text)


def _write_scripts(folder: Path) -> None:
    files: dict[str, bytes] = {}
    for version in range(1, RUNS + 2):
        up = (
            f"CREATE TABLE orders_{version} (id bigint PRIMARY KEY, customer text NOT NULL, total numeric);\n"
            f"CREATE INDEX orders_{version}_customer ON orders_{version} (customer);\n"
            f"ALTER TABLE orders_{version} ADD COLUMN note text;\n"
        )
        files[f"{version:04}_add.up.sql"] = up.encode()
        files[f"{version:04}_add.down.sql"] = f"DROP TABLE orders_{version};\n".encode()
    files[FILE] = render("postgresql", checksums(files)).encode()
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _start_api(environ: dict[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{chosen.getsockname()[1]}"
    with (folder / "api.log").open("wb") as log:
        command = [sys.executable, *API_PROGRAM, "serve", "--listen", address]
        return subprocess.Popen(command, env=environ, cwd=ROOT, stdout=log, stderr=log), address


async def _until_ready(client: httpx.AsyncClient) -> None:
    give_up_at = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the API does not become ready")


def _numbers(environment: str) -> range:
    return range(REQUESTS) if environment == FEW else range(REQUESTS, REQUESTS + TENANTS)


def tenants_of(environment: str) -> list[str]:
    """The tenants that were made up for ``environment``."""
    return [tenant_name(number) for number in _numbers(environment)]
