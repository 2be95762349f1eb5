"""The two workflows that migrate: one tenant's database, and many in waves. How each is started, asked and told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError

from pipelines.api import stories
from pipelines.api.starter import Claim
from pipelines.api.wire import Operation
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.models import (
    DatabaseMigrationInput,
    DatabaseMigrationStatus,
    FanOutInput,
    FanOutStatus,
    Wanted,
)
from workflows.migrations.workflow import DatabaseMigrationWorkflow

SOURCE = "api"  # in the audit trail
QUERY_WITHIN = timedelta(seconds=3)
ONCE = WorkflowIDReusePolicy.REJECT_DUPLICATE


class Kind(ABC):
    """One kind of migration; ``name`` is its workflow's. Methods raise what Temporal's client does."""

    @abstractmethod
    async def start(self, client: Client, claim: Claim, name: str, task_queue: str) -> None:
        """Start it under ``name``, if nothing ever was."""

    @abstractmethod
    async def running(self, client: Client, claim: Claim, name: str, line: str) -> Operation:
        """As it is now; asks the worker. ``line`` is what its activity said last."""

    @abstractmethod
    async def ended(self, client: Client, claim: Claim, name: str, ended_at: str) -> Operation:
        """As it ended. Raises WorkflowFailureError when the workflow could not say."""

    @abstractmethod
    def broken(self, claim: Claim, why: str, ended_at: str) -> Operation:
        """A workflow that was ended from outside, or by a defect."""

    @abstractmethod
    async def cancel(self, client: Client, name: str, requested_by: str) -> None:
        """Have it stopped and taken back."""


class OneDatabase(Kind):
    """``DatabaseMigrationWorkflow``."""

    async def start(self, client: Client, claim: Claim, name: str, task_queue: str) -> None:
        await client.start_workflow(
            DatabaseMigrationWorkflow.run,
            DatabaseMigrationInput(_wanted(claim)),
            id=name,
            task_queue=task_queue,
            id_reuse_policy=ONCE,
        )

    async def running(self, client: Client, claim: Claim, name: str, line: str) -> Operation:
        handle = client.get_workflow_handle_for(DatabaseMigrationWorkflow.run, name)
        found = await handle.query(DatabaseMigrationWorkflow.status, rpc_timeout=QUERY_WITHIN)
        return stories.of_database(claim, found, message=line)

    async def ended(self, client: Client, claim: Claim, name: str, ended_at: str) -> Operation:
        handle = client.get_workflow_handle_for(DatabaseMigrationWorkflow.run, name)
        return stories.of_database(claim, await handle.result(), ended_at)

    def broken(self, claim: Claim, why: str, ended_at: str) -> Operation:
        status = DatabaseMigrationStatus(
            claim.meant.id, claim.meant.environment, "", outcome="needs-operator", failure=why
        )
        return stories.of_database(claim, status, ended_at)

    async def cancel(self, client: Client, name: str, requested_by: str) -> None:
        await client.get_workflow_handle(name).cancel(reason=f"asked for by {requested_by}")


class ManyDatabases(Kind):
    """``MigrationFanOutWorkflow``. The first failure takes all back: that is what it does without a rollout's rules."""

    async def start(self, client: Client, claim: Claim, name: str, task_queue: str) -> None:
        await client.start_workflow(
            MigrationFanOutWorkflow.run,
            FanOutInput(claim.meant.environment, wanted=_wanted(claim)),
            id=name,
            task_queue=task_queue,
            id_reuse_policy=ONCE,
        )

    async def running(self, client: Client, claim: Claim, name: str, line: str) -> Operation:
        handle = client.get_workflow_handle_for(MigrationFanOutWorkflow.run, name)
        found = await handle.query(MigrationFanOutWorkflow.status, rpc_timeout=QUERY_WITHIN)
        return stories.of_many(claim, found, message=line)

    async def ended(self, client: Client, claim: Claim, name: str, ended_at: str) -> Operation:
        handle = client.get_workflow_handle_for(MigrationFanOutWorkflow.run, name)
        result = await handle.result()
        found = FanOutStatus(claim.meant.id, claim.meant.environment)
        with suppress(RPCError):  # without a worker the end is known, and how many databases it was about is not
            found = await handle.query(MigrationFanOutWorkflow.status, rpc_timeout=QUERY_WITHIN)
        found.outcome, found.text = result.outcome, result.text
        found.reason, found.reasons = result.reason, result.reasons
        return stories.of_many(claim, found, ended_at)

    def broken(self, claim: Claim, why: str, ended_at: str) -> Operation:
        status = FanOutStatus(claim.meant.id, claim.meant.environment, outcome="needs-operator", reason=why)
        return stories.of_many(claim, status, ended_at)

    async def cancel(self, client: Client, name: str, requested_by: str) -> None:
        handle = client.get_workflow_handle_for(MigrationFanOutWorkflow.run, name)
        await handle.signal(MigrationFanOutWorkflow.cancel, requested_by)


def kind_of(claim: Claim) -> Kind:
    """The kind that does what was claimed."""
    return OneDatabase() if claim.meant.tenant_id else ManyDatabases()


def _wanted(claim: Claim) -> Wanted:
    meant = claim.meant
    return Wanted(
        environment=meant.environment,
        requested_by=claim.requested_by,
        database=meant.database,
        tenant=meant.tenant_id,
        version=meant.target_version,
        source=SOURCE,
    )
