"""Which objects of a namespace belong together: a Deployment, its address, its autoscaler, its budgets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.importing.model import Contents, Json

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?\Z")
_NOT_IN_NAME = re.compile(r"[^a-z0-9-]+")
LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment as a service of ADX: under ``name``, and with ``service``, the Service that callers dial."""

    name: str
    deployment: Json
    main: Json
    service: Json | None
    autoscaler: Json | None
    budget: Json | None
    digest: str | None

    @property
    def own_name(self) -> str:
        """The name of the Deployment."""
        return str(self.deployment["metadata"]["name"])


def workloads_of(contents: Contents) -> list[Workload]:
    """One for each Deployment that ADX could have, ordered by name.

    The service is called as its one Service is, since that is what others dial; without one, or where several
    Deployments share it, as the Deployment.
    """
    deployments = [one for one in contents.of("Deployment") if containers_of(one)]
    addresses = {id(one): _address_of(one, deployments, contents.of("Service")) for one in deployments}
    found: dict[str, Workload] = {}
    for deployment in deployments:
        service = addresses[id(deployment)]
        own = str(deployment["metadata"]["name"])
        name = valid_name(str(service["metadata"]["name"]) if service else own)
        name = valid_name(own) if name in found else name
        if name in found:
            continue
        found[name] = Workload(
            name=name,
            deployment=deployment,
            main=main_container(deployment),
            service=service,
            autoscaler=_autoscaler_of(own, contents.of("HorizontalPodAutoscaler")),
            budget=next(iter(_selecting(deployment, contents.of("PodDisruptionBudget"))), None),
            digest=_digest_of(deployment, contents.pods),
        )
    return [found[name] for name in sorted(found)]


def valid_name(name: str) -> str:
    """``name`` as ADX accepts names; unchanged where it does already."""
    if _NAME.match(name) and len(name) <= LONGEST_NAME:
        return name
    made = _NOT_IN_NAME.sub("-", name.lower()).strip("-")
    made = made if made[:1].isalpha() else f"s-{made}".rstrip("-")
    return made[:LONGEST_NAME].rstrip("-")


def main_container(deployment: Json) -> Json:
    """The container that is the service: the one of the Deployment's name, else the first."""
    containers = containers_of(deployment)
    return next((one for one in containers if one["name"] == deployment["metadata"]["name"]), containers[0])


def containers_of(deployment: Json) -> list[Json]:
    """The containers that run side by side."""
    return list(deployment["spec"]["template"]["spec"].get("containers") or ())


def pod_labels_of(deployment: Json) -> Mapping[str, str]:
    """The labels of its pods."""
    return (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}


def selector_of(item: Json) -> Mapping[str, str] | None:
    """The labels that ``item`` chooses pods by; None where it chooses none, or by more than labels."""
    selector = item["spec"].get("selector") or {}
    if item["kind"] == "Service":
        return selector or None
    return None if selector.get("matchExpressions") or not selector.get("matchLabels") else selector["matchLabels"]


def selects(item: Json, deployment: Json) -> bool:
    """Whether ``item``, a Service or a budget, chooses the pods of ``deployment``."""
    wanted, labels = selector_of(item), pod_labels_of(deployment)
    return wanted is not None and all(labels.get(key) == value for key, value in wanted.items())


def _selecting(deployment: Json, items: Sequence[Json]) -> Iterator[Json]:
    return (one for one in items if selects(one, deployment))


def _address_of(deployment: Json, deployments: Sequence[Json], services: Sequence[Json]) -> Json | None:
    """Its own Service: of its name, else the only one that chooses its pods and no other's."""
    own = [
        one
        for one in _selecting(deployment, services)
        if sum(selects(one, other) for other in deployments) == 1 and one["spec"].get("ports")
    ]
    named = [one for one in own if one["metadata"]["name"] == deployment["metadata"]["name"]]
    return named[0] if named else own[0] if len(own) == 1 else None


def _autoscaler_of(deployment: str, items: Sequence[Json]) -> Json | None:
    for one in items:
        target = one["spec"].get("scaleTargetRef") or {}
        if target.get("kind") == "Deployment" and target.get("name") == deployment:
            return one
    return None


def _digest_of(deployment: Json, pods: Sequence[Json]) -> str | None:
    """The digest that all its pods run, as the nodes say it; None where they do not, or run several."""
    wanted = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    name = main_container(deployment)["name"]
    found = set()
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        if wanted and all(labels.get(key) == value for key, value in wanted.items()):
            statuses = pod.get("status", {}).get("containerStatuses") or ()
            found |= {str(one.get("imageID", "")).rpartition("@")[2] for one in statuses if one.get("name") == name}
    digests = {one for one in found if re.fullmatch(r"sha256:[0-9a-f]{64}", one)}
    return digests.pop() if len(digests) == 1 else None
