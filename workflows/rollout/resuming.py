"""Tells a Temporal that came back empty what the ledger knows. Run after a restore, before any worker.

Two things live in Temporal alone:

- That an environment is frozen. The ledger says so too, but its workflow would
  begin anew and deliver: it is started frozen. ``adx restore`` thaws it then,
  on somebody's word, since the restore that failed is not known any more.
- Rollouts under way. They will never end: those that Temporal does not know, or
  has ended without their having said how, are ended in the ledger, or checks
  for drift and promotions would wait for ever.

A Temporal that was asked by mistake knows no rollout either. So a person looks
at what would be done before it is done.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.errors import AdxValidationError
from workflows.ledger import Ledger, environments, rollouts
from workflows.ledger.errors import LedgerConflict
from workflows.ledger.models import Environment
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, Frozen

LOST = "its workflow was lost with Temporal's data; what it did to the cluster is there, and `adx drift` tells it"
# A rollout whose workflow is completed has written how it ended, or does so right now.
_ALIVE = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.CONTINUED_AS_NEW)


@dataclass(frozen=True)
class Resumed:
    """Environments that are frozen, and ids of the rollouts that were, or would be, ended."""

    frozen: tuple[str, ...]
    ended: tuple[str, ...]


async def what_is_lost(ledger: Ledger, client: Client) -> Resumed:
    """What ``resume`` would do. Raises the errors of the ledger, AdxValidationError without Temporal's namespace."""
    await _check_namespace(client)
    lost = [one.id for one in await rollouts.unfinished(ledger) if not await _is_alive(client, one.id)]
    return Resumed(tuple(known.name for known in await _frozen(ledger)), tuple(lost))


async def resume(ledger: Ledger, client: Client, task_queue: str) -> Resumed:
    """Do both; again where that was done has no effect. Raises as ``what_is_lost`` does."""
    found = await what_is_lost(ledger, client)
    for known in await _frozen(ledger):
        await client.start_workflow(
            EnvironmentWorkflow.run,
            EnvironmentInput(known.name, frozen=Frozen(known.frozen_reason or "")),
            id=environment_workflow_id(known.name),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    for rollout_id in found.ended:
        with contextlib.suppress(LedgerConflict):  # it has ended by itself since it was looked at
            await rollouts.finish(ledger, rollout_id, "failed", failure={"message": LOST})
    return found


async def _frozen(ledger: Ledger) -> list[Environment]:
    return [known for known in await environments.all_environments(ledger) if known.frozen_reason]


async def _check_namespace(client: Client) -> None:
    """Temporal says "not found" of a workflow and of a whole namespace alike."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise AdxValidationError(
            f"Temporal has no namespace {client.namespace}",
            next_step="create it, or correct ADX_TEMPORAL_NAMESPACE and ADX_TEMPORAL_ADDRESS",
        ) from error


async def _is_alive(client: Client, workflow_id: str) -> bool:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status in _ALIVE
