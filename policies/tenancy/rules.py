"""What must hold of a tenant that its JSON Schema cannot say.

Its overrides are in :mod:`policies.tenancy.override_rules`, what belongs to
one tenant only in :mod:`policies.tenancy.ownership_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.addresses import why_network_is_refused
from policies.declarations import Declarations
from policies.desired_state import MAX_NAMESPACE_LENGTH, tenant_namespace
from policies.findings import Finding, Rule, repeated, suggestion, tenant_file, tenant_rule
from policies.quantities import quantity
from policies.tenancy.override_rules import OVERRIDE_RULES
from policies.tenancy.ownership_rules import OWNERSHIP_RULES
from policies.tenancy.spec import TenantSpec

_RESERVED_SCHEMAS = frozenset({"public", "information_schema"})
_BOUNDS = {"cpu": ("50m", "2000"), "memory": ("32Mi", "16Ti"), "storage": ("0Gi", "1000Ti")}
_NEEDS_ENCRYPTION = frozenset({"hipaa", "pci_dss"})


@tenant_rule("tenancy.name-matches-file")
def name_matches_file(file_name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """The name in the document is the name of its file."""
    if tenant.name != file_name:
        what = f"the tenant calls itself {tenant.name}, its file is {file_name}.yaml"
        yield _finding(file_name, "name", what, f"write {file_name}, or rename the file")


@tenant_rule("tenancy.environment-exists")
def environments_exist(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A tenant lives in environments that are declared."""
    for index, environment in enumerate(tenant.environments):
        if environment not in declarations.environments:
            fix = suggestion(environment, declarations.environments, "name a declared environment")
            yield _finding(name, f"environments[{index}]", f"there is no environment {environment}", fix)


