"""What was gathered about one environment → its report. Pure, stable order.

Three states are compared: what is delivered now, what the base branch declares,
and what it would declare after the merge. What the pull request changes is the
difference of the last two; the plan starts from the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from infra.engine.plan import Plan, ResourceChange
from infra.metadata import CONTENT_LABEL, REVISION_LABELS
from pipelines.preview.disruption import disruptions
from pipelines.preview.lowering import lowered_services
from pipelines.preview.migrations.report import FoundMigrations
from pipelines.preview.removal import deleted_environment, recreated_tenants
from pipelines.preview.report import EnvironmentReport, Holds, ResourceRow, TenantEffect, UnitRow
from pipelines.preview.waves import fleet_outline
from pipelines.words import counted
from policies.change_set import ChangeSet, FieldChange, UnitChange, diff
from policies.checkov.findings import PolicyFinding
from policies.desired_state import DesiredState, TenantInputs, Unit
from policies.errors import Problem
from policies.findings import environment_file, tenant_file
from policies.infrastructure.spec import EnvironmentSpec
from policies.masking import Masker, secrets_in
from policies.renames import renames

# Labels that say which revision an object belongs to; on pods, where a change restarts, they stand elsewhere.
REVISION_PATHS = frozenset(f"metadata.labels.{label}" for label in (*REVISION_LABELS, CONTENT_LABEL))
OWN_TYPES = ("pulumi:", "adx:")
SYSTEM_BY_UNIT_KIND = {"platform": "infrastructure", "service": "services", "tenant": "tenancy"}
MOST_NAMED = 5
_ACTION_RANK = {"delete": 0, "replace": 1, "update": 2, "create": 3}
# Which document a change is declared in, by the first step of its path; others stand in the unit's main document.
_DOCUMENTS = {"configuration": "configuration", "flags": "flags", "namespace": "environment", "region": "environment"}


def environment_report(
    *,
    environment: str,
    before: DesiredState | None,
    base: DesiredState | None,
    after: DesiredState | None,
    plan: Plan | None,
    findings: Sequence[PolicyFinding] = (),
    problems: Sequence[Problem] = (),
    notes: Sequence[str] = (),
    unchecked: Sequence[str] = (),
    rules: Sequence[FieldChange] = (),
    delivery: EnvironmentSpec | None = None,
    holds: Holds | None = None,
    digest: str = "",
    migrations: FoundMigrations | None = None,
) -> EnvironmentReport:
    """The report on ``environment``.

    ``before`` is what is delivered now (None: nothing), ``base`` what the base
    branch declares (None: the environment is new), ``after`` the merge result
    (None: the environment is removed). ``plan`` is None when none could be
    made; ``unchecked`` then says why. ``rules`` are what differs in
    environment.yaml; ``delivery`` is environment.yaml after the merge and
    ``holds`` what keeps a rollout waiting: for the waves, and for who must agree. ``digest``
    defaults to the plan's. ``migrations`` is what becomes of databases.
    """
    # Where nothing could be looked at, nobody knows what is delivered: that is not the same as nothing.
    is_known = before is not None or plan is not None or not unchecked
    proposed = _difference(environment, base, after)
    delivered = before if is_known else base
    waiting = _difference(environment, delivered, base)
    proposed_units = frozenset(change.unit for change in proposed.changes)
    changes = _shown(plan)
    masker = Masker(secrets_in(_concerned((before, base, after), {*proposed_units, *(one.unit for one in changes)})))
    fleet = fleet_outline(delivered, after, delivery, holds or Holds())
    databases = migrations or FoundMigrations()
    removal = deleted_environment(environment, before or base, after)
    report = EnvironmentReport(
        environment=environment,
        delivered_commit=before.commit if before is not None else "",
        pending_units=tuple(change.unit for change in waiting.changes if change.unit not in proposed_units),
        tenants=_tenants(proposed, base, after),
        findings=tuple(findings),
        problems=(
            *removal.problems,
            *recreated_tenants(delivered, after),
            *lowered_services(delivered, after),
            *databases.problems,
            *problems,
        ),
        unchecked=(*unchecked, *databases.unchecked),
        notes=(
            *approval_words(delivery, is_asked=not (proposed.is_empty() and waiting.is_empty())),
            *notes,
            *removal.notes,
            *_mixed(proposed, waiting),
            *databases.notes,
        ),
        rules=tuple(rules),
        fleet=masker.texts(fleet) if fleet is not None else None,
        migrations=tuple(map(masker.texts, databases.outlines)),
        digest=digest or (plan.digest if plan is not None else ""),
    )
    return _planned(
        _masked(report, proposed, masker), plan, _resources(changes, proposed_units, masker), (before, after)
    )


def _masked(report: EnvironmentReport, proposed: ChangeSet, masker: Masker) -> EnvironmentReport:
    """``report`` with its units, and with everything that was handed over as anybody may see it."""
    return msgspec.structs.replace(
        report,
        units=tuple(_unit_row(report.environment, change, masker) for change in proposed.changes),
        renames=tuple(masker.texts(one) for one in renames(proposed) if not one.before.startswith("tenant/")),
        findings=tuple(map(masker.texts, report.findings)),
        problems=tuple(map(masker.texts, report.problems)),
        unchecked=tuple(map(masker.text, report.unchecked)),
        notes=tuple(map(masker.text, report.notes)),
        rules=masker.fields(report.rules),
    )


def _planned(
    report: EnvironmentReport,
    plan: Plan | None,
    resources: tuple[tuple[ResourceRow, ...], int],
    states: tuple[DesiredState | None, DesiredState | None],
) -> EnvironmentReport:
    """``report`` with what the plan says; ``resources`` are those to show and how many are only relabelled."""
    if plan is None:
        return report
    shown, relabelled = resources
    return msgspec.structs.replace(
        report,
        resources=shown,
        relabelled=relabelled,
        unchanged=plan.same,
        disruptions=disruptions(shown, *states, (row.unit for row in report.units)),
    )


def _difference(environment: str, before: DesiredState | None, after: DesiredState | None) -> ChangeSet:
    return diff(before, after or DesiredState(environment=environment, commit="", units=()))


def _shown(plan: Plan | None) -> list[ResourceChange]:
    """The objects of ``plan``: not the stack's own entries, which are no part of the cluster."""
    return [change for change in plan.changes if not change.type.startswith(OWN_TYPES)] if plan is not None else []


