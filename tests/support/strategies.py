"""Hypothesis strategies for declarations of one environment whose references all lead somewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.configuration.spec import ConfigurationSpec, FlagSpec, FlagsSpec, Scalar
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.infrastructure.spec import EnvironmentSpec, RolloutRules
from policies.services.spec import (
    Autoscaling,
    Port,
    ProbeAction,
    Probes,
    ResourceAmounts,
    Resources,
    ServiceSpec,
    ServicesSpec,
)
from policies.tenancy.spec import Compliance, Database, Egress, Network, Overrides, ResourceLimits, TenantSpec

ENVIRONMENT = "development"

F = TypeVar("F", bound=Callable[..., None])


def property_of(*arguments: Any, **named: Any) -> Callable[[F], F]:
    """Like ``given``, with no deadline: how long an example takes on a busy machine says nothing."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    bounded = settings(deadline=None, suppress_health_check=checks)

    def property_test(test: F) -> F:
        decorated: F = bounded(given(*arguments, **named)(test))
        return decorated

    return property_test


names = st.sampled_from(["alpha", "beta", "gamma", "delta"])
words = st.text("abc .:[]\"'ü", max_size=6)
# 1, 1.0 and True are equal to Python and different to whoever reads a manifest.
SCALARS: tuple[Scalar, ...] = (0, 1, 1.0, True, False, "1", "true", "", 2.5)
scalars: st.SearchStrategy[Scalar] = st.one_of(st.sampled_from(SCALARS), words)
config_keys = st.sampled_from(["A", "B", "DOTTED.KEY", "with space"])
values = st.dictionaries(config_keys, scalars, max_size=3)
amounts = st.builds(ResourceAmounts, cpu=st.sampled_from(["100m", "1"]), memory=st.sampled_from(["64Mi", "1Gi"]))
limits = st.builds(
    ResourceLimits,
    cpu=st.sampled_from(["1", "2"]),
    memory=st.just("1Gi"),
    storage=st.just("1Gi"),
    pods=st.integers(1, 3),
)
ports = st.lists(
    st.builds(Port, name=names, port=st.integers(1, 3), target_port=st.none() | st.integers(1, 3)),
    max_size=3,
    unique_by=lambda port: port.name,
).map(tuple)
probes = st.builds(
    Probes,
    readiness=st.none()
    | st.builds(ProbeAction, port=names, grpc=st.booleans(), http_headers=st.dictionaries(names, words, max_size=2)),
)


@cache
def name_sets(pool: st.SearchStrategy[str] = names) -> st.SearchStrategy[tuple[str, ...]]:
    """Tuples of different names in any order."""
    return st.lists(pool, max_size=3, unique=True).map(tuple)


@cache
def services(name: str) -> st.SearchStrategy[ServiceSpec]:
    """A service called ``name``."""
    return st.builds(
        ServiceSpec,
        name=st.just(name),
        description=words,
        owner=names,
        image=st.just("image"),
        version=st.sampled_from(["v1", "v2"]),
        resources=st.builds(Resources, requests=amounts, limits=amounts),
        replicas=st.none() | st.integers(0, 2),
        autoscaling=st.none() | st.builds(Autoscaling, min_replicas=st.integers(1, 2), max_replicas=st.just(3)),
        ports=ports,
        probes=probes,
        dependencies=name_sets(),
        feature_flags=name_sets(),
        env=st.dictionaries(config_keys, words, max_size=2),
        writable_paths=name_sets(),
        min_available=st.none() | st.just(1),
        ready_timeout_seconds=st.none() | st.sampled_from([60, 300]),
    )


@cache
def flags(name: str) -> st.SearchStrategy[FlagSpec]:
    """A flag called ``name``."""
    return st.builds(
        FlagSpec,
        name=st.just(name),
        description=words,
        owner=names,
        type=st.sampled_from(["boolean", "percentage", "user_list", "tenant_list"]),
        enabled=st.none() | st.booleans(),
        percentage=st.none() | st.floats(0, 100),
        users=st.none() | name_sets(),
        tenants=st.none() | name_sets(),
    )


overrides = st.builds(
    Overrides,
    configuration=st.dictionaries(names, values, max_size=2),
    flags=st.dictionaries(names, st.booleans(), max_size=2),
    resource_limits=st.none() | limits,
)
egress = st.lists(
    st.builds(Egress, cidr=st.sampled_from(["192.0.2.0/24", "198.51.100.0/24"]), port=st.integers(1, 2), reason=words),
    max_size=3,
    unique_by=lambda rule: (rule.cidr, rule.port),
).map(tuple)


@cache
def tenants(name: str, known_services: tuple[str, ...]) -> st.SearchStrategy[TenantSpec]:
    """A tenant called ``name`` that reaches only ``known_services``."""
    reachable = name_sets(st.sampled_from(known_services)) if known_services else st.just(())
    return st.builds(
        TenantSpec,
        name=st.just(name),
        display_name=words,
        owner=names,
        isolation_strategy=st.just("schema_per_tenant"),
        database=st.builds(Database, engine=st.just("postgresql"), name=names, schema=st.none() | names),
        resource_limits=limits,
        environments=st.sampled_from([(ENVIRONMENT,), ("elsewhere",), (ENVIRONMENT, "elsewhere")]),
        compliance=st.builds(
            Compliance, frameworks=name_sets(st.sampled_from(["gdpr", "soc2"])), encryption_at_rest=st.booleans()
        ),
        network=st.builds(Network, services=reachable, egress=egress),
        overrides=st.dictionaries(st.sampled_from([ENVIRONMENT, "elsewhere"]), overrides, max_size=2),
    )


@st.composite
def declarations(draw: st.DrawFn) -> Declarations:
    """An environment with any services, flags, values and tenants."""
    service_names = draw(st.lists(names, unique=True, max_size=3))
    flag_names = draw(st.lists(names, unique=True, max_size=3))
    tenant_names = draw(st.lists(names, unique=True, max_size=3))
    environment = EnvironmentDeclarations(
        environment=EnvironmentSpec(
            name=ENVIRONMENT,
            description="",
            owner=draw(names),
            region="eu-central-1",
            namespace="shop",
            rollout=RolloutRules(ready_timeout_seconds=draw(st.sampled_from([60, 300]))),
        ),
        services=ServicesSpec(environment=ENVIRONMENT, services=tuple(draw(services(name)) for name in service_names)),
        configuration=ConfigurationSpec(environment=ENVIRONMENT, values=draw(st.dictionaries(names, values))),
        flags=FlagsSpec(environment=ENVIRONMENT, flags=tuple(draw(flags(name)) for name in flag_names)),
    )
    return Declarations(
        environments={ENVIRONMENT: environment},
        tenants={name: draw(tenants(name, tuple(sorted(service_names)))) for name in tenant_names},
    )
