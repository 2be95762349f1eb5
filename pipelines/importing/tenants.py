"""A tenant's namespace → ``tenants/<name>.yaml``: its quota and where its workloads may go. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_network

from pipelines.importing.amounts import amount, written
from pipelines.importing.model import Contents, Json, Row, name_of
from pipelines.importing.networks import Way, ways_of
from pipelines.importing.notes import Notes
from pipelines.importing.reasons import reason_of_kind
from pipelines.importing.services import Place, owner_of
from policies.addresses import why_network_is_refused

LIMITS = {"cpu": "4", "memory": "8Gi", "storage": "50Gi"}
PODS = 20
_QUOTA_KEYS = {
    "cpu": ("limits.cpu", "requests.cpu", "cpu"),
    "memory": ("limits.memory", "requests.memory", "memory"),
    "storage": ("requests.storage",),
    "pods": ("pods", "count/pods"),
}
_DISPLAY_NAME = "adx/display-name"


def tenant_document(contents: Contents, name: str, place: Place, services: Collection[str]) -> tuple[Json, list[Row]]:
    """The tenant, and what is to be said of it. ``services`` are those of the platform that have ports."""
    namespace = contents.of("Namespace")[0]
    notes = Notes(namespace, f"tenants/{name}.yaml", "")
    annotations = namespace["metadata"].get("annotations") or {}
    if _DISPLAY_NAME not in annotations:
        notes.add("guessed", "", "how the customer writes its name is not known", at="display_name")
    notes.add("guessed", "", "a namespace does not say where its tenant's rows are", at="isolation_strategy")
    notes.add("guessed", "", "a namespace does not say where its tenant's rows are", at="database")
    document: Json = {
        "name": name,
        "display_name": annotations.get(_DISPLAY_NAME, name),
        "owner": owner_of(namespace, place.owner, notes),
        "isolation_strategy": "schema_per_tenant",
        "database": {"engine": "postgresql", "name": _identifier(place.environment), "schema": _identifier(name)},
        "resource_limits": _limits(contents.of("ResourceQuota"), notes),
        "environments": [place.environment],
    }
    network, rows = _network(contents.of("NetworkPolicy"), services, notes)
    if network:
        document["network"] = network
    return document, [*notes.rows, *rows]


def _limits(quotas: Sequence[Json], notes: Notes) -> Json:
    """The strictest of all quotas, which is what holds; figures that none has are guesses."""
    made: Json = {}
    for field, keys in _QUOTA_KEYS.items():
        found = [
            (amount(hard[key]) or 0, str(hard[key]))
            for quota in quotas
            for hard in [quota["spec"].get("hard") or {}]
            for key in keys
            if key in hard
        ]
        text = min(found)[1] if found else None
        known = None if text is None else text if field == "pods" else written(field, text)
        if known is None:
            notes.add("guessed", "", f"no quota of {field}", at=f"resource_limits.{field}")
        made[field] = int(amount(known) or PODS) if field == "pods" else known or LIMITS[field]
    return made


def _network(policies: Sequence[Json], services: Collection[str], notes: Notes) -> tuple[Json, list[Row]]:
    reached: set[str] = set()
    egress: dict[tuple[str, int], Json] = {}
    rows: list[Row] = []
    for policy in policies:
        for way in ways_of(policy):
            if way.service in services and way.service:
                reached.add(way.service)
            elif (why := _why_refused(way)) is None:
                reason = f"From the NetworkPolicy {policy['metadata']['name']}."
                egress.setdefault((way.cidr, way.port), {"cidr": way.cidr, "port": way.port, "reason": reason})
            elif not way.is_of_adx:
                rows.append(Row(kind="lost", object=name_of(policy), field=way.text, what=why))
    if egress:
        notes.add("guessed", "", "a policy does not say why a way out is there", at="network.egress")
    document: Json = {"services": sorted(reached)} if reached else {}
    if egress:
        document["egress"] = [egress[key] for key in sorted(egress)]
    return document, rows


def _why_refused(way: Way) -> str | None:
    """Why a way cannot be declared; None for one that can."""
    if not way.is_way_out:
        return "who may come in is not declared: only the tenant's own pods"
    if way.service:
        return f"the environment has no service {way.service} with a port"
    if not way.cidr:
        return "a way out leads to services of the platform, or to networks"
    if way.has_exceptions:
        return "a network is opened whole: one with exceptions cannot be declared"
    if not way.port:
        return "a way out has one TCP port"
    if str(ip_network(way.cidr, strict=False)) != way.cidr:
        return "the network is not written as one"
    refused = why_network_is_refused(way.cidr)
    return None if refused is None else f"may not be opened: {refused}"


def rows_of_tenant(contents: Contents, known: Mapping[str, object]) -> Iterator[Row]:
    """A row for each object of the tenant's namespace that no declaration is made of."""
    for kind in sorted(contents.objects):
        for item in contents.of(kind):
            name = name_of(item)
            is_everywhere = name in {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}
            if name not in known and not is_everywhere and kind != "NetworkPolicy":
                yield Row(kind="lost", object=name, field="", what=_in_tenant(kind))
    for other in sorted(contents.others, key=lambda one: (one.kind, one.name)):
        yield Row(kind="lost", object=f"{other.kind}/{other.name}", field="", what=_in_tenant(other.kind))
    for kind, why in sorted(contents.unread.items()):
        yield Row(kind="lost", object=kind, field="", what=f"could not be read, so nothing is known of them: {why}")


def _in_tenant(kind: str) -> str:
    if kind in {"ResourceQuota", "LimitRange", "Namespace"}:
        return reason_of_kind(kind)
    return "ADX delivers a tenant's namespace, its limits and its policies; what runs there is left alone"


def _identifier(name: str) -> str:
    return name.replace("-", "_")
