"""Small desired states, built by hand: what the infrastructure tests render and apply."""

from __future__ import annotations

import msgspec

from policies.configuration.spec import FlagSpec
from policies.desired_state import (
    DesiredState,
    PlatformInputs,
    ServiceInputs,
    TenantInputs,
    Unit,
    UnitInputs,
    digest_of,
)
from policies.services.spec import Autoscaling, Port, ProbeAction, Probes, ResourceAmounts, Resources, ServiceSpec
from policies.tenancy.spec import Compliance, Database, Egress, Network, ResourceLimits

COMMIT = "a" * 40


def unit(unit_id: str, inputs: UnitInputs, commit: str = COMMIT) -> Unit:
    """A unit with the digest that its inputs have."""
    return Unit(id=unit_id, commit=commit, digest=digest_of(inputs), inputs=inputs)


def service_spec(name: str = "cart", **changes: object) -> ServiceSpec:
    """A service that uses everything a service can declare, autoscaling apart."""
    spec = ServiceSpec(
        name=name,
        description="Keeps what a customer wants to buy.",
        owner="team-checkout@example.com",
        image="registry.example/shop/cart",
        version="v1.2.3",
        resources=Resources(
            requests=ResourceAmounts(cpu="100m", memory="64Mi"), limits=ResourceAmounts(cpu="200m", memory="128Mi")
        ),
        replicas=2,
        ports=(Port(name="grpc", port=7070), Port(name="http", port=80, target_port=8080)),
        probes=Probes(
            readiness=ProbeAction(port="http", http_path="/ready", http_headers={"Cookie": "probe=1"}),
            liveness=ProbeAction(port="grpc", grpc=True),
            startup=ProbeAction(port="grpc", tcp=True, failure_threshold=30),
        ),
        feature_flags=("new-checkout",),
        env={"REDIS_ADDR": "redis:6379"},
        writable_paths=("/tmp", "/var/cache"),
    )
    return msgspec.structs.replace(spec, **changes)


def service_unit(environment: str = "test", spec: ServiceSpec | None = None, **configuration: str | int | bool) -> Unit:
    """A service in the platform namespace of ``environment``."""
    spec = spec or service_spec()
    inputs = ServiceInputs(
        environment=environment,
        namespace=f"shop-{environment}",
        service=spec,
        configuration=dict(configuration),
        ready_timeout_seconds=120,
    )
    return unit(f"service/{spec.name}", inputs)


def platform_unit(environment: str = "test", *, checkout_enabled: bool = True) -> Unit:
    """A platform with one flag of each type."""
    flags = (
        FlagSpec(name="new-checkout", description="d", owner="o", type="boolean", enabled=checkout_enabled),
        FlagSpec(name="faster-search", description="d", owner="o", type="percentage", percentage=12.5),
        FlagSpec(name="beta-banner", description="d", owner="o", type="user_list", users=("ann",)),
        FlagSpec(name="gift-cards", description="d", owner="o", type="tenant_list", tenants=("acme",)),
    )
    inputs = PlatformInputs(
        environment=environment,
        region="eu-west-1",
        owner="platform@example.com",
        namespace=f"shop-{environment}",
        flags=flags,
    )
    return unit("platform", inputs)


def tenant_unit(environment: str = "test", name: str = "acme", **changes: object) -> Unit:
    """A tenant that may reach one platform service and one outside address."""
    inputs = TenantInputs(
        environment=environment,
        platform_namespace=f"shop-{environment}",
        namespace=f"{environment}-{name}",
        name=name,
        display_name="Acme, Inc.",
        owner="sales@example.com",
        isolation_strategy="schema_per_tenant",
        database=Database(engine="postgresql", name="shop", schema="acme"),
        resource_limits=ResourceLimits(cpu="4", memory="8Gi", storage="50Gi", pods=20),
        compliance=Compliance(frameworks=("gdpr", "soc2"), data_residency="eu", retention_days=365),
        network=Network(
            services=("cart",), egress=(Egress(cidr="203.0.113.0/24", port=443, reason="payment provider"),)
        ),
        service_ports={"cart": (7070, 8080)},
        configuration={"cart": {"CURRENCY": "EUR"}},
        flags={"new-checkout": False},
    )
    return unit(f"tenant/{name}", msgspec.structs.replace(inputs, **changes))


def desired_state(environment: str, *units: Unit, commit: str = COMMIT) -> DesiredState:
    """The units as a state; those of a small shop when none are given."""
    chosen = units or (
        platform_unit(environment),
        service_unit(environment, LOG_LEVEL="info"),
        tenant_unit(environment),
    )
    ordered = tuple(sorted(chosen, key=lambda one: one.id))
    return DesiredState(environment=environment, commit=commit, units=ordered)


AUTOSCALED = Autoscaling(min_replicas=2, max_replicas=10, target_cpu_percent=60)
