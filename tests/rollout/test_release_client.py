"""What the command line may ask of releases and say to them, on the time-skipping test server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio import activity

from tests.rollout.doubles import Doubles
from tests.rollout.harness import Harness, harness_on_new_server
from tests.rollout.test_releases import change
from workflows.client import Workflows
from workflows.errors import AdxValidationError
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, Submission
from workflows.services.models import ReleaseDecision, ReleaseSet, ReleaseStatus

FOUND = "99.97 % of 1,204 requests succeeded"


@dataclass
class Judging(Doubles):
    """Says what it finds while it is held, as a real analysis does."""

    async def _wait_beating(self, event: asyncio.Event) -> None:
        while not event.is_set():
            activity.heartbeat(FOUND)
            await asyncio.sleep(0.02)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    """The cart bakes; the frontend comes after it."""
    doubles = Judging(releases=ReleaseSet("both-state", ((change("cart"),), (change("frontend"),)), "back-state"))
    doubles.holds("bake cart 10")
    async with harness_on_new_server(doubles) as made:
        await made.client.start_workflow(
            EnvironmentWorkflow.run,
            EnvironmentInput("development", pending=[Submission("development", "c" * 40, "ada", "cli")]),
            id=environment_workflow_id("development"),
            task_queue=made.task_queue,
        )
        await doubles.reached["bake cart 10"].wait()
        yield made


async def told(client: Workflows, rollout_id: str) -> list[ReleaseStatus]:
    """The releases, once the one that bakes has said something."""
    while True:
        found = await client.release_statuses(rollout_id, ["cart", "frontend"])
        if found and found[0].line:
            return found
        await asyncio.sleep(0.02)


async def test_releases_are_seen_said_something_to_and_seen_when_they_have_ended(harness: Harness) -> None:
    """The line is what the analysis says; a release that has not begun is left out."""
    client = Workflows(harness.client, harness.task_queue)
    rollout_id = (await client.environment_status("development")).current

    (cart,) = await told(client, rollout_id)
    assert (cart.phase, cart.weight_percent, cart.line) == ("baking", 10, FOUND)
    assert (cart.change.blue_version, bool(cart.until)) == ("v1", True)

    said = ReleaseDecision("ada", "abort", "cart", "wrong version")
    receipt = await client.decide_release("development", said)
    while not (ended := await client.environment_status("development")).last:
        await asyncio.sleep(0.02)

    assert (receipt.environment, receipt.message) == ("development", "abort cart: done")
    assert ended.last is not None
    assert (ended.last.outcome, ended.last.releasing) == ("restored", ["cart"])
    (back,) = await client.release_statuses(rollout_id, ["cart", "frontend"])
    assert (back.phase, back.weight_percent) == ("returned", 0)
    assert back.line == "cart v1 → v2 aborted by ada: wrong version"

    with pytest.raises(AdxValidationError, match="no rollout is under way in development"):
        await client.decide_release("development", said)


@pytest.mark.parametrize(
    ("said", "why", "instead"),
    [
        (ReleaseDecision("ada", "promote", "frontend"), "those that are: cart", "adx watch development"),
        (ReleaseDecision("ada", "switch-back", ""), "no old release is kept now", "adx rollback development"),
    ],
)
async def test_what_does_not_fit_is_refused_with_what_would(
    harness: Harness, said: ReleaseDecision, why: str, instead: str
) -> None:
    """Exit status 1; nothing has changed."""
    with pytest.raises(AdxValidationError, match=why) as refused:
        await Workflows(harness.client, harness.task_queue).decide_release("development", said)

    assert instead in refused.value.next_step
    assert refused.value.exit_code == 1
