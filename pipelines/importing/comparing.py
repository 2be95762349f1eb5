"""A namespace as it is, beside what the proposal would render: the rows of every object. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from infra.metadata import Manifest
from pipelines.importing import canonical
from pipelines.importing.differences import Comparison, compared
from pipelines.importing.model import Contents, Json, Row, name_of
from pipelines.importing.ports import numbers_by_name
from pipelines.importing.reasons import reason_of_kind
from pipelines.importing.services import Draft
from pipelines.importing.variables import variables_of
from pipelines.importing.workloads import main_container, selects

_ALONE = ("Namespace", "ServiceAccount", "NetworkPolicy", "ConfigMap")
_OF_EVERY_NAMESPACE = frozenset({"ConfigMap/kube-root-ca.crt"})
_ADDED = {
    "PodDisruptionBudget": "a drain of nodes may take one pod at a time",
    "NetworkPolicy": "who may connect to the services: each other, its tenants, namespaces labelled adx/ingress",
    "ServiceAccount": "an account of its own for each service, without rights",
    "ConfigMap": "the environment's feature flags, as a file",
    "Service": "the address of the service",
}
_SEALED = "references to secrets, as a file that only the service itself can open"

Comparisons = dict[str, Comparison]


def compared_workloads(contents: Contents, draft: Draft, manifests: Sequence[Manifest]) -> Comparisons:
    """Every object of one service, by its name in the cluster, compared with what is rendered in its place."""
    workload, by_kind = (
        draft.workload,
        {body["kind"]: body for body in reversed(manifests) if body["kind"] != "ConfigMap"},
    )
    live_maps = {str(item["metadata"]["name"]): item for item in contents.of("ConfigMap")}
    new_maps = {str(body["metadata"]["name"]): body for body in manifests if body["kind"] == "ConfigMap"}
    item, body = workload.deployment, by_kind["Deployment"]
    deployments = contents.of("Deployment")
    live = canonical.deployment(item, live_maps, str(workload.main["name"]))
    if workload.autoscaler is not None:
        live["spec"].pop("replicas", None)  # the autoscaler's to say
    pairs: list[tuple[Json, Json, Json]] = [
        (item, live, canonical.deployment(body, new_maps, str(main_container(body)["name"]), item))
    ]
    if workload.service is not None:
        numbers, own = numbers_by_name(workload.main), _is_own(workload.service, deployments)
        new_numbers = numbers_by_name(main_container(body))
        after = by_kind.get("Service", {"kind": "Service", "spec": {}})
        pairs.append((workload.service, canonical.service(workload.service, numbers, is_own=own),
                      canonical.service(after, new_numbers, is_own=True, other=workload.service)))  # fmt: skip
    if workload.budget is not None:
        after = by_kind.get("PodDisruptionBudget", {"kind": "PodDisruptionBudget", "spec": {}})
        pairs.append((workload.budget, canonical.budget(workload.budget, is_own=_is_own(workload.budget, deployments)),
                      canonical.budget(after, is_own=True, other=workload.budget)))  # fmt: skip
    if workload.autoscaler is not None:
        after = by_kind["HorizontalPodAutoscaler"]
        pairs.append((workload.autoscaler, canonical.autoscaler(workload.autoscaler),
                      canonical.autoscaler(after, workload.autoscaler)))  # fmt: skip
    return {name_of(one): compared(one["kind"], name_of(one), before, after) for one, before, after in pairs}


def compared_config_maps(
    contents: Contents, drafts: Sequence[Draft], units: Mapping[str, Sequence[Manifest]]
) -> Comparisons:
    """Every ConfigMap that a service takes variables of: those keys are kept, the others lost."""
    maps = {str(item["metadata"]["name"]): item for item in contents.of("ConfigMap")}
    taken: dict[str, set[str]] = {}
    takers: dict[str, str] = {}
    for draft in drafts:
        for one in variables_of(draft.workload.main, maps).values():
            if one.config_map is not None and one.name in draft.values:
                taken.setdefault(one.config_map[0], set()).add(one.config_map[1])
                takers.setdefault(one.config_map[0], draft.workload.name)
    found: Comparisons = {}
    for name, keys in taken.items():
        item, bodies = maps[name], units[f"service/{takers[name]}"]
        after = next((body for body in bodies if str(body["metadata"]["name"]).endswith("-configuration")), None)
        live, metadata = canonical.plain_object(item), canonical.metadata_of(after or {}, item["metadata"])
        metadata["name"] = name  # values go by the name of the service
        new = {"metadata": metadata, "data": {key: value for key, value in item["data"].items() if key in keys}}
        found[name_of(item)] = compared("ConfigMap", name_of(item), live, new)
    return found


def compared_alone(contents: Contents, manifests: Sequence[Manifest], known: Collection[str]) -> Comparisons:
    """The namespace, accounts, and what else has the name of something that ADX makes; not what is ``known``."""
    bodies = {name_of(body): body for body in manifests}
    namespaces = [body for body in manifests if body["kind"] == "Namespace"]
    found: Comparisons = {}
    for item in (one for kind in _ALONE for one in contents.of(kind) if name_of(one) not in known):
        after = namespaces[0] if item["kind"] == "Namespace" and namespaces else bodies.get(name_of(item))
        if after is None and name_of(item) == "ServiceAccount/default":
            after = {"kind": "ServiceAccount", "metadata": {"name": "default"}}  # every namespace has one
        if after is not None:
            live, new = canonical.plain_object(item), canonical.plain_object(after, item)
            if item["kind"] == "Namespace":
                new["metadata"]["name"] = item["metadata"]["name"]  # another one on purpose: see Imported
            found[name_of(item)] = compared(item["kind"], name_of(item), live, new)
    return found


def rows_of_the_rest(contents: Contents, known: Collection[str]) -> Iterator[Row]:
    """A row for every object that nothing was made of, and for every kind that could not be read."""
    for kind in sorted(contents.objects):
        for item in contents.of(kind):
            if name_of(item) not in known and name_of(item) not in _OF_EVERY_NAMESPACE:
                yield Row(kind="lost", object=name_of(item), field="", what=reason_of_kind(kind))
    for other in sorted(contents.others, key=lambda one: (one.kind, one.name)):
        yield Row(kind="lost", object=f"{other.kind}/{other.name}", field="", what=reason_of_kind(other.kind))
    for kind, why in sorted(contents.unread.items()):
        yield Row(kind="lost", object=kind, field="", what=f"could not be read, so nothing is known of them: {why}")


def rows_of_the_new(
    manifests: Sequence[Manifest], known: Mapping[str, Comparison], draft: Draft | None
) -> Iterator[Row]:
    """A row for every object of the platform, or of the service of ``draft``, that ADX makes beside what is there."""
    paired = {"Namespace"}
    if draft is not None:
        one = draft.workload
        there = {
            "Deployment": one,
            "Service": one.service,
            "PodDisruptionBudget": one.budget,
            "HorizontalPodAutoscaler": 1,
        }
        paired = {kind for kind, item in there.items() if item is not None}
    for body in manifests:
        kind, name = str(body["kind"]), name_of(body)
        if kind not in paired and name not in known and not name.endswith("-configuration"):
            yield Row(kind="added", object=name, field="", what=_added(name, kind))


def _added(name: str, kind: str) -> str:
    return _SEALED if name.endswith("-sealed") else _ADDED.get(kind, "ADX makes it")


def _is_own(item: Json, deployments: Sequence[Json]) -> bool:
    """Whether it chooses the pods of one Deployment and no other's."""
    return sum(selects(item, one) for one in deployments) == 1
