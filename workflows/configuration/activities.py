"""The steps by which values reach the store and those who read them, and come back when they hurt."""

from __future__ import annotations

import asyncio

from temporalio import activity

from policies.configuration.delivered import values_of_state
from policies.desired_state import DesiredState
from policies.errors import AdxError
from workflows.bodies import DeliveryBody
from workflows.configuration import delivering, health
from workflows.configuration.durable import (
    BackedUp,
    Checked,
    ConfigurationRestore,
    ConfigurationRestored,
    ConfigurationUpdate,
    Healthy,
    Notified,
    PlannedUpdate,
    Written,
)
from workflows.configuration.models import Author
from workflows.configuration.plan import ConfigurationPlan, check, plan_of, sealed_in
from workflows.configuration.secrets import Sealer
from workflows.infrastructure.activities import fenced
from workflows.infrastructure.models import StackLease
from workflows.ledger import audit, idempotency
from workflows.ledger.models import AuditEntry
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey, round_of_restore

BACK_UP = "configuration-backup"
ANNOUNCED_LATER = "readers were not told: they may read older values from the shared cache for up to 5 minutes"


class ConfigurationActivities:
    """Activities of the workflows that deliver configuration. Each may be repeated; no secret is ever in clear."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def check_values(self, update: ConfigurationUpdate) -> Checked:
        """Find what would change, and refuse what no reader should get. Raises ValueRefused, SecretNotForHere."""

        async def work(report: Report) -> Checked:
            plan = await self._plan(update)
            check(plan, await self._state(update.state, update.environment))
            secrets = sealed_in(plan)
            if secrets and self._runtime.environ.get("VAULT_ADDR"):
                report(f"{len(secrets)} ciphertext(s) are held against Vault")
                # A rewrap tells whether a ciphertext is of its key, and shows no value.
                await asyncio.to_thread(Sealer.from_settings(self._runtime.environ).rewrap, secrets)
            return Checked(len(plan.changes), plan.services())

        return await self._runtime.steps.run(_key(update, "configuration-check"), Checked, work)

    @activity.defn
    async def back_up_values(self, update: ConfigurationUpdate) -> BackedUp:
        """Keep every change beside what is there now: what the restore brings back."""

        async def work(report: Report) -> BackedUp:
            plan = await self._plan(update)
            report(f"{len(plan.changes)} value(s)")
            digest = await self._runtime.bodies.put(plan, update.environment)
            return BackedUp(digest, len(plan.changes), plan.services())

        return await self._runtime.steps.run(_key(update, BACK_UP), BackedUp, work)

    @activity.defn
    async def write_values(self, planned: PlannedUpdate) -> Written:
        """Write all values in one transaction, then tell every reader. Raises UpdateConflict: somebody else wrote."""
        update = planned.update

        async def work(report: Report) -> Written:
            plan = await self._read(planned.plan, update.environment)
            lease = StackLease(update.environment, update.rollout_id, 0)
            async with (
                fenced(self._runtime.ledger, lease),
                delivering.opened_store(self._runtime.environ) as store,
            ):
                written = await store.write(plan.writes(), _author(update.by, update.rollout_id, update.state))
            rows = dict(zip((one.key for one in plan.changes), written, strict=True))
            report(f"{len(rows)} value(s) written")
            return Written(len(rows), await delivering.announce(self._runtime.environ, rows))

        return await self._runtime.steps.run(_key(update, "configuration-apply"), Written, work)

    @activity.defn
    async def notify_services(self, planned: PlannedUpdate) -> Notified:
        """Tell the services by their webhooks; who acknowledged is kept in the ledger's audit trail."""
        update = planned.update

        async def work(report: Report) -> Notified:
            plan = await self._read(planned.plan, update.environment)
            change_id = _change_id(update.rollout_id, update.state) + (":restore" if planned.is_undo else "")
            async with delivering.opened_store(self._runtime.environ) as store:
                rows = await delivering.rows_of(store, (one.key for one in plan.changes))
            told = await delivering.tell_services(self._runtime.environ, rows, change_id, is_restore=planned.is_undo)
            report(f"{len(told.acknowledged)} acknowledged, {len(told.silent)} did not")
            await self._record(update, told, change_id)
            return told

        name = f"configuration-notify{'-restore' if planned.is_undo else ''}"
        return await self._runtime.steps.run(_key(update, name), Notified, work)

    @activity.defn
    async def check_health(self, planned: PlannedUpdate) -> Healthy:
        """Whether those who read the new values are well, within 2 minutes. Raises PostDeploymentTestFailed."""
        update = planned.update

        async def work(report: Report) -> Healthy:
            plan = await self._read(planned.plan, update.environment)
            state = await self._state(update.state, update.environment)
            body = await self._runtime.bodies.get(update.delivery, DeliveryBody, update.environment)
            return await health.await_health(self._runtime, plan.services(), state, body.environment, report)

        key = _key(update, f"configuration-health-{activity.info().attempt}")
        return await self._runtime.steps.run(key, Healthy, work)

    @activity.defn
    async def restore_values(self, request: ConfigurationRestore) -> ConfigurationRestored:
        """Write back what was there before, tell every reader, and read it all again."""

        async def work(report: Report) -> ConfigurationRestored:
            plan = await self._backup_of(request)
            if plan is None or not plan.changes:
                return ConfigurationRestored(verified=True)
            author = _author(request.by, request.rollout_id, f"{request.state}:restore:{request.round_number}")
            async with (
                fenced(self._runtime.ledger, StackLease(request.environment, request.rollout_id, 0)),
                delivering.opened_store(self._runtime.environ) as store,
            ):
                keys = [one.key for one in plan.changes]
                if undo := plan.undo(await delivering.rows_of(store, keys)):
                    await store.write(undo, author)
                rows = await delivering.rows_of(store, keys)
            report(f"{len(rows)} value(s) read again")
            return _restored(plan, rows, await self._announced(rows))

        content = f"{request.state}{round_of_restore(request.round_number)}"
        key = StepKey(request.rollout_id, request.environment, "configuration-restore", content)
        return await self._runtime.steps.run(key, ConfigurationRestored, work)

    async def _plan(self, update: ConfigurationUpdate) -> ConfigurationPlan:
        """What differs between the store and the state, now."""
        state = await self._state(update.state, update.environment)
        wanted, known = values_of_state(state), set()
        if update.base_state is not None:
            known = set(values_of_state(await self._state(update.base_state, update.environment)))
        async with delivering.opened_store(self._runtime.environ) as store:
            kept = await delivering.kept_of(store, known | wanted.keys())
        tags = await delivering.read_tags(self._runtime.repository.path, state.commit, update.environment)
        return plan_of(wanted, kept, tags)

    async def _backup_of(self, request: ConfigurationRestore) -> ConfigurationPlan | None:
        """The plan of the update that is undone; None where it never came so far, and so never wrote anything."""
        key = StepKey(request.rollout_id, request.environment, BACK_UP, request.state)
        known = await idempotency.find(self._runtime.ledger, key.idempotency_key)
        if known is None:
            return None
        return await self._read(str(known.result["plan"]), request.environment)

    async def _announced(self, rows: delivering.Rows) -> str:
        """What went wrong with telling the readers: the store holds the old values all the same."""
        try:
            await delivering.announce(self._runtime.environ, rows)
        except AdxError as error:
            return f"{error}: {ANNOUNCED_LATER}"
        return ""

    async def _record(self, update: ConfigurationUpdate, told: Notified, change_id: str) -> None:
        entry = AuditEntry(
            key=f"configuration.notified:{change_id}:{activity.info().workflow_run_id}:{activity.info().attempt}",
            actor=audit.escape_name(update.by),
            source="workflow",
            action="configuration.notified",
            environment=update.environment,
            detail={
                "rollout_id": update.rollout_id,
                "acknowledged": list(told.acknowledged),
                "silent": dict(told.silent),
            },
        )
        await audit.append(self._runtime.ledger, entry)

    async def _state(self, digest: str, environment: str) -> DesiredState:
        return await self._runtime.bodies.get(digest, DesiredState, environment)

    async def _read(self, digest: str, environment: str) -> ConfigurationPlan:
        return await self._runtime.bodies.get(digest, ConfigurationPlan, environment)


def _restored(plan: ConfigurationPlan, rows: delivering.Rows, warning: str) -> ConfigurationRestored:
    """What the store holds now, as a verdict."""
    remaining, others = plan.not_back(rows), plan.changed_by_others(rows)
    failure = f"{remaining[0]} is not what it was" if remaining else ""
    told = [f"{name} was changed by somebody else meanwhile, and is left as it is" for name in others[:1]]
    return ConfigurationRestored(
        not remaining, len(rows) - len(others), failure, "; ".join([*told, warning] if warning else told)
    )


def _key(update: ConfigurationUpdate, name: str) -> StepKey:
    return StepKey(update.rollout_id, update.environment, name, update.state)


def _change_id(rollout_id: str, state: str) -> str:
    return f"{rollout_id}:{state[:16]}"


def _author(by: str, rollout_id: str, state: str) -> Author:
    """Who changes, under an id that is the same for every attempt."""
    head, _, rest = state.partition(":")
    change_id = _change_id(rollout_id, head) + (f":{rest}" if rest else "")
    return Author(by=audit.escape_name(by)[:200] or "unknown", change_id=change_id[:200])
