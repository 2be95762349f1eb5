"""Tells a Temporal that came back empty what the ledger knows. Run after a restore, before any worker.

Two things live in Temporal alone:

- That an environment is frozen. The ledger says so too, but its workflow would
  begin anew and deliver: it is started frozen. ``adx restore`` thaws it then,
  on somebody's word, since the restore that failed is not known any more.
- Rollouts under way. They will never end: those that Temporal does not run are
  ended in the ledger, or checks for drift and promotions would wait for ever.

Harmless where there is nothing to do, also while workers run, and repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.ledger import Ledger, environments, rollouts
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, Frozen

LOST = "its workflow was lost with Temporal's data; what it did to the cluster is there, and `adx drift` tells it"


@dataclass(frozen=True)
class Resumed:
    """Environments that are frozen, and ids of the rollouts that were ended."""

    frozen: tuple[str, ...]
    ended: tuple[str, ...]


async def resume(ledger: Ledger, client: Client, task_queue: str) -> Resumed:
    """Do both. Raises the errors of the ledger, and RPCError where Temporal does not answer."""
    frozen = [known for known in await environments.all_environments(ledger) if known.frozen_reason]
    for known in frozen:
        await client.start_workflow(
            EnvironmentWorkflow.run,
            EnvironmentInput(known.name, frozen=Frozen(known.frozen_reason or "")),
            id=environment_workflow_id(known.name),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    lost = [one.id for one in await rollouts.unfinished(ledger) if not await _is_running(client, one.id)]
    for rollout_id in lost:
        await rollouts.finish(ledger, rollout_id, "failed", failure={"message": LOST})
    return Resumed(tuple(known.name for known in frozen), tuple(lost))


async def _is_running(client: Client, workflow_id: str) -> bool:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status == WorkflowExecutionStatus.RUNNING
