"""A tenant, once for all environments it lives in: ``tenants/<name>.yaml``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from policies.configuration.spec import Scalar
from policies.spec import Spec


class Database(Spec):
    """Where the tenant's rows live. ``schema`` only where tenants share a database."""

    engine: Literal["postgresql", "mysql"]
    name: str
    schema: str | None = None
    storage_gb: int = 10
    connection_limit: int = 20


class ResourceLimits(Spec):
    """The tenant's quota in each of its environments; Kubernetes quantities."""

    cpu: str
    memory: str
    storage: str
    pods: int


class Compliance(Spec):
    """What the tenant's contract demands of whoever runs its data."""

    frameworks: tuple[Literal["gdpr", "hipaa", "pci_dss", "soc2", "iso27001"], ...] = ()
    data_residency: str | None = None
    encryption_at_rest: bool = True
    encryption_in_transit: bool = True
    retention_days: int | None = None


class Egress(Spec):
    """One destination outside the platform that the tenant may reach."""

    cidr: str
    port: int
    reason: str


class Network(Spec):
    """What is opened in the tenant's default-deny policy: platform services by name, addresses by CIDR."""

    services: tuple[str, ...] = ()
    egress: tuple[Egress, ...] = ()


class Overrides(Spec):
    """What differs for this tenant in one environment; each must override something that exists."""

    configuration: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    resource_limits: ResourceLimits | None = None


class TenantSpec(Spec):
    """``tenants/<name>.yaml``."""

    name: str
    display_name: str
    owner: str
    isolation_strategy: Literal["shared_schema", "schema_per_tenant", "database_per_tenant"]
    database: Database
    resource_limits: ResourceLimits
    environments: tuple[str, ...]
    compliance: Compliance = Compliance()
    network: Network = Network()
    overrides: dict[str, Overrides] = field(default_factory=dict)
