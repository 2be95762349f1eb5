"""Ordinary pull requests and what is reported of them: one function for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipelines.preview.build import environment_report
from pipelines.preview.report import EnvironmentReport, FleetOutline, Holds, Report, ToolVersion, WaveOutline
from policies.change_set import FieldChange
from policies.checkov.findings import PolicyFinding, Waiver
from policies.desired_state import DesiredState, Unit
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Gate, HttpCheck, RolloutRules, WorkloadsReady
from policies.services.spec import ServiceSpec
from policies.tenancy.spec import ResourceLimits
from tests.preview.plans import plan_between
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit, tenant_unit

BASE, HEAD, MERGED = "3f2a9c1b" * 5, "8d1e77aa" * 5, "5c0ffee1" * 5
TOOLS = (ToolVersion(name="adx", version="0.1.0"), ToolVersion(name="pulumi", version="3.259.0"))


def state(*units: Unit, environment: str = "staging", commit: str = BASE) -> DesiredState:
    """``units`` as a state whose every unit was brought by ``commit``."""
    brought = (msgspec.structs.replace(unit, commit=commit) for unit in units)
    return desired_state(environment, *brought, commit=commit)


def shop(
    *, cart: ServiceSpec | None = None, tenants: tuple[Unit, ...] | None = None, level: str = "info", **platform: Any
) -> list[Unit]:
    """A platform, two services and two tenants in staging."""
    default_tenants = (tenant_unit("staging"), tenant_unit("staging", "globex", display_name="Globex"))
    return [
        platform_unit("staging", **platform),
        service_unit("staging", cart or service_spec(), LOG_LEVEL=level),
        service_unit("staging", service_spec("frontend", replicas=1, image="registry.example/shop/frontend")),
        *(default_tenants if tenants is None else tenants),
    ]


def pinned(after: DesiredState, before: DesiredState) -> DesiredState:
    """``after`` in which units that do not differ keep the commit that brought them."""
    known = before.by_id()
    units = tuple(
        known[unit.id] if unit.id in known and known[unit.id].digest == unit.digest else unit for unit in after.units
    )
    return msgspec.structs.replace(after, units=units)


def changed(units: list[Unit], base_units: list[Unit] | None = None, **more: Any) -> EnvironmentReport:
    """Staging, delivered at the base and changed to ``units`` by the pull request."""
    base = state(*(shop() if base_units is None else base_units))
    after = pinned(state(*units, commit=MERGED), base)
    arguments: dict[str, Any] = {"before": base, "base": base, "after": after, "plan": plan_between(base, after)} | more
    return environment_report(environment="staging", **arguments)


def report(*environments: EnvironmentReport, **changes: Any) -> Report:
    """A report on ``environments``."""
    made = Report(
        base=BASE,
        head=HEAD,
        merged=MERGED,
        base_ref="main",
        head_ref="raise-cart",
        environments=environments,
        policies_commit=BASE,
        tools=TOOLS,
    )
    return msgspec.structs.replace(made, **changes)


def finding(**changes: Any) -> PolicyFinding:
    """A finding at the image of the cart."""
    made = PolicyFinding(
        check="ADX_K8S_1",
        title="Images are named by a digest or by a tag that stays",
        severity="high",
        environment="staging",
        unit="service/cart",
        resource="Deployment/cart",
        file="environments/staging/services.yaml",
        line=12,
        column=14,
        path="services[0].version",
        fix="name a version, or a digest",
        is_blocking=True,
    )
    return msgspec.structs.replace(made, **changes)


def outline(*waves: tuple[str, ...], **changes: Any) -> FleetOutline:
    """Waves as name and unit ids; nobody may fail."""
    listed = tuple(WaveOutline(name=name, units=tuple(units), needs_approval=True) for name, *units in waves)
    made = FleetOutline(
        waves=listed,
        total=sum(len(wave.units) for wave in listed),
        allowed_failures=0,
        beyond_budget="stop",
    )
    return msgspec.structs.replace(made, **changes)


def delivery(fleet: FleetRules | None, cells: int = 0) -> EnvironmentSpec:
    """environment.yaml of staging."""
    return EnvironmentSpec(
        name="staging",
        description="d",
        owner="o",
        region="r",
        namespace="shop-staging",
        rollout=RolloutRules(fleet=fleet, cells=cells),
    )


FLEET = FleetRules(
    canaries=("customer-07", "customer-11"),
    steps=(5, "25%"),
    bake_seconds=900,
    failure_budget="5%",
    gates=(
        Gate(name="all-ready", workloads_ready=WorkloadsReady()),
        Gate(name="shop-answers", http_check=HttpCheck(url="https://shop.example/_healthz")),
    ),
    approval_before=(2,),
    approvers=("role:release-manager", "ines.keller"),
    max_parallel=10,
)
HOLDS = Holds(
    now="freeze year-end (The books are closed.) until 2027-01-04 08:00 in Europe/Berlin",
    windows=("mon, tue, wed, thu 09:00–17:00 in Europe/Berlin",),
)


def customers(count: int, pods: int) -> tuple[Unit, ...]:
    """So many tenants, alike but for their names."""
    limits = ResourceLimits(cpu="4", memory="8Gi", storage="50Gi", pods=pods)
    return tuple(
        tenant_unit("staging", f"customer-{number:02}", display_name=f"Customer {number}", resource_limits=limits)
        for number in range(count)
    )


def fleet_changed() -> Report:
    """A service raised and another taken away, forty tenants changed and one removed: in waves."""
    before = shop(tenants=customers(41, 20))
    after = shop(cart=service_spec(version="v1.3.0"), tenants=customers(40, 30))
    after = [unit for unit in after if unit.id != "service/frontend"]
    return report(changed(after, before, delivery=delivery(FLEET), holds=HOLDS))


def probe_removed() -> Report:
    """One line, however many fields a probe has."""
    spec = service_spec()
    without = msgspec.structs.replace(spec.probes, readiness=None)
    return report(changed(shop(cart=msgspec.structs.replace(spec, probes=without))))


def version_raised() -> Report:
    return report(changed(shop(cart=service_spec(version="v1.3.0"))))


def configuration_changed() -> Report:
    return report(changed(shop(level="debug")))


def flag_switched() -> Report:
    return report(changed(shop(checkout_enabled=False)))


def new_tenant() -> Report:
    added = tenant_unit("staging", "initech", display_name="Initech")
    return report(changed([*shop(), added]))


def quota_raised() -> Report:
    raised = ResourceLimits(cpu="8", memory="16Gi", storage="50Gi", pods=40)
    return report(changed([*shop(tenants=()), tenant_unit("staging", resource_limits=raised), shop()[-1]]))


def quota_lowered() -> Report:
    lowered = ResourceLimits(cpu="2", memory="4Gi", storage="50Gi", pods=20)
    return report(changed([*shop(tenants=()), tenant_unit("staging", resource_limits=lowered), shop()[-1]]))


def tenant_renamed() -> Report:
    return report(changed([*shop(tenants=()), tenant_unit("staging", "acme-eu"), shop()[-1]]))


def tenant_deleted() -> Report:
    return report(changed([*shop(tenants=()), shop()[-1]]))


def service_deleted() -> Report:
    return report(changed([unit for unit in shop() if unit.id != "service/frontend"]))


def reverted() -> Report:
    """Back to what was delivered before; another merge waits."""
    delivered = state(*shop(cart=service_spec(version="v1.2.0")))
    base = pinned(state(*shop(cart=service_spec(version="v1.3.0"), level="info"), commit=HEAD), delivered)
    after = pinned(state(*shop(cart=service_spec(version="v1.2.0")), commit=MERGED), delivered)
    plan = plan_between(delivered, after)
    return report(environment_report(environment="staging", before=delivered, base=base, after=after, plan=plan))


def replaced() -> Report:
    """A selector that cannot be changed in place."""
    one = changed(shop(cart=service_spec(version="v1.3.0")))
    selector = FieldChange(path="spec.selector.matchLabels.app", before='"cart"', after='"basket"')
    base, after = state(*shop()), pinned(state(*shop(cart=service_spec(version="v1.3.0"))), state(*shop()))
    plan = plan_between(base, after)
    changes = tuple(
        msgspec.structs.replace(
            change, action="replace", replaced_because=("spec.selector",), fields=(selector, *change.fields)
        )
        if change.type.endswith(":Deployment")
        else change
        for change in plan.changes
    )
    plan = msgspec.structs.replace(plan, changes=changes)
    assert one.environment == "staging"
    return report(environment_report(environment="staging", before=base, base=base, after=after, plan=plan))


def nothing() -> Report:
    return report(changed(shop()))


def unreachable() -> Report:
    message = "the API server of context staging does not answer within 10 s"
    arguments = {"before": None, "plan": None, "unchecked": (f"{message}; check the network",)}
    return report(changed(shop(cart=service_spec(version="v1.3.0")), **arguments))


def blocked() -> Report:
    lesser = finding(
        check="CKV_K8S_8", title="Containers have a liveness probe", severity="low", is_blocking=False, line=9, column=5
    )
    return report(changed(shop(cart=service_spec(version="latest")), findings=(lesser, finding())))


def waiver_expired() -> Report:
    waiver = Waiver(check="ADX_K8S_1", owner="ana@example.com", reason="until the registry moves", expires="2026-01-31")
    held = msgspec.structs.replace(waiver, check="CKV_K8S_8", expires="2026-12-31")
    return report(
        changed(
            shop(cart=service_spec(version="latest")),
            findings=(
                finding(waiver=waiver, is_waiver_expired=True),
                finding(check="CKV_K8S_8", title="Containers have a liveness probe", is_blocking=False, waiver=held),
            ),
        )
    )


def environment_deleted() -> Report:
    base = state(*shop())
    return report(environment_report(environment="staging", before=base, base=base, after=None, plan=None))


def rules_changed() -> Report:
    rules = (FieldChange(path="approval.required", before="true", after="false"),)
    return report(changed(shop(), rules=rules))


def pending() -> Report:
    """A service raised here; a tenant's deletion merged earlier waits."""
    delivered = state(*shop())
    base = pinned(state(*shop()[:-1], commit=HEAD), delivered)
    after = pinned(state(*shop(cart=service_spec(version="v1.3.0"))[:-1], commit=MERGED), base)
    plan = plan_between(delivered, after)
    return report(environment_report(environment="staging", before=delivered, base=base, after=after, plan=plan))


def several_environments() -> Report:
    quiet = environment_report(
        environment="development", before=state(), base=state(), after=state(), plan=plan_between(None, None)
    )
    staging = changed([*shop(cart=service_spec(version="v1.3.0"), checkout_enabled=False)[:-1]])
    production = msgspec.structs.replace(staging, environment="production", notes=("A rollout is under way.",))
    return report(quiet, production, staging)


EXAMPLES: dict[str, Callable[[], Report]] = {
    made.__name__: made
    for made in (
        version_raised,
        configuration_changed,
        flag_switched,
        new_tenant,
        quota_raised,
        quota_lowered,
        tenant_renamed,
        tenant_deleted,
        service_deleted,
        reverted,
        replaced,
        nothing,
        unreachable,
        blocked,
        waiver_expired,
        environment_deleted,
        rules_changed,
        pending,
        several_environments,
        fleet_changed,
        probe_removed,
    )
}
