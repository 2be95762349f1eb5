"""Which databases an operation is about: what is delivered in an environment, and what was asked for of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from policies.desired_state import DesiredState
from policies.migrations.targets import MigrationTarget, Targets, targets_of
from workflows.errors import AdxValidationError
from workflows.ledger import audit, environments, rollouts
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.ledger.models import AuditEntry
from workflows.migrations.models import Prepared, PrepareRequest, Wanted
from workflows.runtime import Runtime

LAST = "last"


class NothingWanted(AdxValidationError):
    """What was asked for names no database of the environment."""

    exit_code = 6


class EnvironmentBusy(AdxValidationError):
    """A rollout of the environment is under way; it migrates by itself."""

    exit_code = 3


class PrepareActivities:
    """Reads what is delivered."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def prepare_operation(self, request: PrepareRequest) -> Prepared:
        """The databases that are meant. Raises NothingWanted, and EnvironmentBusy while a rollout is under way."""
        wanted = request.wanted
        known = await environments.find(self._runtime.ledger, wanted.environment)
        if known is None or known.delivered_state_digest is None or known.delivered_commit is None:
            raise NothingWanted(f"nothing was ever delivered to {wanted.environment}", next_step="run `adx deploy`")
        await self._check_idle(wanted.environment)
        await self._release_abandoned(request)
        state = await self._runtime.bodies.get(known.delivered_state_digest, DesiredState, wanted.environment)
        chosen = chosen_of(tuple(targets_of(state).values()), wanted)
        if not chosen:
            raise NothingWanted(
                f"{wanted.environment} has no such database on a server that is named",
                next_step="see `adx migrate status`; a server is named in migrations.yaml",
            )
        body = Targets(
            environment=wanted.environment,
            commits=(known.delivered_commit,),
            targets=await self._towards(chosen, wanted),
        )
        digest = await self._runtime.bodies.put(body, wanted.environment)
        await audit.append(self._runtime.ledger, _entry(request, [one.id for one in body.targets]))
        return Prepared(digest, [one.id for one in body.targets])

    async def _check_idle(self, environment: str) -> None:
        running = await rollouts.unfinished(self._runtime.ledger, environment)
        if running:
            raise EnvironmentBusy(
                f"{running[0].id} is under way in {environment}",
                next_step=f"wait for its end: `adx status {environment}`",
            )

    async def _release_abandoned(self, request: PrepareRequest) -> None:
        """Databases of operations that were ended from outside, as needing somebody: else none could take them."""
        ledger, environment = self._runtime.ledger, request.wanted.environment
        for operation in await rows.operations_under_way(ledger, environment):
            if operation != request.operation_id and await _has_ended(operation):
                await rows.abandon(ledger, environment, operation, f"{operation} was ended from outside in the middle")

    async def _towards(self, chosen: Sequence[MigrationTarget], wanted: Wanted) -> tuple[MigrationTarget, ...]:
        """The targets on their way to the version that is wanted, without those that have nothing to take back."""
        ledger, environment = self._runtime.ledger, wanted.environment
        known = {one.target for one in await rows.targets_of(ledger, environment)}
        newest = await rows.newest_runs(ledger, environment) if wanted.undoes else {}
        found = [towards(one, wanted, newest.get(one.id)) for one in chosen]
        return tuple(msgspec.structs.replace(one, is_new=one.id not in known) for one in found if one is not None)


async def _has_ended(operation_id: str) -> bool:
    """Whether neither the operation nor its restore runs. Raises RPCError when Temporal cannot say."""
    for name in (operation_id, f"{operation_id}-restore"):
        try:
            found = await activity.client().get_workflow_handle(name).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            if found.status is WorkflowExecutionStatus.RUNNING:
                return False
    return True


def towards(target: MigrationTarget, wanted: Wanted, newest: DatabaseRun | None) -> MigrationTarget | None:
    """The target on its way to the version that is wanted; None where its last run, ``newest``, is not meant. Pure.

    ``from_version`` is the highest that it may have now: a run that needs somebody may have come as far as it would.
    """
    reached, version = target.from_version, target.to_version
    if wanted.undoes:
        if newest is None or wanted.undoes not in (LAST, newest.operation_id):
            return None
        reached, version = max(reached, newest.to_version), newest.from_version
    elif wanted.version is not None:
        version = wanted.version
    return msgspec.structs.replace(target, from_version=max(reached, version), to_version=version)


def _entry(request: PrepareRequest, targets: Sequence[str]) -> AuditEntry:
    wanted = request.wanted
    return AuditEntry(
        key=f"migrations:{request.operation_id}:{activity.info().workflow_run_id}",
        actor=audit.escape_name(wanted.requested_by),
        source=wanted.source,
        action="migrations.rollback" if wanted.undoes else "migrations.run",
        environment=wanted.environment,
        detail={
            "operation_id": request.operation_id,
            "databases": list(targets),
            "version": wanted.version,
            "accepts_loss": wanted.accepts_loss,
            "reason": wanted.reason,
        },
    )


def chosen_of(targets: Sequence[MigrationTarget], wanted: Wanted) -> list[MigrationTarget]:
    """Those of ``targets`` that are meant. Pure."""
    return [
        one
        for one in targets
        if wanted.database in ("", one.scripts) and (not wanted.tenant or wanted.tenant in one.tenants)
    ]
