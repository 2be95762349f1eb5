"""Which documents could claim what a tenant claims, told from their bytes alone. Pure.

For judging a few changed tenants among thousands without parsing the others.
May say yes too often, never no too often: whoever is named here is parsed and
judged by the rules themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.desired_state import tenant_namespace
from policies.tenancy.spec import TenantSpec

# What no rule compares between tenants: a change of nothing else concerns nobody else.
_OWN_AFFAIRS = frozenset({"display_name", "owner", "resource_limits", "compliance", "network", "overrides"})


def concerns_others(before: TenantSpec | None, after: TenantSpec | None) -> bool:
    """Whether other documents must be looked at when a tenant changes so (None: it is not there)."""
    if before is None or after is None:
        return True
    fields = (name for name in TenantSpec.__struct_fields__ if name not in _OWN_AFFAIRS)
    return any(getattr(before, name) != getattr(after, name) for name in fields)


def may_claim_the_same(tenant: TenantSpec, document: bytes) -> bool:
    """Whether ``document``, a valid tenant's, could name the database rows of ``tenant``."""
    if b"\\" in document:
        return True  # an escape can spell anything
    database = tenant.database
    if database.name.encode() not in document:
        return False
    if tenant.isolation_strategy == "database_per_tenant" or b"database_per_tenant" in document:
        return True
    if tenant.isolation_strategy == "shared_schema" and b"schema_per_tenant" not in document:
        return False  # both share their rows, which is allowed
    return database.schema is None or database.schema.encode() in document


def namesakes(tenant: TenantSpec, environments: Iterable[str]) -> set[str]:
    """Names that another tenant would need to have for one of its namespaces to be one of ``tenant``'s."""
    found: set[str] = set()
    for namespace in (tenant_namespace(environment, tenant.name) for environment in tenant.environments):
        for other in environments:
            prefix = tenant_namespace(other, "")
            if namespace.startswith(prefix):
                found.add(namespace.removeprefix(prefix))
    return found - {tenant.name}
