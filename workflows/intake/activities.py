"""From a commit to its environments, and one submission to each."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client

from policies.git_tree import GitTree, environment_names
from workflows.errors import AdxValidationError
from workflows.intake.models import Intake, TakenIn
from workflows.ledger import environments, quarantine, rollouts
from workflows.rollout.models import Receipt, Submission
from workflows.rollout.submitting import submit
from workflows.runtime import Runtime

ROLLOUTS_LOOKED_AT = 50


class IntakeActivities:
    """Needs a Temporal client beside the runtime: submissions go to long-lived workflows."""

    def __init__(self, runtime: Runtime, client: Client, task_queue: str) -> None:
        self._runtime = runtime
        self._client = client
        self._task_queue = task_queue

    @activity.defn
    async def take_in(self, intake: Intake) -> TakenIn:
        """Submit the commit to its environments. What is delivered already is answered without a submission."""
        head = await self._runtime.repository.fetch()
        commit = intake.commit or head
        await self._runtime.repository.check_contains(commit)
        names = await self._environments(commit, intake.environments)
        return TakenIn(commit, [await self._submit(name, commit, intake) for name in names])

    async def _environments(self, commit: str, wanted: list[str]) -> list[str]:
        tree = await asyncio.to_thread(GitTree.open, self._runtime.repository.path, commit)
        declared = environment_names(tree)
        unknown = sorted(set(wanted) - set(declared))
        if unknown:
            raise AdxValidationError(
                f"{commit[:12]} declares no environment {', '.join(unknown)}",
                next_step=f"it declares: {', '.join(declared) or 'none'}",
            )
        return wanted or declared

    async def _submit(self, environment: str, commit: str, intake: Intake) -> Receipt:
        if not intake.force and (why := await self._settled(environment, commit)):
            return Receipt(environment, commit, why)
        submission = Submission(environment, commit, intake.requested_by, intake.source, force=intake.force)
        return await submit(self._client, self._task_queue, submission)

    async def _how_delivered(self, environment: str, commit: str) -> str:
        """What to say of a commit that is delivered, at least in part."""
        past = await rollouts.newest(self._runtime.ledger, environment, limit=ROLLOUTS_LOOKED_AT)
        last = next((rollout for rollout in past if rollout.commit == commit), None)
        if last is not None and last.status == "partly-delivered":
            return f"already delivered, but not to all: see `adx show {last.id}`; --force tries the others again"
        return "already delivered"

    async def _settled(self, environment: str, commit: str) -> str:
        """Why nothing needs to be submitted; empty where it does."""
        known = await environments.find(self._runtime.ledger, environment)
        if known is not None and known.delivered_commit == commit:
            return await self._how_delivered(environment, commit)
        quarantined = await quarantine.find(self._runtime.ledger, environment, commit)
        return f"quarantined: {quarantined.reason}" if quarantined else ""
