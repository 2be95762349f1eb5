"""The sandbox that workflow code runs in, here, in tests and when histories are replayed.

Workflow modules are loaded anew for each workflow, with what is not
deterministic forbidden. Everything that only activities run, and everything
that is only data, is passed through: loading it again for each workflow would
triple the memory, and there is nothing in it for the sandbox to watch.
"""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

DATA = (
    "workflows.models",
    "workflows.cells.models",
    "workflows.fleet.durable",
    "workflows.fleet.models",
    "workflows.infrastructure.models",
    "workflows.intake.models",
    "workflows.rollout.models",
    "workflows.services.models",
)
ONLY_RUN_BY_ACTIVITIES = (
    "infra",
    "policies",
    "workflows.bodies",
    "workflows.cells.activities",
    "workflows.cells.plan",
    "workflows.clients",
    "workflows.errors",
    "workflows.fleet.activities",
    "workflows.fleet.calendar",
    "workflows.infrastructure.activities",
    "workflows.intake.activities",
    "workflows.ledger",
    "workflows.retry",
    "workflows.rollout.activities",
    "workflows.rollout.submitting",
    "workflows.runtime",
    "workflows.services.activities",
    "workflows.snapshots",
    "workflows.step_runner",
    "workflows.telemetry",
)
LIBRARIES = ("httpx", "msgspec", "prometheus_client", "psycopg", "sqlalchemy", "structlog")


def sandboxed_runner() -> SandboxedWorkflowRunner:
    """A runner with the sandbox on."""
    passed_through = (*DATA, *ONLY_RUN_BY_ACTIVITIES, *LIBRARIES)
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*passed_through))
