"""What the command line asks of migrations: start an operation, wait for its end."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from temporalio.client import Client

from workflows.client import _translated as translated
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.models import (
    DatabaseMigrationInput,
    DatabaseMigrationStatus,
    FanOutInput,
    FanOutResult,
    Wanted,
)
from workflows.migrations.workflow import DatabaseMigrationWorkflow


@dataclass(frozen=True)
class Operation:
    """How an operation stands or ended. ``outcome`` is empty while it runs; ``details`` are of single databases."""

    id: str
    environment: str
    outcome: str
    text: str
    details: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MigrationsClient:
    """A client of the workflows that migrate. Raises AdxConnectionError when Temporal is away."""

    client: Client
    task_queue: str

    async def start(self, wanted: Wanted, operation_id: str = "") -> str:
        """Start an operation and return its id; with an id that runs already, that one is meant.

        One tenant's database is migrated by a workflow of its own; without a tenant, all that are meant, in waves.
        """
        name = operation_id or f"adx-migrate-{wanted.environment}-{uuid.uuid4().hex[:8]}"
        with translated():
            if wanted.tenant:
                await self.client.start_workflow(
                    DatabaseMigrationWorkflow.run, DatabaseMigrationInput(wanted), id=name, task_queue=self.task_queue
                )
            else:
                asked = FanOutInput(wanted.environment, wanted=wanted, is_needed=False)
                await self.client.start_workflow(
                    MigrationFanOutWorkflow.run, asked, id=name, task_queue=self.task_queue
                )
        return name

    async def result(self, operation_id: str, wanted: Wanted) -> Operation:
        """Wait for the end."""
        with translated():
            if wanted.tenant:
                one = await self.client.get_workflow_handle_for(DatabaseMigrationWorkflow.run, operation_id).result()
                return of_one(one)
            many = await self.client.get_workflow_handle_for(MigrationFanOutWorkflow.run, operation_id).result()
        return of_many(operation_id, wanted.environment, many)


def of_one(status: DatabaseMigrationStatus) -> Operation:
    """One database's status as an operation. Pure."""
    name = status.target or "nothing"
    text = status.failure or f"{name} has version {status.version}"
    return Operation(status.operation_id, status.environment, status.outcome, text)


def of_many(operation_id: str, environment: str, result: FanOutResult) -> Operation:
    """A result of many as an operation. Pure."""
    text = "; ".join(part for part in (result.text, result.reason) if part)
    return Operation(operation_id, environment, result.outcome, text, list(result.reasons))
