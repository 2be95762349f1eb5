"""Specs of one environment → the units that it consists of. Pure.

A unit's inputs are everything its rendering depends on, resolved: defaults
filled in, overrides of the tenant applied. Its digest is the SHA-256 of their
canonical JSON, so two units are equal exactly when they would render the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from policies.configuration.spec import FlagSpec, Scalar
from policies.services.spec import ServiceSpec
from policies.spec import Spec
from policies.tenancy.spec import Compliance, Database, Network, ResourceLimits


class PlatformInputs(Spec, tag="platform"):
    """What all services and tenants of an environment share: its namespace and its flags."""

    environment: str
    region: str
    owner: str
    namespace: str
    flags: tuple[FlagSpec, ...]


class ServiceInputs(Spec, tag="service"):
    """One service with its configuration, in the namespace of the platform."""

    environment: str
    namespace: str
    service: ServiceSpec
    configuration: dict[str, Scalar]
    ready_timeout_seconds: int


class TenantInputs(Spec, tag="tenant"):
    """One tenant in one environment, overrides applied.

    ``service_ports[service]`` are the container ports of each platform service
    that the tenant may reach.
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
    """

    environment: str
    commit: str
    units: tuple[Unit, ...]
    sources: dict[str, str] = {}

    def by_id(self) -> Mapping[str, Unit]:
        """The units by their id."""
        return {unit.id: unit for unit in self.units}


def digest_of(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON (keys sorted) of ``value``."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
