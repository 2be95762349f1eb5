"""What a restore repeats, and what the end of a rollout survives: on a real ledger and a real snapshot store."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from policies.change_set import ChangeSet
from policies.errors import AdxError
from policies.infrastructure.spec import EnvironmentSpec, SnapshotRetention
from tests.support.accepting import accepted
from tests.support.desired import desired_state
from workflows.bodies import DeliveryBody
from workflows.clients.kubernetes.workloads import WorkloadStatus
from workflows.errors import WorkloadFailed
from workflows.ledger import Ledger, environments, fencing, idempotency, rollouts
from workflows.ledger.models import NewRollout
from workflows.rollout.activity_models import FinishRequest, Validated
from workflows.rollout.ending import finish
from workflows.rollout.housekeeping import tidy
from workflows.rollout.models import Submission
from workflows.runtime import Runtime
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest
from workflows.snapshots import open_store

ENVIRONMENT, ROLLOUT = "test", "rollout-1"
READY = WorkloadStatus(desired=1, updated=1, available=1, observed=True, outdated=0, failure=None)
OLD, NEW = "a" * 40, "b" * 40


class ScriptedCluster:
    """Says of every workload what it was told to say next; the last answer stays."""

    def __init__(self, *answers: WorkloadStatus) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def rollout_status(self, namespace: str, name: str) -> WorkloadStatus:
        """The next answer."""
        del namespace, name
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def runtime(ledger_url: str, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A real ledger and store; nothing behind them."""
    key = base64.b64encode(bytes(32)).decode()
    store = open_store({"ADX_SNAPSHOT_STORE": tmp_path.as_uri(), "ADX_SNAPSHOT_KEY": key})
    nothing: Any = None
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        new = NewRollout(
            id=ROLLOUT, environment=ENVIRONMENT, kind="deliver", commit=NEW, requested_by="ada", source="cli"
        )
        await rollouts.start(ledger, new)
        yield Runtime(ledger, store, nothing, nothing, nothing)


async def test_each_round_of_a_restore_does_its_work_anew(runtime: Runtime) -> None:
    """What was ready in the first round may not be in the second; a retry within a round finds its own result."""
    state = desired_state(ENVIRONMENT)
    digest = await runtime.bodies.put(state, ENVIRONMENT)
    failed = WorkloadStatus(desired=1, updated=0, available=0, observed=True, outdated=1, failure="no such image")
    cluster: Any = ScriptedCluster(READY, failed)
    steps = ServiceActivities(dataclasses.replace(runtime, cluster=cluster))

    async def redeploy(round_number: int) -> None:
        request = DeployRequest(ENVIRONMENT, ROLLOUT, digest, ("cart",), is_restore=True, round_number=round_number)
        await ActivityEnvironment().run(steps.deploy, request)

    await redeploy(1)
    await redeploy(1)
    assert cluster.asked == 1
    with pytest.raises(WorkloadFailed, match="no such image"):
        await redeploy(2)


async def test_what_cannot_be_tidied_does_not_fail_a_delivery(runtime: Runtime) -> None:
    """A store that refuses deletions is told in the log; rows of the ledger are looked after by the next delivery."""

    class Refusing:
        async def entries(self, owner: str) -> list[object]:
            raise AdxError(f"access to {owner} denied")

    store: Any = Refusing()

    with accepted():
        await tidy(dataclasses.replace(runtime, store=store), ENVIRONMENT, SnapshotRetention())


async def test_old_rows_go_and_young_ones_stay(runtime: Runtime) -> None:
    """A result that a retry may ask for is kept; tokens that nobody can hold are not."""
    await idempotency.record(runtime.ledger, "young", {"kept": True})
    for attempt in range(4):
        await fencing.acquire(runtime.ledger, ENVIRONMENT, f"r{attempt}")

    await tidy(runtime, ENVIRONMENT, SnapshotRetention())
    gone = await fencing.prune(runtime.ledger, ENVIRONMENT, keep=2)

    assert (await idempotency.find(runtime.ledger, "young")) is not None
    assert gone == 2
    await fencing.check(runtime.ledger, ENVIRONMENT, 4)


@pytest.mark.parametrize("base", [OLD, None])
async def test_a_restore_takes_back_that_the_new_state_was_named_delivered(runtime: Runtime, base: str | None) -> None:
    """The last step wrote half of the end before it failed: the next change set starts from what is there."""
    token = await fencing.acquire(runtime.ledger, ENVIRONMENT, ROLLOUT)
    await environments.record_delivered(
        runtime.ledger, ENVIRONMENT, commit=NEW, state_digest="new-state", snapshot="taken", fencing_token=token
    )
    request = FinishRequest(
        rollout_id=ROLLOUT,
        submission=Submission(ENVIRONMENT, NEW, "ada", "cli", kind="rollback"),
        outcome="restored",
        fencing_token=token,
        validated=await _validated(runtime, base),
        failure="the ledger was away",
        failed_step="status",
        error_type="",
        snapshot="taken",
        restore_verified=True,
    )

    await finish(runtime, request)

    known = await environments.find(runtime.ledger, ENVIRONMENT)
    assert known is not None
    assert (known.delivered_commit, known.delivered_state_digest) == (base, "old-state" if base else None)


async def _validated(runtime: Runtime, base: str | None) -> Validated:
    rules = EnvironmentSpec(
        name=ENVIRONMENT, description="", owner="team-platform", region="eu-west-1", namespace="shop-test"
    )
    changes = ChangeSet(environment=ENVIRONMENT, base_commit=base, commit=NEW, changes=())
    return Validated(
        commit=NEW,
        base_commit=base,
        base_state="old-state" if base else None,
        desired_state="new-state",
        delivery=await runtime.bodies.put(DeliveryBody(environment=rules, change_set=changes), ENVIRONMENT),
        changed_units=0,
        summary="nothing",
    )
