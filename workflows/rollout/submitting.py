"""Handing a submission to the workflow of its environment, which is started if it does not run yet."""

from __future__ import annotations

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, Receipt, Submission


async def submit(client: Client, task_queue: str, submission: Submission) -> Receipt:
    """Update-with-start: whether the environment's workflow runs or not, the submission is queued once."""
    start = WithStartWorkflowOperation(
        EnvironmentWorkflow.run,
        EnvironmentInput(submission.environment),
        id=environment_workflow_id(submission.environment),
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    return await client.execute_update_with_start_workflow(
        EnvironmentWorkflow.submit, submission, start_workflow_operation=start
    )
