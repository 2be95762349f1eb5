"""How a repository judges what checks find: ``policies/policies.yaml``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from policies.checkov.catalogue import SeveritySetting
from policies.checkov.findings import Severity, Waiver
from policies.spec import Spec


class SwitchedOff(Spec):
    """A check that is not run, and why."""

    severity: Literal["off"]
    reason: str


class ReplicaBounds(Spec):
    """How far one change may move the replicas of a service, and how many it may have. None bounds nothing."""

    max_change_percent: float | None = None
    max: int | None = None


class EnvironmentPolicies(Spec):
    """What differs in one environment."""

    block_from: Severity | None = None
    replicas: ReplicaBounds = ReplicaBounds()


class PoliciesSpec(Spec):
    """``policies/policies.yaml``. A finding of the severity ``block_from`` or above blocks, one below only warns."""

    block_from: Severity = "high"
    severities: dict[str, SeveritySetting | SwitchedOff] = field(default_factory=dict)
    environments: dict[str, EnvironmentPolicies] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()

    def threshold(self, environment: str) -> Severity:
        """From which severity on a finding blocks in ``environment``."""
        own = self.environments.get(environment, EnvironmentPolicies())
        return own.block_from or self.block_from
