"""Specs of one environment → the units that it consists of. Pure.

A unit's inputs are everything its rendering depends on, resolved: defaults
filled in, overrides of the tenant applied, lists whose order means nothing
sorted. Its digest is the SHA-256 of their canonical JSON, so two units are
equal exactly when they would render the same. Compare digests, not structs:
to Python ``1``, ``1.0`` and ``True`` are equal, to a manifest they are not.

Expects declarations that passed :func:`policies.rules.check`; which unit a
name belongs to and how it is namespaced is decided here and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import field

from policies.configuration.spec import FlagSpec, Scalar
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.errors import DeclarationError, Problem
from policies.migrations.spec import DatabaseVersion, platform_versions, version_for
from policies.normal_form import normal_flag, normal_network, normal_service, target_port
from policies.services.spec import ServiceSpec
from policies.spec import Spec
from policies.tenancy.spec import Compliance, Database, Network, Overrides, ResourceLimits, TenantSpec

MAX_NAMESPACE_LENGTH = 63
PLATFORM_UNIT = "platform"


class PlatformInputs(Spec, tag="platform"):
    """What all services and tenants of an environment share: its namespace, its flags, its own databases."""

    environment: str
    region: str
    owner: str
    namespace: str
    flags: tuple[FlagSpec, ...]
    migrations: tuple[DatabaseVersion, ...] = ()


class ServiceInputs(Spec, tag="service"):
    """One service with its configuration, in the namespace of the platform.

    ``transition`` is never declared: it is there while a new release of the
    service takes over from an old one (``policies.services.releases``).
    """

    environment: str
    namespace: str
    service: ServiceSpec
    configuration: dict[str, Scalar]
    ready_timeout_seconds: int
    transition: Transition | None = None


class Transition(Spec):
    """The release that these inputs replace, beside them: it has the rest of the requests.

    ``weight_percent`` (0 to 100) is the share of the new release; with
    ``is_mirrored`` it gets copies of the old one's requests, too. ``previous``
    was brought by ``commit`` and has no transition of its own.
    """

    previous: ServiceInputs
    commit: str
    weight_percent: int = 0
    is_mirrored: bool = False


class TenantInputs(Spec, tag="tenant"):
    """One tenant in one environment, overrides applied.

    ``service_ports[service]`` are the container ports of each platform service
    that the tenant may reach, ``migrations`` is the version of its schema.
    """

    environment: str
    platform_namespace: str
    namespace: str
    name: str
    display_name: str
    owner: str
    isolation_strategy: str
    database: Database
    resource_limits: ResourceLimits
    compliance: Compliance
    network: Network
    service_ports: dict[str, tuple[int, ...]]
    configuration: dict[str, dict[str, Scalar]]
    flags: dict[str, bool]
    migrations: DatabaseVersion | None = None


UnitInputs = PlatformInputs | ServiceInputs | TenantInputs


class Unit(Spec):
    """The smallest thing that is applied, verified and restored as one.

    ``id`` is ``platform``, ``service/<name>`` or ``tenant/<name>``; ``commit``
    is the commit that brought these inputs, carried over while they stay equal.
    """

    id: str
    commit: str
    digest: str
    inputs: UnitInputs


class DesiredState(Spec):
    """Every unit of ``environment`` at ``commit``, ordered by id.

    ``sources`` maps each declaration that was read to its git blob id, so that
    the next resolution reads only what changed; empty when read from a folder.
    ``cells`` is over how many stacks the tenants are spread (see
    ``policies.placement``), 0 where they share the environment's own.
    """

    environment: str
    commit: str
    units: tuple[Unit, ...]
    sources: dict[str, str] = field(default_factory=dict)
    cells: int = 0

    def by_id(self) -> Mapping[str, Unit]:
        """The units by their id."""
        return {unit.id: unit for unit in self.units}


def digest_of(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON (keys sorted) of ``value``."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def service_unit_id(name: str) -> str:
    """The unit id of the service ``name``."""
    return f"service/{name}"


def tenant_unit_id(name: str) -> str:
    """The unit id of the tenant ``name``."""
    return f"tenant/{name}"


def tenant_namespace(environment: str, tenant: str) -> str:
    """The Kubernetes namespace of ``tenant`` in ``environment``; its length is checked by the rules and by resolve."""
    return f"{environment}-tenant-{tenant}"


def platform_inputs(declared: EnvironmentDeclarations) -> PlatformInputs:
    """What all services and tenants of the environment share."""
    environment = declared.environment
    return PlatformInputs(
        environment=environment.name,
        region=environment.region,
        owner=environment.owner,
        namespace=environment.namespace,
        flags=tuple(sorted(map(normal_flag, declared.flags.flags), key=lambda flag: flag.name)),
        migrations=platform_versions(declared.migrations),
    )


def service_inputs(service: ServiceSpec, declared: EnvironmentDeclarations) -> ServiceInputs:
    """One service; how long to wait for it is its own figure, else the environment's."""
    own_timeout_seconds = service.ready_timeout_seconds
    default_timeout_seconds = declared.environment.rollout.ready_timeout_seconds
    return ServiceInputs(
        environment=declared.environment.name,
        namespace=declared.environment.namespace,
        service=normal_service(service),
        configuration=declared.configuration.values.get(service.name, {}),
        ready_timeout_seconds=default_timeout_seconds if own_timeout_seconds is None else own_timeout_seconds,
    )


