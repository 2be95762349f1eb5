"""The report on a pull request. Pure data; every format is made from this and nothing else.

What stands here may be shown to anybody who may read the pull request: values
that look like secrets were masked when the report was made.
"""

from __future__ import annotations

from typing import Literal

from infra.engine.plan import Action
from pipelines.preview.migrations.report import DataLoss, MigrationOutline
from policies.change_set import FieldChange
from policies.checkov.findings import PolicyFinding
from policies.errors import Problem
from policies.infrastructure.spec import BeyondBudget
from policies.renames import Rename
from policies.spec import Spec

Downtime = Literal["none", "possible", "certain"]
Verdict = Literal["ok", "blocked", "unchecked"]


class ResourceRow(Spec):
    """One Kubernetes object that would change. ``system`` is the slug of the system that renders it.

    ``fields`` are what differs, without the label that names the commit;
    ``replaced_because`` are the paths that cannot be changed in place.
    ``is_pending`` when the difference comes from commits that were merged
    before this pull request and are not delivered yet.
    """

    unit: str
    system: str
    kind: str
    name: str
    action: Action
    namespace: str = ""
    fields: tuple[FieldChange, ...] = ()
    replaced_because: tuple[str, ...] = ()
    is_pending: bool = False

    @property
    def is_dangerous(self) -> bool:
        """Whether something that exists would go."""
        return self.action in ("replace", "delete")


class UnitRow(Spec):
    """One unit that the pull request touches, with what its declaration changes."""

    unit: str
    action: Literal["add", "change", "remove"]
    file: str
    fields: tuple[FieldChange, ...] = ()


class Disruption(Spec):
    """What the users of one unit would notice. ``pods_restarted`` counts pods, ``volumes_replaced`` claims."""

    unit: str
    pods_restarted: int = 0
    volumes_replaced: int = 0
    downtime: Downtime = "none"
    why: str = ""


class TenantEffect(Spec):
    """A tenant that would notice: ``through`` are the changed services that it may reach.

    ``is_direct`` when its own unit changes.
    """

    tenant: str
    is_direct: bool = False
    through: tuple[str, ...] = ()


class WaveOutline(Spec):
    """One wave of a fleet rollout: its units (ids) in the order in which they start.

    ``name`` is ``core``, ``canaries``, the number of a step, ``removals`` or
    ``core-removals``; ``upto`` is a step's share as declared (``5``, ``25%``).
    """

    name: str
    units: tuple[str, ...]
    upto: str = ""
    needs_approval: bool = False


class Holds(Spec):
    """What keeps rollouts from starting units: ``now`` (empty: nothing), freezes that are ``coming``, and ``windows``.

    All in words for a person.
    """

    now: str = ""
    coming: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()


class FleetOutline(Spec):
    """The waves in which the rollout would reach the tenants, and what ends it early.

    ``total`` counts the units that are delivered each for itself (all but
    those of ``core``), of which ``allowed_failures`` may fail.
    """

    waves: tuple[WaveOutline, ...]
    total: int
    allowed_failures: int
    beyond_budget: BeyondBudget
    bake_seconds: int = 0
    gates: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    max_parallel: int = 1
    holds: Holds = Holds()


class EnvironmentReport(Spec):
    """What would happen in one environment.

    ``delivered_commit`` is what the environment runs now (empty: nothing yet).
    ``relabelled`` counts objects of which only the label changes that names
    the commit. ``pending_units`` were changed by commits that are merged and
    not delivered yet; they would be delivered with this one. ``rules`` are what
    differs in environment.yaml. ``fleet`` is set where tenants change that are
    delivered in waves, ``migrations`` where databases get another version.
    ``problems`` forbid the change, ``unchecked`` says what could not be looked
    at: both make the check fail. ``digest`` binds a rollout to this plan.
    """

    environment: str
    delivered_commit: str
    units: tuple[UnitRow, ...] = ()
    rules: tuple[FieldChange, ...] = ()
    resources: tuple[ResourceRow, ...] = ()
    relabelled: int = 0
    unchanged: int = 0
    pending_units: tuple[str, ...] = ()
    renames: tuple[Rename, ...] = ()
    disruptions: tuple[Disruption, ...] = ()
    tenants: tuple[TenantEffect, ...] = ()
    findings: tuple[PolicyFinding, ...] = ()
    problems: tuple[Problem, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fleet: FleetOutline | None = None
    migrations: tuple[MigrationOutline, ...] = ()
    digest: str = ""

    @property
    def blocking(self) -> int:
        """How many findings forbid the merge, those in scripts of databases among them."""
        of_scripts = sum(len(one.blocking) for one in self.migrations)
        return of_scripts + sum(finding.is_blocking for finding in self.findings)

    @property
    def losses(self) -> tuple[DataLoss, ...]:
        """What databases would lose for good."""
        return tuple(loss for one in self.migrations for loss in one.losses)

    @property
    def verdict(self) -> Verdict:
        """Blocked wins over unchecked: both fail, but one can be mended in the pull request."""
        if self.problems or self.blocking:
            return "blocked"
        return "unchecked" if self.unchecked else "ok"


class ToolVersion(Spec):
    """One program that the preview was made with."""

    name: str
    version: str


class Reverted(Spec):
    """A commit of the base that the branch says it reverts, in git's own words.

    Of its ``changes`` of fields so many are ``taken_back``, and the branch makes others ``beside``. Not ``is_compared``
    where the commit's declarations can no longer be read: then all are 0.
    """

    commit: str
    subject: str
    is_compared: bool = False
    changes: int = 0
    taken_back: int = 0
    beside: int = 0


class Report(Spec):
    """A whole preview. ``base``, ``head`` and ``merged`` are full commit ids.

    ``merged`` is what the base branch would hold after the merge.
    ``policies_commit`` is where the policies were taken from, never the head.
    """

    base: str
    head: str
    merged: str
    base_ref: str
    head_ref: str
    environments: tuple[EnvironmentReport, ...]
    policies_commit: str = ""
    reverts: tuple[Reverted, ...] = ()
    notes: tuple[str, ...] = ()
    tools: tuple[ToolVersion, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the environments."""
        verdicts = [environment.verdict for environment in self.environments]
        return next((found for found in ("blocked", "unchecked") if found in verdicts), "ok")
