"""Objects in a form in which those that do the same are the same, whoever wrote them. Pure.

Left out is what servers and controllers say by themselves. Names that lead
from one place of an object to another (a port's, a volume's, a ConfigMap's)
are followed, so that only what they lead to is compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipelines.importing.model import Json
from pipelines.importing.ports import PROBES, numbers_by_name
from pipelines.importing.variables import variables_of
from pipelines.importing.workloads import main_container

# As the pods that ADX itself calls one service: what of a selector is compared where it chooses only those.
OWN_PODS = "the pods of this service"
_OWN_ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubectl.kubernetes.io/restartedAt",
    "autoscaling.alpha.kubernetes.io/",
)
_OWN_LABELS = ("kubernetes.io/metadata.name", "pod-template-hash")
OF_ADX = ("adx/", "app.kubernetes.io/", "pulumi.com/")
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_HEADLESS = ("None", ["None"])


def metadata_of(item: Mapping[str, Any], kept: Mapping[str, Any] | None = None) -> Json:
    """Name, labels and annotations; of ADX's own labels only those that ``kept``, another's metadata, has too."""
    metadata = item.get("metadata") or {}
    made: Json = {key: metadata[key] for key in ("name", "ownerReferences", "finalizers") if metadata.get(key)}
    for field in ("labels", "annotations"):
        known = None if kept is None else (kept.get(field) or {})
        found = {
            key: value
            for key, value in (metadata.get(field) or {}).items()
            if not key.startswith((*_OWN_ANNOTATIONS, *_OWN_LABELS))
            and (known is None or key in known or not key.startswith(OF_ADX))
        }
        if found:
            made[field] = found
    return made


def plain_object(item: Json, other: Json | None = None) -> Json:
    """Any object without its status; ``other`` is the live one that it is compared with, if it is the rendered."""
    kept = None if other is None else (other.get("metadata") or {})
    body = {key: value for key, value in item.items() if key not in {"apiVersion", "kind", "metadata", "status"}}
    if item["kind"] == "ServiceAccount":
        body.pop("secrets", None)  # made by a controller in older clusters
    if item["kind"] == "Namespace":
        body.pop("spec", None)  # its one finalizer is the server's
    return {"metadata": metadata_of(item, kept), **body}


def deployment(item: Json, config_maps: Mapping[str, Json], main: str, other: Json | None = None) -> Json:
    """A Deployment; its container ``main`` under the name of the ``other`` one's main container, if that is given."""
    made = plain_object(item, other)
    template = item["spec"]["template"]
    kept = None if other is None else (other["spec"]["template"].get("metadata") or {})
    pod = {key: value for key, value in template["spec"].items() if key not in {"containers", "volumes"}}
    if pod.get("serviceAccount") == pod.get("serviceAccountName"):
        pod.pop("serviceAccount", None)  # the old spelling, which the server repeats
    if pod.get("topologySpreadConstraints"):
        own = item["spec"]["selector"].get("matchLabels")
        pod["topologySpreadConstraints"] = [_spread(one, own) for one in pod["topologySpreadConstraints"]]
    key = f"[{main if other is None else main_container(other)['name']}]"
    volumes = {one["name"]: one for one in template["spec"].get("volumes") or ()}
    containers: dict[str, Json] = {}
    for one in template["spec"]["containers"]:
        is_main = one["name"] == main
        containers[key if is_main else f"[{one['name']}]"] = _container(one, config_maps, volumes)
    used = {mount["name"] for one in template["spec"]["containers"] for mount in one.get("volumeMounts") or ()}
    rest = {f"[{name}]": one for name, one in volumes.items() if name not in used}
    pod |= {"containers": containers} | ({"volumes": rest} if rest else {})
    spec = {key: value for key, value in item["spec"].items() if key not in {"template", "selector"}}
    spec["selector"] = _selector(item["spec"].get("selector") or {})
    labels = {key: value for key, value in metadata_of(template, kept).items() if key in {"labels", "annotations"}}
    made["spec"] = spec | {"template": ({"metadata": labels} if labels else {}) | {"spec": pod}}
    return made


