"""Reads what the cluster and the ledger really have, for the demo's proofs. Reads only."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.selectors import made_by_adx
from workflows.ledger import Ledger, environments, quarantine, rollouts, units
from workflows.ledger.models import Rollout


@dataclass(frozen=True)
class Looked:
    """What was found at one moment. ``digests`` has one SHA-256 per live object."""

    digests: dict[str, str]
    objects: list[dict[str, Any]]
    delivered_commit: str | None
    last: Rollout | None
    quarantined: tuple[str, ...]
    statuses: dict[str, str]  # of each unit, as the ledger has it

    def tenants(self) -> list[str]:
        """Names of the tenants that have a namespace, in order."""
        labels = (item["metadata"].get("labels", {}) for item in self.objects if item["kind"] == "Namespace")
        units = (found.get("adx/unit", "") for found in labels)
        return sorted(unit.removeprefix("tenant.") for unit in units if unit.startswith("tenant."))

    def namespace_of(self, tenant: str) -> str:
        """The namespace of ``tenant``."""
        return next(str(one["metadata"]["name"]) for one in self._of(tenant) if one["kind"] == "Namespace")

    def pods_of(self, tenant: str) -> int:
        """How many pods the quota of ``tenant`` allows."""
        quota = next(one for one in self._of(tenant) if one["kind"] == "ResourceQuota")
        return int(quota["spec"]["hard"]["pods"])

    def objects_of(self, tenant: str) -> dict[str, str]:
        """The digests of the objects in the namespace of ``tenant``, and of the namespace."""
        namespace = self.namespace_of(tenant)
        return {name: digest for name, digest in self.digests.items() if namespace in name.split("/")}

    def _of(self, tenant: str) -> list[dict[str, Any]]:
        unit = f"tenant.{tenant}"
        return [one for one in self.objects if one["metadata"].get("labels", {}).get("adx/unit") == unit]

    def image_of(self, deployment: str) -> str:
        """The image that ``deployment`` runs."""
        found = self._object("Deployment", deployment)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def has_namespace(self, ending: str) -> bool:
        """Whether a namespace with that ending exists."""
        return any(item["kind"] == "Namespace" and item["metadata"]["name"].endswith(ending) for item in self.objects)

    def _object(self, kind: str, name: str) -> dict[str, Any]:
        return next(item for item in self.objects if item["kind"] == kind and item["metadata"]["name"] == name)


def look(home: Path, environment: str) -> Looked:
    """Cluster and ledger, now."""
    settings = json.loads((home / "env.json").read_text())
    return asyncio.run(_look(settings, environment))


async def _look(settings: dict[str, str], environment: str) -> Looked:
    async with (
        await Cluster.connect(settings["KUBECONFIG"], settings["ADX_KUBE_CONTEXT"]) as cluster,
        await Ledger.open(settings["ADX_LEDGER_URL"]) as ledger,
    ):
        by_unit = await cluster.live_digests(environment)
        known = await environments.find(ledger, environment)
        last = await rollouts.newest(ledger, environment, limit=1)
        return Looked(
            digests={name: digest for objects in by_unit.values() for name, digest in objects.items()},
            objects=await cluster.live_objects(made_by_adx(environment)),
            delivered_commit=known.delivered_commit if known else None,
            last=last[0] if last else None,
            quarantined=tuple(entry.commit for entry in await quarantine.commits_of(ledger, environment)),
            statuses={unit.unit: unit.status for unit in await units.units_of(ledger, environment)},
        )
