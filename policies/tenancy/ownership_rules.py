"""Rules about what belongs to one tenant only: its namespaces and where its rows are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from policies.declarations import Declarations
from policies.desired_state import tenant_namespace
from policies.findings import Finding, Rule, repository_rule, tenant_file
from policies.tenancy.spec import TenantSpec


@repository_rule("tenancy.namespace-owner")
def namespaces_have_one_owner(declarations: Declarations) -> Iterator[Finding]:
    """No tenant's namespace is the platform's or another tenant's."""
    owners = {
        declared.environment.namespace: f"the environment {name}"
        for name, declared in sorted(declarations.environments.items())
    }
    for name, tenant in sorted(declarations.tenants.items()):
        for index, environment in enumerate(tenant.environments):
            namespace = tenant_namespace(environment, tenant.name)
            if owners.setdefault(namespace, f"the tenant {name}") != f"the tenant {name}":
                what = f"its namespace {namespace} already belongs to {owners[namespace]}"
                yield _finding(name, f"environments[{index}]", what, "rename the tenant")


@repository_rule("tenancy.database-owner")
def databases_have_one_owner(declarations: Declarations) -> Iterator[Finding]:
    """A database, or a schema in one, has one tenant, unless all of them share its rows knowingly."""
    by_database: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, tenant in sorted(declarations.tenants.items()):
        by_database[tenant.database.engine, tenant.database.name].append(name)
    for names in by_database.values():
        if len(names) > 1:
            yield from _shared_database([(name, declarations.tenants[name]) for name in names])


def _shared_database(tenants: list[tuple[str, TenantSpec]]) -> Iterator[Finding]:
    """Conflicts between tenants that name the same database, each reported at the later one by name."""
    sole_owner = next((name for name, tenant in tenants if tenant.isolation_strategy == "database_per_tenant"), None)
    schema_owners: dict[str | None, tuple[str, TenantSpec]] = {}
    for name, tenant in tenants:
        if sole_owner is not None and name != sole_owner:
            what = f"the database {tenant.database.name} belongs to the tenant {sole_owner} alone"
            yield _finding(name, "database.name", what, "name a database of its own, or one that tenants share")
            continue
        first, first_tenant = schema_owners.setdefault(tenant.database.schema, (name, tenant))
        if first != name and not _share_rows(tenant, first_tenant):
            what = (
                f"the schema {tenant.database.schema} of {tenant.database.name} already belongs to the tenant {first}"
            )
            yield _finding(name, "database.schema", what, "name a schema of its own")


def _share_rows(one: TenantSpec, other: TenantSpec) -> bool:
    return one.isolation_strategy == other.isolation_strategy == "shared_schema"


def _finding(tenant: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=tenant_file(tenant), path=path, what=what, fix=fix)


OWNERSHIP_RULES: tuple[Rule, ...] = (namespaces_have_one_owner, databases_have_one_owner)
