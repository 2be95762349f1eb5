"""Compares environments with what the ledger says was delivered to them, two at a time.

What cannot be found out about an environment becomes its result, so that the
others are still told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.engine import Engine, EngineSettings
from pipelines.drift.compare import AppliedObject, applied_objects, drifted
from pipelines.drift.model import EnvironmentDrift
from pipelines.preview.masking import Masker, secrets_in
from policies.desired_state import DesiredState, Unit
from policies.errors import AdxError
from policies.findings import suggestion
from policies.placement import part_of, stacks_of
from workflows.bodies import Bodies
from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL, object_id
from workflows.ledger import Ledger, environments, rollouts
from workflows.ledger.models import Environment
from workflows.snapshots import open_store

AT_ONCE = 2
Say = Callable[[str], None]


class EnvironmentUnknown(AdxError):
    """The ledger knows no such environment."""

    exit_code = 6


class StateOfAnotherDelivery(AdxError):
    """The engine's state is not of what the ledger says was delivered: what it says would be wrong."""


async def chosen(ledger: Ledger, names: Sequence[str]) -> list[Environment]:
    """The environments ``names``, or all that something was delivered to. Raises EnvironmentUnknown."""
    known = {found.name: found for found in await environments.all_environments(ledger)}
    for name in names:
        if name not in known:
            fix = suggestion(name, known, "deliver to it first: `adx deploy`")
            raise EnvironmentUnknown(f"the ledger knows no environment {name}", next_step=fix)
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    return [found for found in known.values() if found.delivered_commit is not None]


@dataclass(frozen=True)
class DriftCheck:
    """Looks at environments. ``environ`` are the settings of engine, cluster and snapshot store."""

    ledger: Ledger
    environ: Mapping[str, str]
    say: Say

    async def check(self, known: Sequence[Environment]) -> list[EnvironmentDrift]:
        """The result of each environment, in that order. Raises only what the ledger raises."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(environment: Environment) -> EnvironmentDrift:
            async with turns:
                return await self._one(environment)

        return await asyncio.gather(*map(one, known))

    async def _one(self, known: Environment) -> EnvironmentDrift:
        name, commit = known.name, known.delivered_commit
        if commit is None or known.delivered_state_digest is None:
            reason = "nothing was delivered yet"
            return EnvironmentDrift(environment=name, status="nothing-delivered", reason=reason)
        newest, busy = await self._rollouts(known)
        if busy:
            return _under_way(known, busy)
        self.say(f"{name}: comparing with the cluster what was delivered from {commit[:12]}")
        try:
            found = await self._compare(known, known.delivered_state_digest)
        except AdxError as error:
            found = EnvironmentDrift(
                environment=name, status="unchecked", commit=commit, reason=str(error), next_step=error.next_step
            )
        # A rollout that began meanwhile may be what was seen, or why it could not be.
        after, busy = await self._rollouts(known)
        return found if after == newest and not busy else _under_way(known, busy or after)

    async def _rollouts(self, known: Environment) -> tuple[str, str]:
        """The ids of the newest rollout and of the one under way; empty where there is none."""
        newest = await rollouts.newest(self.ledger, known.name, limit=1)
        unfinished = await rollouts.unfinished(self.ledger, known.name)
        return newest[0].id if newest else "", unfinished[-1].id if unfinished else ""

    async def _compare(self, known: Environment, digest: str) -> EnvironmentDrift:
        settings = EngineSettings.from_environment(self.environ)
        desired = await Bodies(open_store(self.environ)).get(digest, DesiredState, known.name)
        applied: dict[str, AppliedObject] = {}
        for stack in stacks_of(desired):
            engine = Engine(settings, stack)
            if engine.is_busy():
                return _under_way(known, "")
            if part := part_of(desired, stack).units:
                await _require_delivered(engine, stack, part)
                applied |= applied_objects(await engine.export_state())
        live = await self._live(settings, known.name, applied)
        objects = drifted(applied, live, Masker(secrets_in(desired.units)))
        return EnvironmentDrift(
            environment=known.name,
            status="drifted" if objects else "as-delivered",
            commit=known.delivered_commit or "",
            objects=objects,
            compared=len(applied),
            notes=(f"frozen: {known.frozen_reason}",) if known.frozen_reason else (),
        )

    async def _live(
        self, settings: EngineSettings, environment: str, applied: Mapping[str, AppliedObject]
    ) -> list[dict[str, Any]]:
        """Objects with the labels of the environment, and those of ``applied`` that have lost them."""
        selector = f"app.kubernetes.io/managed-by=adx,{ENVIRONMENT_LABEL}={environment}"
        kubeconfig, context = str(settings.kubeconfig), settings.kube_context
        async with await Cluster.connect(kubeconfig, context, environ=self.environ) as cluster:
            found = await cluster.live_objects(selector)
            missing = applied.keys() - set(map(object_id, found))
            # Only then, since it reads the whole cluster: an object without its labels is changed, not missing.
            others = await cluster.live_objects("") if missing else []
        return [*found, *(item for item in others if object_id(item) in missing)]


async def _require_delivered(engine: Engine, stack: str, units: Sequence[Unit]) -> None:
    """What the stack was given last is what the ledger says; another backend would give another answer."""
    given = (await engine.delivered()).units
    other = sorted(unit.id for unit in units if unit.id not in given or given[unit.id].digest != unit.digest)
    if other:
        raise StateOfAnotherDelivery(
            f"the engine's state of {stack} is not of what was delivered last: {', '.join(other[:3])}"
            + (f" and {len(other) - 3} more" if len(other) > 3 else ""),
            next_step="check that PULUMI_BACKEND_URL is the backend that delivers this environment",
        )


def _under_way(known: Environment, rollout: str) -> EnvironmentDrift:
    return EnvironmentDrift(
        environment=known.name,
        status="rollout-under-way",
        commit=known.delivered_commit or "",
        rollout=rollout,
        reason="a rollout is under way: what differs is no drift",
    )
