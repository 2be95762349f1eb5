"""`adx migrate run`, `rollback` and `status` as a person runs them, with workers, Temporal and real databases."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from tests.migrations.worker import Migrations, delivered_environment
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.ledger import audit


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


async def adx(migrations: Migrations, *arguments: str, **variables: str) -> Ran:
    """Run `adx migrate` in a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {
        **migrations.runtime.environ,
        "ADX_TASK_QUEUE": migrations.environment,
        "ADX_LEDGER_URL": _url(migrations),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipelines.cli",
        "migrate",
        *arguments,
        env={**kept, **settings, "COLUMNS": "80", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


def _url(migrations: Migrations) -> str:
    return migrations.runtime.ledger._engine.url.render_as_string(hide_password=False)


async def test_run_brings_a_tenant_status_shows_it_and_rollback_takes_it_back(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """The three commands agree; who asked is in the audit trail."""
    await delivered_environment(migrations, databases[:2], 2)
    async with migrations.worker():
        ran = await adx(migrations, "run", migrations.environment, "--tenant", "t00", "--by", "ada", "--json")
        assert (ran.code, ran.json["outcome"]) == (0, "delivered"), ran.err
        shown = await adx(migrations, "status", migrations.environment, "--json")
        assert shown.code == 0, shown.err
        assert [(one["tenants"], one["version"], one["look"]) for one in shown.json] == [(["t00"], 2, "as-recorded")]
        every = await adx(migrations, "run", migrations.environment)
        assert every.code == 0, every.err
        assert "2 delivered" in every.out
        back = await adx(migrations, "rollback", migrations.environment, "--tenant", "t01", "--json")
        assert (back.code, back.json["outcome"]) == (0, "delivered"), back.err
    entries = await audit.entries(migrations.runtime.ledger)
    assert ("migrations.run", "ada") in [(one.action, one.actor) for one in entries]
    assert any(one.action == "migrations.rollback" for one in entries)
    assert {one.source for one in entries} == {"cli"}


async def test_status_shows_drift_as_a_diff_and_exits_with_1(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """What somebody changed by hand; with --recorded no database is asked."""
    await delivered_environment(migrations, databases[:1], 2)
    async with migrations.worker():
        await adx(migrations, "run", migrations.environment)
        async with open_database(databases[0]) as hand:
            await hand.execute_query("ALTER TABLE orders ADD COLUMN by_hand integer")
        shown = await adx(migrations, "status", migrations.environment)
    assert shown.code == 1
    assert "drifted from its version" in shown.out
    assert "+ column by_hand" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    recorded = await adx(migrations, "status", migrations.environment, "--recorded")
    assert (recorded.code, "not looked at" in recorded.out) == (0, True)


async def test_what_would_lose_rows_is_refused_until_somebody_says_so(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """Exit status 1 and the column; with --lose-data it is done."""
    await delivered_environment(migrations, databases[:1], 2)
    async with migrations.worker():
        await adx(migrations, "run", migrations.environment, "--tenant", "t00", "--to", "1")
        await adx(migrations, "run", migrations.environment, "--tenant", "t00")
        async with open_database(databases[0]) as service:
            await service.execute_query("INSERT INTO orders VALUES (1, 'a', 'paid')")
        refused = await adx(migrations, "rollback", migrations.environment, "--tenant", "t00")
        assert (refused.code, "orders.status" in refused.out) == (1, True)
        done = await adx(migrations, "rollback", migrations.environment, "--tenant", "t00", "--lose-data")
        assert done.code == 0, done.out