def _concerned(states: Iterable[DesiredState | None], units: set[str]) -> Iterable[Unit]:
    """Each version of ``units`` once."""
    versions = {unit.digest: unit for state in states if state for unit in state.units if unit.id in units}
    return versions.values()


def _resources(
    changes: Iterable[ResourceChange], proposed_units: frozenset[str], masker: Masker
) -> tuple[tuple[ResourceRow, ...], int]:
    """What to show, deletions first; and how many objects only get other revision labels."""
    rows: list[ResourceRow] = []
    relabelled = 0
    for change in changes:
        fields = tuple(field for field in change.fields if field.path not in REVISION_PATHS)
        if change.action == "update" and change.fields and not fields:
            relabelled += 1
        else:
            rows.append(_row(change, fields, change.unit not in proposed_units, masker))
    return tuple(sorted(rows, key=_order)), relabelled


def _row(change: ResourceChange, fields: tuple[FieldChange, ...], is_pending: bool, masker: Masker) -> ResourceRow:
    kind = change.type.rpartition(":")[2]
    unit_kind = change.unit.partition("/")[0]
    return ResourceRow(
        unit=masker.text(change.unit),
        system=masker.text(change.component) or SYSTEM_BY_UNIT_KIND.get(unit_kind, "infrastructure"),
        kind=masker.text(kind),
        name=masker.text(change.name.removeprefix(f"{change.unit}/")),
        action=change.action,
        namespace=masker.text(change.namespace),
        fields=masker.fields(fields, kind),
        replaced_because=tuple(map(masker.text, change.replaced_because)),
        is_pending=is_pending,
    )


