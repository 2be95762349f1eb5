"""`adx flags serve ENV` without options: the flags at the commit that the ledger calls delivered."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import httpx

from tests.configuration.flags.test_command import PROGRAM, ROOT, environ
from tests.configuration.flags.test_serving import FLAG, head
from tests.configuration.flags.test_stale import commit, new_repository
from tests.support.configuration import Link, linked, postgres_server, postgres_url  # noqa: F401 - fixtures
from workflows.ledger import Ledger, environments, fencing, rollouts
from workflows.ledger.models import NewRollout


async def deliver(ledger: Ledger, commit_id: str) -> None:
    """Say in the ledger that the commit was delivered to staging."""
    name = f"rollout-{commit_id[:8]}"
    await rollouts.start(
        ledger,
        NewRollout(id=name, environment="staging", kind="deliver", commit=commit_id, requested_by="ada", source="cli"),
    )
    token = await fencing.acquire(ledger, "staging", name)
    await environments.record_delivered(
        ledger, "staging", commit=commit_id, state_digest="d" * 64, snapshot=None, fencing_token=token
    )


async def test_the_delivered_commit_is_served_and_followed(postgres_url: str, tmp_path: Path):  # noqa: F811 - the fixture
    """A merge alone changes nothing; its delivery does, without a restart, by the one connection that was opened.

    While the ledger is away the flags stay what they were, which is said; another connection is taken when it is back.
    """
    new_repository(tmp_path)
    commit(tmp_path, "2026-01-01T00:00:00Z", FLAG)
    old = head(tmp_path)
    commit(tmp_path, "2026-02-01T00:00:00Z", {**FLAG, "enabled": True})
    with linked(postgres_url) as link:
        async with await Ledger.open(postgres_url) as ledger:
            await followed(ledger, link, postgres_url, old, tmp_path)


async def followed(ledger: Ledger, link: Link, url: str, old: str, folder: Path) -> None:
    """Deliver ``old``, serve, deliver the newest, lose the ledger and find it again."""
    await ledger.migrate()
    await deliver(ledger, old)
    own = {**environ(folder), "ADX_LEDGER_URL": link.through(url), "PYTHONPATH": str(ROOT)}
    command = (*PROGRAM[1:], "flags", "serve", "staging", "--repo", str(folder), "--listen", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stderr=asyncio.subprocess.PIPE, env=own, cwd=folder
    )
    try:
        assert process.stderr is not None
        address = re.search(r"http://[0-9.:]+", (await process.stderr.readline()).decode())
        assert address is not None
        async with httpx.AsyncClient(base_url=address[0]) as client:
            before = await client.post("/ofrep/v1/evaluate/flags/one", json={"context": {}})
            await deliver(ledger, head(folder))
            assert b"flags changed" in await process.stderr.readline()
            after = await client.post("/ofrep/v1/evaluate/flags/one", json={"context": {}})
            assert link.connections == 1

            link.cut()
            assert b"the flags may be old" in await process.stderr.readline()
            assert (await client.get("/healthz")).json() == {"commit": head(folder), "stale": True}
            link.mend()
            assert b"the flags are current again" in await process.stderr.readline()
    finally:
        process.terminate()
        await process.wait()

    assert (before.json()["value"], after.json()["value"]) == (False, True)
