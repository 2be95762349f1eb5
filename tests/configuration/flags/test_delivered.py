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


async def test_the_delivered_commit_is_served_and_followed(ledger_url: str, tmp_path: Path):
    """A merge alone changes nothing; its delivery does, without a restart."""
    new_repository(tmp_path)
    commit(tmp_path, "2026-01-01T00:00:00Z", FLAG)
    old = head(tmp_path)
    commit(tmp_path, "2026-02-01T00:00:00Z", {**FLAG, "enabled": True})
    own = {**environ(tmp_path), "ADX_LEDGER_URL": ledger_url, "PYTHONPATH": str(ROOT)}
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        await deliver(ledger, old)
        command = (*PROGRAM[1:], "flags", "serve", "staging", "--repo", str(tmp_path), "--listen", "127.0.0.1:0")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stderr=asyncio.subprocess.PIPE, env=own, cwd=tmp_path
        )
        try:
            assert process.stderr is not None
            address = re.search(r"http://[0-9.:]+", (await process.stderr.readline()).decode())
            assert address is not None
            async with httpx.AsyncClient(base_url=address[0]) as client:
                before = await client.post("/ofrep/v1/evaluate/flags/one", json={"context": {}})
                await deliver(ledger, head(tmp_path))
                assert b"flags changed" in await process.stderr.readline()
                after = await client.post("/ofrep/v1/evaluate/flags/one", json={"context": {}})
        finally:
            process.terminate()
            await process.wait()

    assert (before.json()["value"], after.json()["value"]) == (False, True)