def service(item: Json, numbers: Mapping[str, int], *, is_own: bool, other: Json | None = None) -> Json:
    """A Service whose ports lead to numbers; ``is_own`` when it chooses the pods of its service and no others."""
    made = plain_object(item, other)
    spec = {key: value for key, value in item["spec"].items() if key not in _ALLOCATED or value in _HEADLESS}
    spec["ports"] = {
        f"[{one['port']}/{one.get('protocol', 'TCP')}]": _service_port(one, numbers) for one in spec.get("ports") or ()
    }
    made["spec"] = spec | ({"selector": OWN_PODS} if is_own else {})
    return made


def budget(item: Json, *, is_own: bool, other: Json | None = None) -> Json:
    """A disruption budget; ``is_own`` as of :func:`service`."""
    made = plain_object(item, other)
    made["spec"] = dict(item["spec"]) | ({"selector": OWN_PODS} if is_own else {})
    return made


def autoscaler(item: Json, other: Json | None = None) -> Json:
    """An autoscaler of the service's Deployment, its metrics by the resource that they are about."""
    made = plain_object(item, other)
    metrics: Json = {}
    for number, one in enumerate(item["spec"].get("metrics") or ()):
        name = (one.get("resource") or {}).get("name")
        metrics[f"[{name or number}]"] = one
    made["spec"] = dict(item["spec"]) | {"scaleTargetRef": OWN_PODS, "metrics": metrics}
    return made


def _container(one: Json, config_maps: Mapping[str, Json], volumes: Mapping[str, Json]) -> Json:
    dropped = ("env", "envFrom", "volumeMounts", "ports", *PROBES.values())
    made: Json = {key: value for key, value in one.items() if key not in dropped}
    numbers = numbers_by_name(one)
    for field in PROBES.values():
        if field in one:
            made[field] = _probe(one[field], numbers)
    env = {f"[{name}]": found.value if found.value is not None else {"valueFrom": found.source}
           for name, found in variables_of(one, config_maps).items()}  # fmt: skip
    ports = {f"[{port['containerPort']}/{port.get('protocol', 'TCP')}]": _container_port(port)
             for port in one.get("ports") or ()}  # fmt: skip
    mounts = {f"[{mount['mountPath']}]": _mount(mount, volumes) for mount in one.get("volumeMounts") or ()}
    return made | {key: value for key, value in (("env", env), ("ports", ports), ("volumeMounts", mounts)) if value}


def _probe(probe: Json, numbers: Mapping[str, int]) -> Json:
    """The probe, asking a number."""
    return {
        key: value | {"port": numbers.get(str(value["port"]), value["port"])}
        if isinstance(value, dict) and "port" in value
        else value
        for key, value in probe.items()
    }


def _container_port(port: Json) -> Json:
    rest = {key: value for key, value in port.items() if key not in {"containerPort", "protocol"}}
    return rest | {"containerPort": port["containerPort"]}


def _service_port(port: Json, numbers: Mapping[str, int]) -> Json:
    target = port.get("targetPort", port["port"])
    rest = {key: value for key, value in port.items() if key not in {"port", "protocol", "nodePort"}}
    node_port = {"nodePort": port["nodePort"]} if port.get("nodePort") else {}
    return rest | {"targetPort": numbers.get(str(target), target)} | node_port


def _mount(mount: Json, volumes: Mapping[str, Json]) -> Json:
    """A mount with what is mounted; the name of the volume between the two says nothing."""
    source = {key: value for key, value in volumes.get(mount["name"], {}).items() if key != "name"}
    rest = {key: value for key, value in mount.items() if key not in {"name", "mountPath"}}
    return rest | (source or {"volume": mount["name"]})


def _selector(selector: Json) -> str:
    """A Deployment's selector as one text: it can only be another one as a whole."""
    labels = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    rules = [f"{one['key']} {one['operator']} {','.join(one.get('values') or ())}".rstrip()
             for one in selector.get("matchExpressions") or ()]  # fmt: skip
    return ", ".join([*labels, *rules])


def _spread(rule: Json, own: Collection[str] | None) -> Json:
    is_own = (rule.get("labelSelector") or {}).get("matchLabels") == own
    return rule | ({"labelSelector": OWN_PODS} if is_own else {})
