"""Compares environments with what the ledger says was delivered to them, two at a time, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.engine import Engine, EngineSettings
from policies.errors import AdxError
from policies.findings import suggestion
from workflows.bodies import Bodies
from workflows.clients.kubernetes import Cluster
from workflows.drift.check import Say, Sources, check, unchecked
from workflows.drift.findings import EnvironmentDrift
from workflows.ledger import Ledger, environments
from workflows.ledger.models import Environment
from workflows.snapshots import open_store

AT_ONCE = 2


class EnvironmentUnknown(AdxError):
    """The ledger knows no such environment."""

    exit_code = 6


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
        try:
            settings = EngineSettings.from_environment(self.environ)
            bodies = Bodies(open_store(self.environ))
            cluster = await Cluster.connect(str(settings.kubeconfig), settings.kube_context, environ=self.environ)
        except AdxError as error:
            return unchecked(known, error)
        async with cluster:
            sources = Sources(self.ledger, bodies, lambda stack: Engine(settings, stack), cluster)
            return (await check(sources, known, self.say)).found
