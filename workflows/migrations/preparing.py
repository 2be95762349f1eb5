"""Which databases an operation is about: what is delivered in an environment, and what was asked for of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from temporalio import activity

from policies.desired_state import DesiredState
from policies.migrations.targets import MigrationTarget, Targets, targets_of
from workflows.errors import AdxValidationError
from workflows.ledger import audit, environments, rollouts
from workflows.ledger import migrations_targets as rows
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
        await self._runtime.repository.fetch()
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
            targets=tuple([one for target in chosen async for one in self._towards(target, wanted)]),
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

    async def _towards(self, target: MigrationTarget, wanted: Wanted) -> AsyncIterator[MigrationTarget]:
        """The target on its way to the version that is wanted; nothing where there is nothing to take back."""
        ledger = self._runtime.ledger
        version: int | None = target.to_version if wanted.version is None else wanted.version
        if wanted.undoes:
            runs = await rows.delivered_runs(ledger, target.id)
            meant = [one for one in runs[:1] if wanted.undoes in (LAST, one.operation_id)]
            version = meant[0].from_version if meant else None
        if version is None:
            return
        is_new = await rows.find_target(ledger, target.id) is None
        yield msgspec.structs.replace(
            target, from_version=max(target.from_version, version), to_version=version, is_new=is_new
        )


def _entry(request: PrepareRequest, targets: Sequence[str]) -> AuditEntry:
    wanted = request.wanted
    return AuditEntry(
        key=f"migrations:{request.operation_id}",
        actor=audit.escape_name(wanted.requested_by),
        source="cli",
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
