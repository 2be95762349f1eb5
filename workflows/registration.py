"""What a worker serves: every workflow and every activity of ADX."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client

from workflows.cells.activities import CellActivities
from workflows.configuration.activities import ConfigurationActivities
from workflows.configuration.workflow import ConfigurationRestoreWorkflow, ConfigurationUpdateWorkflow
from workflows.drift.activities import DriftActivities
from workflows.drift.heal_activities import HealActivities
from workflows.drift.heal_workflow import HealWorkflow
from workflows.drift.workflow import DriftWorkflow
from workflows.fleet.activities import FleetActivities
from workflows.fleet.workflow import FleetWorkflow
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.intake.activities import IntakeActivities
from workflows.intake.workflow import IntakeWorkflow
from workflows.migrations.registration import MIGRATION_WORKFLOWS, migration_activities
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.runtime import Runtime
from workflows.services.activities import ServiceActivities
from workflows.services.deployment import ServiceDeploymentWorkflow
from workflows.services.release_activities import ReleaseActivities

WORKFLOWS = (
    EnvironmentWorkflow,
    RolloutWorkflow,
    RestoreWorkflow,
    ServiceDeploymentWorkflow,
    FleetWorkflow,
    IntakeWorkflow,
    DriftWorkflow,
    HealWorkflow,
    ConfigurationUpdateWorkflow,
    ConfigurationRestoreWorkflow,
    *MIGRATION_WORKFLOWS,
)
_Activity = Callable[..., Awaitable[Any]]


def activities_of(client: Client, runtime: Runtime, task_queue: str) -> list[_Activity]:
    """Every activity of ADX."""
    return [
        *_of_rollouts(runtime),
        *_of_releases(runtime),
        *_of_fleets(runtime),
        *_of_drift(runtime),
        *_of_configuration(runtime),
        *migration_activities(runtime),
        IntakeActivities(runtime, client, task_queue).take_in,
    ]


def _of_rollouts(runtime: Runtime) -> list[_Activity]:
    rollout, infrastructure = RolloutActivities(runtime), InfrastructureActivities(runtime)
    return [
        rollout.choose,
        rollout.is_newer,
        rollout.record_decision,
        rollout.validate,
        rollout.bind,
        rollout.read_hold,
        rollout.run_tests,
        rollout.finish,
        rollout.thaw,
        infrastructure.snapshot,
        infrastructure.plan,
        infrastructure.apply,
        infrastructure.repair,
        infrastructure.verify_restore,
        ServiceActivities(runtime).deploy,
    ]


def _of_releases(runtime: Runtime) -> list[_Activity]:
    releases = ReleaseActivities(runtime)
    return [releases.wait_for_green, releases.shift, releases.bake, releases.return_traffic]


def _of_fleets(runtime: Runtime) -> list[_Activity]:
    fleet = FleetActivities(runtime)
    return [
        fleet.claim_environment,
        fleet.plan_fleet,
        fleet.check_gates,
        fleet.read_calendar,
        fleet.settle,
        fleet.freeze_units,
        CellActivities(runtime).deliver_cell,
    ]


def _of_drift(runtime: Runtime) -> list[_Activity]:
    checks, heals = DriftActivities(runtime), HealActivities(runtime)
    return [
        checks.check_drift,
        checks.submit_heal,
        heals.plan_heal,
        heals.snapshot_heal,
        heals.apply_heal,
        heals.undo_heal,
        heals.finish_heal,
    ]


def _of_configuration(runtime: Runtime) -> list[_Activity]:
    configuration = ConfigurationActivities(runtime)
    return [
        configuration.check_values,
        configuration.back_up_values,
        configuration.write_values,
        configuration.notify_services,
        configuration.check_health,
        configuration.restore_values,
    ]
