"""One Deployment with all that belongs to it → one service as services.yaml has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.importing import amounts, images, pods, scaling, variables
from pipelines.importing.model import Json
from pipelines.importing.notes import Notes
from pipelines.importing.ports import Ports, probes_of
from pipelines.importing.workloads import Workload, valid_name
from policies.schemas import validator_for

KUBERNETES_READY_SECONDS = 600  # what a Deployment waits for that says nothing
UNKNOWN_OWNER = "team-to-be-named"
_OWNER_LABELS = ("adx/owner", "owner", "team")
_REQUIRED = frozenset({"name", "description", "owner", "image", "version", "resources"})
_MOST_REFUSALS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where the proposal goes: the environment, who owns what says nothing, and the environment's own wait.

    ``owner`` is what the person said, if anything.
    """

    environment: str
    owner: str | None
    ready_timeout_seconds: int = KUBERNETES_READY_SECONDS

    @property
    def services_file(self) -> str:
        """The path of services.yaml."""
        return f"environments/{self.environment}/services.yaml"

    @property
    def configuration_file(self) -> str:
        """The path of configuration.yaml."""
        return f"environments/{self.environment}/configuration.yaml"


@dataclass(slots=True)
class Draft:
    """A service as a document, its values in configuration.yaml, and what is to be said about both."""

    workload: Workload
    document: Json
    values: dict[str, str]
    notes: Notes


def draft_of(workload: Workload, config_maps: Mapping[str, Json], place: Place) -> Draft:
    """The service that ``workload`` would be; what the schema refuses is left out, for the comparison to tell."""
    notes = Notes(workload.deployment, place.services_file, f"services.{workload.name}")
    container, ports = workload.main, Ports(workload.main, workload.service)
    probes = probes_of(container, ports, notes)
    of_values = notes.within(place.configuration_file, f"values.{workload.name}")
    path = f"kv/{variables.SECRETS}/{place.environment}/{workload.name}"
    settings = variables.settings_of(container, config_maps, path, notes, of_values)
    replicas = scaling.replicas_of(workload)
    document: Json = {
        "name": workload.name,
        "description": f"Imported from the Deployment {workload.own_name}.",
        "owner": owner_of(workload.deployment, place.owner, notes),
        **images.image_of(workload, notes),
        **replicas,
        "resources": amounts.resources_of(container, notes),
        "ports": ports.declared,
        "probes": probes,
        "env": settings.env,
        "writable_paths": pods.writable_paths_of(workload.deployment, container),
        "topology_spread": pods.spread_of(workload.deployment),
        **scaling.budget_of(workload, least_pods(replicas)),
        **ready_timeout_of(workload.deployment, place),
    }
    notes.add("guessed", "", "what it does is not known", at="description")
    document = admitted({key: value for key, value in document.items() if value or key in _REQUIRED or value == 0})
    return Draft(workload, document, settings.values, notes)


def owner_of(item: Json, said: str | None, notes: Notes) -> str:
    """The team that its labels name, else the one that the person named."""
    labels = item["metadata"].get("labels") or {}
    own = next((labels[key] for key in _OWNER_LABELS if labels.get(key) == valid_name(labels.get(key, "-"))), None)
    if own is not None:
        return str(own)
    if said is None:
        notes.add("guessed", "", "no label names its team (owner, team): `--owner` does", at="owner")
    return said or UNKNOWN_OWNER


def least_pods(replicas: Mapping[str, Any]) -> int:
    """How many pods there are at least."""
    scaling_rules = replicas.get("autoscaling")
    return int(scaling_rules["min_replicas"] if scaling_rules else replicas["replicas"])


def ready_timeout_of(deployment: Json, place: Place) -> Json:
    """``ready_timeout_seconds`` where it is another than the environment's."""
    live = deployment["spec"].get("progressDeadlineSeconds", KUBERNETES_READY_SECONDS)
    return {} if live == place.ready_timeout_seconds else {"ready_timeout_seconds": live}


def admitted(service: Json) -> Json:
    """``service`` without what the schema refuses; what it needs stays, refused or not."""
    for _ in range(_MOST_REFUSALS):
        whole = {"apiVersion": "adx/v1", "kind": "Services", "environment": "any", "services": [service]}
        refused = next(
            (place for error in validator_for("services").iter_errors(whole) if (place := _place(error.instance_path))),
            None,
        )
        if refused is None:
            return service
        service = _without(service, refused)
    return service


def _place(path: list[str | int]) -> list[str | int] | None:
    """The place in the service that is to go: a variable, an item of a list, a probe, else the whole field."""
    inner = path[2:]
    if not inner or inner[0] in _REQUIRED:
        return None
    return inner[:2] if inner[0] in {"env", "ports", "probes", "writable_paths", "topology_spread"} else inner[:1]


def _without(value: Any, path: list[str | int]) -> Any:
    step, *rest = path
    if isinstance(value, list):
        return [_without(item, rest) if rest else item for number, item in enumerate(value) if rest or number != step]
    if rest and len(value[step]) > 0:
        kept = {key: _without(item, rest) if key == step else item for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    return {key: item for key, item in value.items() if key != step}
