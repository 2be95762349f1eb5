"""What a rule knows beside the object it looks at. Pure, nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.checkov.manifests import Manifest, mapping

# Where the runner says, on the copy that is checked, which unit an object belongs to; labels might lie.
STAMP = "x-adx"


@dataclass(frozen=True)
class Bounds:
    """How far the replicas of one environment may move. ``None`` bounds nothing."""

    max_change_percent: float | None = None
    max_replicas: int | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a rule knows beside the object: its environment's ``region``, bounds, and what is delivered now.

    ``delivered_replicas`` is None for a unit that is not there yet.
    """

    unit: str = ""
    environment: str = ""
    region: str = ""
    bounds: Bounds = Bounds()
    delivered_replicas: int | None = None

    @property
    def tenant(self) -> str:
        """The tenant that the object belongs to; empty when it is the platform's or a service's."""
        kind, _, name = self.unit.partition("/")
        return name if kind == "tenant" else ""

    @property
    def tenant_namespace(self) -> str:
        """The one namespace of the tenant in its environment (as :mod:`policies.desired_state` names it)."""
        return f"{self.environment}-tenant-{self.tenant}"


def surroundings_of(manifest: Manifest, context: Mapping[str, Any]) -> Surroundings:
    """What ``context`` (see :mod:`policies.checkov.context`) says about the unit that the object is stamped with."""
    stamp = mapping(manifest.get(STAMP))
    unit, environment = str(stamp.get("unit", "")), str(stamp.get("environment", ""))
    facts = mapping(mapping(context.get("environments")).get(environment))
    return Surroundings(
        unit=unit,
        environment=environment,
        region=str(facts.get("region", "")),
        bounds=Bounds(facts.get("max_change_percent"), facts.get("max_replicas")),
        delivered_replicas=mapping(facts.get("delivered_replicas")).get(unit),
    )
