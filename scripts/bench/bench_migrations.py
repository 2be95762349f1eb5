"""What migrations cost beside the bare tools: through the API, over many tenants, and where there is nothing to do.

* ``api_100``: 100 tenants, each migrated by a request of its own, all at once, until the last is known to be over;
  beside it 100 ``psql`` of the same script at once. All must succeed.
* ``fan_out_1000``: one request for 1,000 tenants; beside it psycopg alone, as many schemas side by side as the worker,
  a connection for each, as tenants that may have servers of their own need.
* ``noop_1000``: the same request when all have the version already.

Every migration has three statements and is a version of its own, so that no run has to be taken back. Worker and API
are processes as `adx` runs them; all of it is in one PostgreSQL. ``ADX_BENCH_MIGRATIONS``, ``ADX_BENCH_TENANTS`` and
``ADX_BENCH_RUNS`` make a rough look quicker.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.bench.bench_engine import running_stack
from scripts.bench.migration_bench import (
    AT_ONCE,
    FEW,
    MANY,
    RUNS,
    WITHIN_SECONDS,
    MigrationBench,
    running_bench,
    tenants_of,
)
from scripts.bench.rows import Row, absolute, paired

API, SUCCEEDED = "migrations.api_100", "migrations.api_100_succeeded"
FAN_OUT, NOOP = "migrations.fan_out_1000", "migrations.noop_1000"


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    chosen = [name for name in (API, SUCCEEDED, FAN_OUT, NOOP) if only in name]
    if not chosen:
        return []
    with running_stack() as environ, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = asyncio.run(_measure(environ, Path(folder), chosen))
    return [row for row in found if row["name"] in chosen]


async def _measure(environ: dict[str, str], folder: Path, chosen: list[str]) -> list[Row]:
    found: list[Row] = []
    async with running_bench(environ, folder) as bench:
        if API in chosen or SUCCEEDED in chosen:
            found += await _through_the_api(bench)
        if FAN_OUT in chosen or NOOP in chosen:
            found += await _over_all(bench)
    return found


async def _through_the_api(bench: MigrationBench) -> list[Row]:
    tenants, pairs, succeeded = tenants_of(FEW), [], 0
    for run in range(RUNS + 1):  # the first makes schemas and warms up
        bench.version = run + 1
        ours, ends = await _each(bench, tenants)
        theirs = await _psql(bench, tenants)
        if run:
            pairs.append((ours, theirs))
            succeeded += ends.count("succeeded")
    rate = 100 * succeeded / (RUNS * len(tenants))
    return [
        paired(API, pairs, "s", "psql", 2),
        Row(name=SUCCEEDED, value=rate, unit="%", baseline=None, ratio=None, target="100 %", met=rate == 100),
    ]


async def _each(bench: MigrationBench, tenants: list[str]) -> tuple[float, list[str]]:
    """Seconds from the first request to the last end, and the ends."""
    begun = time.perf_counter()
    ends = await asyncio.gather(*(_migrated(bench, FEW, tenant) for tenant in tenants))
    return time.perf_counter() - begun, ends


async def _over_all(bench: MigrationBench) -> list[Row]:
    tenants, pairs, nothing = tenants_of(MANY), [], []
    for run in range(RUNS + 1):
        bench.version = run + 1
        ours = await _all(bench)
        theirs = await _psycopg(bench, tenants)
        if run:
            pairs.append((ours, theirs))
            nothing.append(await _all(bench))
    return [
        paired(FAN_OUT, pairs, "s", f"psycopg, {AT_ONCE} side by side", 2),
        absolute(NOOP, nothing, "s", 5),
    ]


async def _all(bench: MigrationBench) -> float:
    begun = time.perf_counter()
    end = await _migrated(bench, MANY, None)
    seconds = time.perf_counter() - begun
    if end != "succeeded":
        raise SystemExit(f"the migration of all tenants ended {end}")
    return seconds


async def _migrated(bench: MigrationBench, environment: str, tenant: str | None) -> str:
    """Start it and follow it to its end, as the guide tells."""
    body = {"id": f"bench-{uuid.uuid4().hex}", "target_version": bench.version, "environment": environment}
    body |= {"tenant_id": tenant} if tenant else {}
    answer = await bench.client.post("/api/migrations", json=body)
    if answer.status_code != 200:
        raise SystemExit(answer.text)
    place = f"/api/operations/{body['id']}"
    give_up_at = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        found = (await bench.client.get(place, params={"wait": "30", "until": "over"})).json()
        if found["is_over"]:
            if found["failure"]:
                print(f"{tenant or 'all'}: {found['failure']['message']}", file=sys.stderr, flush=True)
            return str(found["status"])
    return "too late"


async def _psql(bench: MigrationBench, tenants: list[str]) -> float:
    """Seconds of as many psql at once."""
    await _bare_schemas(bench, tenants)
    psql = shutil.which("psql")
    if psql is None:
        raise SystemExit("psql is needed for this benchmark; install PostgreSQL's client")
    begun = time.perf_counter()
    running = [
        await asyncio.create_subprocess_exec(
            *(psql, _url(bench), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"),
            *("-c", f"SET search_path TO {_bare(tenant)}", "-f", str(bench.script)),
        )
        for tenant in tenants
    ]
    statuses = await asyncio.gather(*(one.wait() for one in running))
    if any(statuses):
        raise SystemExit("psql failed")
    return time.perf_counter() - begun


async def _psycopg(bench: MigrationBench, tenants: list[str]) -> float:
    """Seconds of psycopg alone, AT_ONCE schemas side by side."""
    await _bare_schemas(bench, tenants)
    script, places = bench.script.read_text(), asyncio.Semaphore(AT_ONCE)

    async def one(tenant: str) -> None:
        async with places, await psycopg.AsyncConnection.connect(_url(bench)) as connection:
            await connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(_bare(tenant))))
            await connection.execute(script.encode())

    begun = time.perf_counter()
    await asyncio.gather(*(one(tenant) for tenant in tenants))
    return time.perf_counter() - begun


async def _bare_schemas(bench: MigrationBench, tenants: list[str]) -> None:
    async with await psycopg.AsyncConnection.connect(_url(bench), autocommit=True) as connection:
        for tenant in tenants:
            schema = sql.Identifier(_bare(tenant))
            await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))


def _bare(tenant: str) -> str:
    return f"bare_{tenant.replace('-', '_')}"


def _url(bench: MigrationBench) -> str:
    return f"{bench.server_url.rpartition('/')[0]}/{bench.database}"
