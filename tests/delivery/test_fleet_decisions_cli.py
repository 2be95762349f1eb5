"""A person steers the waves of a real rollout with `adx fleet`, and watches it with `adx watch`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.exit_codes import ExitCode
from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare

TENANTS = 6
CANARY = "tenant-000"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@contextlib.asynccontextmanager
async def begun(delivery: Delivery, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An `adx` of the test's own settings, which does not outlive the block."""
    pipe = asyncio.subprocess.PIPE
    environ = {**os.environ, **delivery.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipelines.cli", *arguments, env=environ, cwd=delivery.folder, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> Ran:
    """What it wrote."""
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def adx(delivery: Delivery, *arguments: str) -> Ran:
    """Run it to its end."""
    async with begun(delivery, *arguments) as process:
        return await ended(process)


async def said(delivery: Delivery, word: str, *about: str, by: str = "ines", reason: str = "") -> str:
    """The answer to a word that fits."""
    done = await adx(delivery, "fleet", word, delivery.environment, *about, "--by", by, "--reason", reason)
    assert (done.code, done.err) == (0, ""), done
    return done.out.strip().removeprefix(f"{delivery.environment}: ")


async def refused(delivery: Delivery, word: str, *about: str, by: str = "ines", reason: str = "") -> str:
    """Why a word does not fit."""
    done = await adx(delivery, "fleet", word, delivery.environment, *about, "--by", by, "--reason", reason)
    assert (done.code, done.out) == (ExitCode.FAILED, ""), done
    assert "Traceback" not in done.err
    return done.err


def told(lines: str) -> list[dict[str, Any]]:
    """Every line is an event."""
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.timeout(600)  # dozens of commands, each a process: 45 s on an idle machine
async def test_a_fleet_is_paused_resumed_skipped_and_approved_while_somebody_watches(delivery: Delivery) -> None:
    """Each word does what it says, each that does not fit is refused with what would, and all is seen."""
    environment = delivery.environment
    delivery.start_worker()
    declare(
        delivery,
        tenants=TENANTS,
        canaries=[CANARY],
        steps=[3, "100%"],
        approval_before=[1, 2],
        approvers=["ines"],
        failure_budget="50%",
    )
    delivery.shop.merge("first")
    assert "no rollout is under way" in await refused(delivery, "pause")
    await delivery.submit()
    async with (
        begun(delivery, "watch", environment, "--json") as watcher,
        begun(delivery, "watch", environment) as plain,
    ):
        state = (await delivery.waiting_for("1")).state
        assert state is not None
        last = state.units[-1]
        await assert_words_are_taken_that_fit(delivery, last)
        await delivery.waiting_for("2")
        plain.send_signal(signal.SIGINT)
        interrupted = await ended(plain)
        assert await said(delivery, "approve", "2", reason="looks good") == "approve 2: done"
        status = await delivery.settled()
        watched = await ended(watcher)

    assert (status.outcome, status.steps[-2].message) == ("partly-delivered", f"{TENANTS - 1} delivered, 1 skipped")
    assert interrupted.code == ExitCode.INTERRUPTED
    assert "the rollout goes on" in interrupted.err
    assert "Traceback" not in interrupted.err
    assert f"{environment} wave 1 waiting-for-approval" in interrupted.out
    assert watched.code == ExitCode.ROLLED_BACK, watched
    assert_tells_the_story(told(watched.out), status.rollout_id, last)
    await assert_is_over(delivery, last)


async def assert_words_are_taken_that_fit(delivery: Delivery, last: str) -> None:
    """While the canary is delivered and the first wave waits; ``last`` is the last unit of the last wave."""
    environment = delivery.environment
    shown = await adx(delivery, "fleet", "status", environment)
    assert f"adx fleet approve {environment} 1" in " ".join(shown.out.split())
    in_json = json.loads((await adx(delivery, "fleet", "status", environment, "--json")).out)
    assert [wave["state"] for wave in in_json["waves"]] == ["done", "waiting-for-approval", "pending"]

    assert await said(delivery, "pause", reason="a look at the canary") == "pause: done"
    assert "is paused already" in await refused(delivery, "pause")
    assert "bo may not approve waves" in await refused(delivery, "approve", by="bo")
    assert "wave 2 does not wait for an approval, wave 1 does" in await refused(delivery, "approve", "2")
    assert await said(delivery, "approve") == "approve 1: done"
    assert "no wave waits for an approval" in await refused(delivery, "approve")
    assert "needs a reason" in await refused(delivery, "skip", last)
    assert await said(delivery, "skip", last.removeprefix("tenant/"), reason="moves next week") == f"skip {last}: done"
    assert "has been started already" in await refused(delivery, "skip", CANARY, reason="too late")
    assert "has not failed" in await refused(delivery, "retry", CANARY)
    assert "does not concern tenant/nobody" in await refused(delivery, "retry", "nobody")
    assert "nothing holds the rollout now" in await refused(delivery, "override", reason="just in case")
    assert await said(delivery, "resume") == "resume: done"


def assert_tells_the_story(events: list[dict[str, Any]], rollout_id: str, skipped: str) -> None:
    """All that people said, every unit and wave, and the end."""
    decisions = [event["message"] for event in events if event["status"] == "decision"]
    assert decisions == [
        "pause by ines: a look at the canary",
        "approve 1 by ines",
        f"skip {skipped} by ines: moves next week",
        "resume by ines",
        "approve 2 by ines: looks good",
    ]
    ends = {event["unit"]: event["status"] for event in events if event.get("unit")}
    assert ends.pop(skipped) == "skipped"
    assert set(ends.values()) == {"delivered"}
    assert [event["status"] for event in events if event.get("wave") == "2" and "unit" not in event][-1] == "done"
    assert any(event["status"] == "held" and "paused by ines" in event["message"] for event in events)
    assert events[-1]["status"] == "partly-delivered"
    assert {event["rollout"] for event in events} == {rollout_id}


async def assert_is_over(delivery: Delivery, skipped: str) -> None:
    """Nobody steers what has ended; what remains is the history."""
    nothing = await adx(delivery, "watch", delivery.environment)
    assert (nothing.code, nothing.out) == (0, "")
    assert f"no rollout is under way in {delivery.environment}" in nothing.err
    assert "no rollout is under way" in await refused(delivery, "cancel")
    (story,) = json.loads((await adx(delivery, "history", "--tenant", CANARY, "--json")).out)
    assert (story["now"]["status"], len(story["changes"])) == ("applied", 1)
    assert story["changes"][0]["rollout"]["requested_by"] == "ada@example.com"
    assert json.loads((await adx(delivery, "history", "--unit", skipped, "--json")).out) == []
