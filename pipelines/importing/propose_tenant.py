"""What is in a tenant's namespace → the tenant's declaration, and everything in which they differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from infra.metadata import Manifest
from pipelines.importing import canonical, documents
from pipelines.importing.comparing import Comparisons
from pipelines.importing.differences import compared
from pipelines.importing.files import document, said
from pipelines.importing.model import Contents, Json, name_of
from pipelines.importing.proposal import Proposal, dangers, in_order
from pipelines.importing.services import Place
from pipelines.importing.tenants import rows_of_tenant, tenant_document
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.desired_state import tenant_namespace
from policies.tenancy.spec import TenantSpec

_COMPARED = ("Namespace", "ResourceQuota", "LimitRange")


def propose_tenant(contents: Contents, name: str, place: Place, declared: EnvironmentDeclarations) -> Proposal:
    """The tenant ``name``, living in the environment ``declared`` alone."""
    services = {one.name for one in declared.services.services if one.ports}
    body, rows = tenant_document(contents, name, place, services)
    spec = msgspec.convert(body, TenantSpec)
    units = documents.rendered(
        Declarations(environments={place.environment: declared}, tenants={name: spec}), place.environment
    )
    comparisons = _compared(contents, units[f"tenant/{name}"])
    target, path = tenant_namespace(place.environment, name), f"tenants/{name}.yaml"
    all_rows = in_order(
        [
            *dangers(contents, target, place.environment),
            *rows,
            *(row for comparison in comparisons.values() for row in comparison.rows),
            *rows_of_tenant(contents, comparisons),
        ]
    )
    comments = {row.path: [said(row)] for row in rows if row.path}
    lost = [said(row) for row in all_rows if row.kind in {"danger", "lost", "changed"}]
    file = document(path, "tenant", body, comments, {"Not as it was:": lost})
    return Proposal((file,), tuple(all_rows), target, comparisons)


def _compared(contents: Contents, manifests: Sequence[Manifest]) -> Comparisons:
    """Quotas, ranges and the namespace beside those that ADX makes; policies are told way by way."""
    bodies = {body["kind"]: body for body in manifests}
    found: Comparisons = {}
    for kind in _COMPARED:
        for item in contents.of(kind):
            live, new = _plain(item), _plain(bodies[kind], item)
            if kind == "Namespace":
                new["metadata"]["name"] = item["metadata"]["name"]  # its place is told apart from the rows
            found[name_of(item)] = compared(kind, name_of(item), live, new)
    return found


def _plain(item: Json, other: Json | None = None) -> Json:
    made = canonical.plain_object(item, other)
    if item["kind"] == "LimitRange":
        made["spec"] = {"limits": [{**one, "name": one.get("type", "")} for one in item["spec"].get("limits") or ()]}
    return made