def _order(row: ResourceRow) -> tuple[object, ...]:
    return _ACTION_RANK[row.action], row.is_pending, row.unit, row.kind != "Namespace", row.kind, row.name


def _unit_row(environment: str, change: UnitChange, masker: Masker) -> UnitRow:
    return UnitRow(
        unit=change.unit,
        action=change.action,
        file=_file(environment, change),
        fields=masker.fields(change.fields),
    )


def _file(environment: str, change: UnitChange) -> str:
    """Where most likely the change was declared: the unit's main document, or the only other one that fits."""
    kind, _, name = change.unit.partition("/")
    roots = {field.path.partition(".")[0].partition("[")[0] for field in change.fields}
    if kind == "tenant":
        return environment_file(environment, "services") if roots == {"service_ports"} else tenant_file(name)
    documents = {_DOCUMENTS.get(root) for root in roots}
    document = documents.pop() if len(documents) == 1 else None
    return environment_file(environment, document or ("environment" if kind == "platform" else "services"))


def _tenants(proposed: ChangeSet, base: DesiredState | None, after: DesiredState | None) -> tuple[TenantEffect, ...]:
    """Tenants that change themselves, and those that may reach a service which changes or goes."""
    direct = {change.unit.partition("/")[2] for change in proposed.changes if change.unit.startswith("tenant/")}
    services = {
        change.unit.partition("/")[2]
        for change in proposed.changes
        if change.unit.startswith("service/") and change.action != "add"
    }
    units = {unit.id: unit for state in (base, after) if state for unit in state.units}
    through: dict[str, tuple[str, ...]] = {}
    for unit in units.values() if services else ():
        if isinstance(unit.inputs, TenantInputs):
            through[unit.inputs.name] = tuple(name for name in unit.inputs.network.services if name in services)
    names = direct | {name for name, reached in through.items() if reached}
    return tuple(
        TenantEffect(tenant=name, is_direct=name in direct, through=through.get(name, ())) for name in sorted(names)
    )


def _mixed(proposed: ChangeSet, waiting: ChangeSet) -> tuple[str, ...]:
    """Units that earlier merges changed too: their rows show both, or nothing where one takes back the other."""
    earlier = {change.unit: _digest(change.before) for change in waiting.changes}
    if waiting.base_commit is None:  # where nothing is delivered yet, all of it is new
        return ()
    both = [change for change in proposed.changes if change.unit in earlier]
    taken_back = [change.unit for change in both if _digest(change.after) == earlier[change.unit]]
    added_to = [change.unit for change in both if change.unit not in taken_back]
    notes = (
        (taken_back, "becomes again what is delivered now: what was merged meanwhile is not delivered"),
        (added_to, "includes changes that were merged earlier and are not delivered yet"),
    )
    return tuple(f"{_named(units)} {what}" for units, what in notes if units)


def approval_words(delivery: EnvironmentSpec | None, *, is_asked: bool) -> tuple[str, ...]:
    """Who must agree once it is merged; nothing where nobody must, or nothing would be delivered."""
    if delivery is None or not delivery.approval.required or not is_asked:
        return ()
    people = ", ".join(delivery.approval.approvers)
    who = f"one of {people}" if len(delivery.approval.approvers) > 1 else people or "anybody"
    hours = counted(delivery.approval.timeout_hours, "hour")
    return (f"once merged, nothing is applied before {who} approves it, within {hours}",)


def _digest(unit: Unit | None) -> str:
    return unit.digest if unit is not None else ""


def _named(units: Sequence[str]) -> str:
    more = len(units) - MOST_NAMED
    return ", ".join(units[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