def tenant_inputs(tenant: TenantSpec, declared: EnvironmentDeclarations) -> TenantInputs:
    """One tenant in one environment with that environment's overrides applied.

    Raises DeclarationError when the namespace would be longer than Kubernetes allows.
    """
    environment = declared.environment
    overrides = tenant.overrides.get(environment.name, Overrides())
    return TenantInputs(
        environment=environment.name,
        platform_namespace=environment.namespace,
        namespace=_checked_namespace(environment.name, tenant.name),
        name=tenant.name,
        display_name=tenant.display_name,
        owner=tenant.owner,
        isolation_strategy=tenant.isolation_strategy,
        database=tenant.database,
        resource_limits=overrides.resource_limits or tenant.resource_limits,
        compliance=msgspec.structs.replace(tenant.compliance, frameworks=tuple(sorted(tenant.compliance.frameworks))),
        network=normal_network(tenant.network),
        service_ports=_service_ports(tenant.network, declared),
        configuration={service: values for service, values in overrides.configuration.items() if values},
        flags=overrides.flags,
        migrations=version_for(tenant.database.engine, declared.migrations),
    )


def resolve(
    declarations: Declarations,
    environment: str,
    commit: str,
    previous: DesiredState | None = None,
    *,
    sources: Mapping[str, str] | None = None,
) -> DesiredState:
    """The desired state of ``environment`` at ``commit``.

    Units whose digest is the same in ``previous`` keep the commit they have
    there. ``sources`` are blob ids by path, recorded as they are. Raises
    KeyError for an environment that is not declared, DeclarationError for a
    tenant whose namespace would be too long.
    """
    declared = declarations.environments[environment]
    inputs: dict[str, UnitInputs] = {PLATFORM_UNIT: platform_inputs(declared)}
    for service in declared.services.services:
        inputs[service_unit_id(service.name)] = service_inputs(service, declared)
    for tenant in declarations.tenants.values():
        if environment in tenant.environments:
            inputs[tenant_unit_id(tenant.name)] = tenant_inputs(tenant, declared)
    known = previous.by_id() if previous is not None else {}
    units = tuple(unit_of(id_, inputs[id_], commit, known.get(id_)) for id_ in sorted(inputs))
    return DesiredState(
        environment=environment,
        commit=commit,
        units=units,
        sources=dict(sources or {}),
        cells=declared.environment.rollout.cells,
    )


def unit_of(id_: str, inputs: UnitInputs, commit: str, previous: Unit | None = None) -> Unit:
    """A unit brought by ``commit``, or by the commit of ``previous`` where nothing differs."""
    digest = digest_of(inputs)
    is_unchanged = previous is not None and previous.digest == digest
    return Unit(id=id_, commit=previous.commit if previous and is_unchanged else commit, digest=digest, inputs=inputs)


def _service_ports(network: Network, declared: EnvironmentDeclarations) -> dict[str, tuple[int, ...]]:
    ports = {service.name: service.ports for service in declared.services.services}
    return {name: tuple(sorted(map(target_port, ports[name]))) for name in sorted(network.services)}


def _checked_namespace(environment: str, tenant: str) -> str:
    namespace = tenant_namespace(environment, tenant)
    if len(namespace) <= MAX_NAMESPACE_LENGTH:
        return namespace
    problem = Problem(
        file=f"tenants/{tenant}.yaml",
        line=0,
        column=0,
        path="name",
        what=f"the namespace {namespace} has {len(namespace)} characters",
        fix=f"shorten the name of the tenant by {len(namespace) - MAX_NAMESPACE_LENGTH} characters",
        rule="tenancy.namespace-length",
    )
    raise DeclarationError((problem,))