@tenant_rule("tenancy.namespace-length")
def namespaces_are_short_enough(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """The namespaces made of environment and tenant fit Kubernetes."""
    for index, environment in enumerate(tenant.environments):
        namespace = tenant_namespace(environment, tenant.name)
        excess = len(namespace) - MAX_NAMESPACE_LENGTH
        if excess > 0:
            what = f"its namespace {namespace} has {len(namespace)} characters, {MAX_NAMESPACE_LENGTH} are allowed"
            fix = f"shorten the name of the tenant by {excess} characters"
            yield _finding(name, f"environments[{index}]", what, fix)


@tenant_rule("tenancy.schema-fits-isolation")
def schema_fits_isolation(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """A schema is named exactly where tenants share a PostgreSQL database."""
    strategy, engine, schema = tenant.isolation_strategy, tenant.database.engine, tenant.database.schema
    if engine == "mysql" and strategy == "schema_per_tenant":
        what = "schema_per_tenant is not to be had in MySQL, where a schema is a database"
        yield _finding(name, "isolation_strategy", what, "write database_per_tenant or shared_schema")
        return
    wants_schema = engine == "postgresql" and strategy != "database_per_tenant"
    if wants_schema and schema is None:
        what = f"the isolation strategy {strategy} needs a schema, and none is named"
        yield _finding(name, "database", what, "name the schema under database.schema")
    elif not wants_schema and schema is not None:
        what = f"a schema is named, but {strategy} in {engine} has none"
        yield _finding(name, "database.schema", what, "leave schema out")


@tenant_rule("tenancy.schema-reserved")
def schema_is_not_reserved(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """The database's own schemas stay its own."""
    schema = tenant.database.schema
    if schema is not None and (schema in _RESERVED_SCHEMAS or schema.startswith("pg_")):
        what = f"the schema {schema} belongs to the database itself"
        yield _finding(name, "database.schema", what, f"choose another name, such as {tenant.name.replace('-', '_')}")


@tenant_rule("tenancy.network-service")
def reached_services_exist(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A service that a tenant may reach runs in each of its environments."""
    for environment in tenant.environments:
        declared = declarations.environments.get(environment)
        if declared is None:
            continue
        ports = {service.name: service.ports for service in declared.services.services}
        for index, service in enumerate(tenant.network.services):
            path = f"network.services[{index}]"
            if service not in ports:
                what = f"the environment {environment} has no service {service}"
                fix = suggestion(service, ports, "name a service that runs in all environments of the tenant")
                yield _finding(name, path, what, fix)
            elif not ports[service]:
                what = f"the service {service} has no port in {environment}, so nobody can call it"
                yield _finding(name, path, what, "take it out, or give the service a port")


@tenant_rule("tenancy.resource-bounds")
def limits_leave_room_for_a_pod(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """A quota lets at least one small pod run, and is not more than a cluster has."""
    limits = {"resource_limits": tenant.resource_limits}
    for environment, overrides in tenant.overrides.items():
        if overrides.resource_limits is not None:
            limits[f"overrides.{environment}.resource_limits"] = overrides.resource_limits
    for path, item in limits.items():
        for field, (smallest, largest) in _BOUNDS.items():
            amount: str = getattr(item, field)
            if not quantity(smallest) <= quantity(amount) <= quantity(largest):
                what = f"a limit of {amount} of {field} is not plausible"
                yield _finding(name, f"{path}.{field}", what, f"write an amount from {smallest} to {largest}")


@tenant_rule("tenancy.egress-address")
def egress_is_permitted(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """A way out leads to named networks, never to everything, the node or the cloud's own services."""
    for index, egress in enumerate(tenant.network.egress):
        refusal = why_network_is_refused(egress.cidr)
        if refusal is not None:
            what = f"{egress.cidr} may not be opened: {refusal}"
            yield _finding(name, f"network.egress[{index}].cidr", what, "name the network of the destination alone")


@tenant_rule("tenancy.unique-egress")
def egress_is_named_once(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """No destination is opened twice."""
    for index, target, first in repeated(f"{egress.cidr}:{egress.port}" for egress in tenant.network.egress):
        what = f"the destination {target} is already opened by egress[{first}]"
        yield _finding(name, f"network.egress[{index}]", what, "keep one of the two")


@tenant_rule("tenancy.data-residency")
def data_stays_in_its_region(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """Environments of a tenant are in regions where its data may be."""
    residency = tenant.compliance.data_residency
    if residency is None:
        return
    for index, environment in enumerate(tenant.environments):
        declared = declarations.environments.get(environment)
        if declared is not None and not is_region_within(declared.environment.region, residency):
            region = declared.environment.region
            what = f"data of the tenant stays in {residency}, but {environment} is in {region}"
            yield _finding(name, f"environments[{index}]", what, f"choose environments in {residency}")


@tenant_rule("tenancy.encryption-required")
def sensitive_data_is_encrypted(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """Frameworks that demand encryption get it, at rest and on the way."""
    demanding = sorted(_NEEDS_ENCRYPTION.intersection(tenant.compliance.frameworks))
    for field in ("encryption_at_rest", "encryption_in_transit") if demanding else ():
        if not getattr(tenant.compliance, field):
            what = f"{' and '.join(demanding)} demand encryption, and {field} is false"
            yield _finding(name, f"compliance.{field}", what, "write true, or leave it out")


def is_region_within(region: str, residency: str) -> bool:
    """Whether ``region`` (``eu-west-1``) is ``residency`` or lies in it (``eu``, ``eu-west``)."""
    return region == residency or region.startswith(f"{residency}-")


def _finding(tenant: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=tenant_file(tenant), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    name_matches_file,
    environments_exist,
    namespaces_are_short_enough,
    schema_fits_isolation,
    schema_is_not_reserved,
    reached_services_exist,
    limits_leave_room_for_a_pod,
    egress_is_permitted,
    egress_is_named_once,
    data_stays_in_its_region,
    sensitive_data_is_encrypted,
    *OVERRIDE_RULES,
    *OWNERSHIP_RULES,
)
