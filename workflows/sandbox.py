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
    "workflows.configuration.durable",
    "workflows.drift.models",
    "workflows.fleet.durable",
    "workflows.fleet.models",
    "workflows.infrastructure.models",
    "workflows.intake.models",
    "workflows.migrations.models",
    "workflows.rollout.activity_models",
    "workflows.rollout.models",
    "workflows.rollout.step_names",
    "workflows.services.models",
)
ONLY_RUN_BY_ACTIVITIES = (
    "infra",
    "policies",
    "workflows.bodies",
    "workflows.cells.activities",
    "workflows.cells.plan",
    "workflows.clients",
    "workflows.configuration.activities",
    "workflows.configuration.delivering",
    "workflows.configuration.errors",
    "workflows.configuration.health",
    "workflows.configuration.models",
    "workflows.configuration.notify",
    "workflows.configuration.plan",
    "workflows.configuration.reading",
    "workflows.configuration.repository",
    "workflows.configuration.secrets",
    "workflows.configuration.units",
    "workflows.drift.activities",
    "workflows.drift.before",
    "workflows.drift.bodies",
    "workflows.drift.check",
    "workflows.drift.compare",
    "workflows.drift.drifted_objects",
    "workflows.drift.fields",
    "workflows.drift.findings",
    "workflows.drift.heal_activities",
    "workflows.drift.heal_ending",
    "workflows.drift.heal_objects",
    "workflows.drift.healing",
    "workflows.drift.judging",
    "workflows.drift.look",
    "workflows.drift.owners",
    "workflows.drift.report",
    "workflows.drift.rules",
    "workflows.drift.schedule",
    "workflows.drift.telling",
    "workflows.errors",
    "workflows.fleet.activities",
    "workflows.fleet.calendar",
    "workflows.infrastructure.activities",
    "workflows.intake.activities",
    "workflows.ledger",
    "workflows.migrations.activities",
    "workflows.migrations.backup",
    "workflows.migrations.batches",
    "workflows.migrations.errors",
    "workflows.migrations.finding",
    "workflows.migrations.losses",
    "workflows.migrations.opening",
    "workflows.migrations.outcomes",
    "workflows.migrations.planning_waves",
    "workflows.migrations.preparing",
    "workflows.migrations.protection",
    "workflows.migrations.servers",
    "workflows.migrations.staging",
    "workflows.migrations.target",
    "workflows.migrations.watching",
    "workflows.retry",
    "workflows.rollout.activities",
    "workflows.rollout.submitting",
    "workflows.runtime",
    "workflows.services.activities",
    "workflows.services.gateways",
    "workflows.services.judging",
    "workflows.services.measuring",
    "workflows.services.registry",
    "workflows.services.release_activities",
    "workflows.services.release_plan",
    "workflows.services.settings",
    "workflows.services.staging",
    "workflows.services.vitals",
    "workflows.snapshots",
    "workflows.step_runner",
    "workflows.telemetry",
)
LIBRARIES = ("httpx", "msgspec", "prometheus_client", "psycopg", "sqlalchemy", "structlog")


def sandboxed_runner() -> SandboxedWorkflowRunner:
    """A runner with the sandbox on."""
    passed_through = (*DATA, *ONLY_RUN_BY_ACTIVITIES, *LIBRARIES)
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*passed_through))
