"""`adx services releases` on a real ledger; what is under way, and words about it, through a real Temporal server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.pipelines.command import Ran, adx, environment
from tests.rollout.doubles import Doubles
from tests.rollout.harness import harness_on_new_server
from tests.rollout.test_releases import change
from workflows.client import Workflows
from workflows.ledger import Ledger, fencing, rollouts, units
from workflows.ledger.models import NewRollout, UnitStatus
from workflows.ledger.units import UnitState
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, Submission
from workflows.services.models import ReleaseSet

ENVIRONMENT = "development"
AWAY = "127.0.0.1:1"


@dataclass
class World:
    """A ledger, and how to run the command on it."""

    ledger: Ledger
    url: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    async def run(self, *arguments: str) -> Ran:
        """`adx services …`, eighty columns wide."""
        environ = environment(
            self.folder / "home", COLUMNS="80", ADX_LEDGER_URL=self.url, ADX_ACTOR="ines", **self.settings
        )
        return await asyncio.to_thread(adx, "services", *arguments, environ=environ, folder=self.folder)

    async def start(self, rollout: str, commit: str) -> int:
        """Begin a rollout; its fencing token."""
        new = NewRollout(
            id=rollout, environment=ENVIRONMENT, kind="deliver", commit=commit, requested_by="ana", source="cli"
        )
        await rollouts.start(self.ledger, new)
        return await fencing.acquire(self.ledger, ENVIRONMENT, rollout)

    async def deliver(self, number: int, version: str, *services: str, status: UnitStatus = "applied") -> None:
        """One rollout of ``services``, delivered or restored to ``version``."""
        rollout, commit = f"rollout-{number}", f"{number}" * 40
        token = await self.start(rollout, commit)
        is_new = status == "applied"
        digest, delivered = version.encode().hex().ljust(64, "0"), commit if is_new else f"{number - 1}" * 40
        states = [
            UnitState(unit=f"service/{name}", status=status, digest=digest, commit=delivered, version=version)
            for name in services
        ]
        await units.record(self.ledger, ENVIRONMENT, rollout, states, fencing_token=token)
        if is_new:
            await rollouts.finish(self.ledger, rollout, "delivered")
        else:
            failure = {"step": "release", "message": "cart v1.1.0: too many requests fail"}
            await rollouts.finish(self.ledger, rollout, "restored", failure=failure)


@pytest.fixture
async def world(ledger_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Two services were delivered, then the next version of the cart failed."""
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        made = World(ledger, ledger_url, tmp_path)
        await made.deliver(1, "v1.0.0", "cart", "frontend")
        await made.deliver(2, "v1.0.0", "cart", status="restored")
        yield made


async def test_releases_are_listed_newest_first(world: World) -> None:
    """What was taken back says what was tried, and why; nothing asks Temporal when nothing runs."""
    listed = await world.run("releases")
    (cart,) = json.loads((await world.run("releases", ENVIRONMENT, "cart", "-n", "1", "--json")).out)

    assert (listed.code, listed.err) == (0, "")
    lines = [line.strip() for line in listed.out.splitlines()]
    assert max(map(len, listed.out.splitlines())) <= 80
    assert [line for line in lines if line.endswith(f"in {ENVIRONMENT}")] == [
        f"cart in {ENVIRONMENT}",
        f"frontend in {ENVIRONMENT}",
    ]
    assert lines[1].split("  ", 1)[1] == "v1.0.0  restored  2222222222 → 1111111111  by ana"
    assert lines[2:4] == ["release: cart v1.1.0: too many requests fail", "rollout-2, restored"]
    assert lines[4].split("  ", 1)[1] == "v1.0.0  delivered  1111111111  by ana"
    assert [(one["outcome"], one["tried"][0]) for one in cart["releases"]] == [("restored", "2")]
    assert "under_way" not in cart


async def test_what_the_ledger_does_not_know_is_said_with_the_nearest(world: World) -> None:
    """Exit status 6: something was not found."""
    service, place = await world.run("releases", ENVIRONMENT, "kart"), await world.run("releases", "developmen")

    assert (service.code, place.code) == (6, 6)
    assert "write cart" in service.err
    assert f"write {ENVIRONMENT}" in place.err


async def test_a_temporal_that_is_away_costs_one_line(world: World) -> None:
    """The ledger's releases are listed all the same."""
    await world.start("rollout-3", "3" * 40)
    world.settings = {"ADX_TEMPORAL_ADDRESS": AWAY, "ADX_TASK_QUEUE": "none"}
    listed, data = await world.run("releases", ENVIRONMENT, "cart"), await world.run("releases", "--json")

    assert (listed.code, data.code, data.err) == (0, 0, ""), listed.err + data.err
    assert "v1.0.0  delivered" in listed.out
    assert [line for line in listed.err.splitlines() if "not shown" in line] == listed.err.splitlines()
    assert AWAY in listed.err
    assert [one["is_under_way_known"] for one in json.loads(data.out)] == [False, False]


async def test_the_release_under_way_is_listed_and_promoted(world: World) -> None:
    """With its phase and shares; also of a service that was never delivered. Then a person's word lets it go on."""
    doubles = Doubles(releases=ReleaseSet("both", ((change("cart"), change("new", blue="", blue_version="")),), "back"))
    held = [doubles.holds("bake cart 10"), doubles.holds("bake new 10")]
    async with harness_on_new_server(doubles) as harness:
        client = Workflows(harness.client, harness.task_queue)
        submission = Submission(ENVIRONMENT, "3" * 40, "ana", "cli")
        await harness.client.start_workflow(
            EnvironmentWorkflow.run,
            EnvironmentInput(ENVIRONMENT, pending=[submission]),
            id=environment_workflow_id(ENVIRONMENT),
            task_queue=harness.task_queue,
        )
        for name in ("bake cart 10", "bake new 10"):
            await doubles.reached[name].wait()
        await world.start((await client.environment_status(ENVIRONMENT)).current, "3" * 40)
        address = harness.client.service_client.config.target_host
        world.settings = {"ADX_TEMPORAL_ADDRESS": address, "ADX_TASK_QUEUE": harness.task_queue}

        listed = await world.run("releases", ENVIRONMENT)
        refused = await world.run("promote", ENVIRONMENT, "frontend")
        promoted = await world.run("promote", ENVIRONMENT, "cart", "--full", "--reason", "numbers look good")

        lines = [line.strip() for line in listed.out.splitlines()]
        assert listed.code == 0, listed.err
        assert lines[1].startswith("now  v1 90 %, v2 10 %  baking, ")
        assert "new in development" in lines
        assert (refused.code, refused.out) == (1, "")
        assert "frontend is not changing its release now (those that are: cart, new)" in refused.err
        assert "adx watch development" in refused.err
        assert (promoted.code, promoted.out) == (0, "development: promote cart: done\n"), promoted.err
        for one in held:
            one.set()
