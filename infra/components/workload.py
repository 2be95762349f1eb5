"""The Deployment of a service, fit for the pod security level ``restricted``. Pure.

Belongs to the system ``services``; apart from it only so that both stay small.
"""

from __future__ import annotations

from typing import Any

from infra.metadata import SKIP_AWAIT, Manifest, manifest, pod_labels, selector_labels
from infra.names import FLAGS_MAP_NAME, configuration_map_name
from policies.desired_state import ServiceInputs, Unit, digest_of
from policies.services.spec import ProbeAction, ServiceSpec

COMPONENT = "services"
USER_ID = 1000
FLAGS_FOLDER = "/etc/adx/flags"
CONFIGURATION_DIGEST = "adx/configuration-digest"


def deployment(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """The Deployment; without ``replicas`` when an autoscaler decides about them."""
    spec: Manifest = {
        "selector": {"matchLabels": selector_labels(unit)},
        "progressDeadlineSeconds": inputs.service.ready_timeout_seconds or inputs.ready_timeout_seconds,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod_template(unit, inputs),
    }
    if inputs.service.autoscaling is None:
        spec["replicas"] = inputs.service.replicas
    return manifest(
        unit, COMPONENT, "apps/v1", "Deployment", inputs.service.name,
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec=spec,
    )  # fmt: skip


def pod_template(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """The pods; the digest of the configuration restarts exactly the pods that read it."""
    metadata: Manifest = {"labels": pod_labels(unit)}
    if inputs.configuration:
        metadata["annotations"] = {CONFIGURATION_DIGEST: digest_of(inputs.configuration)}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector_labels(unit)},
    }
    spec: Manifest = {
        "serviceAccountName": inputs.service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "topologySpreadConstraints": [spread],
        "containers": [container(inputs)],
    }
    if volumes(inputs.service):
        spec["volumes"] = volumes(inputs.service)
    return {"metadata": metadata, "spec": spec}


def pod_security() -> Manifest:
    """An unprivileged user for every process of the pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container(inputs: ServiceInputs) -> Manifest:
    """The one container of the pod."""
    spec = inputs.service
    body: Manifest = {
        "name": spec.name,
        "image": image(spec),
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": spec.resources.requests.cpu, "memory": spec.resources.requests.memory},
            "limits": {"cpu": spec.resources.limits.cpu, "memory": spec.resources.limits.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
    }
    if inputs.configuration:
        body["envFrom"] = [{"configMapRef": {"name": configuration_map_name(spec.name)}}]
    optional = {"ports": ports(spec), "env": environment(spec), "volumeMounts": volume_mounts(spec)}
    return body | {name: value for name, value in optional.items() if value} | probes(spec)


def image(spec: ServiceSpec) -> str:
    """The image reference: by tag, or by digest when the version is one."""
    return f"{spec.image}{'@' if spec.version.startswith('sha256:') else ':'}{spec.version}"


def ports(spec: ServiceSpec) -> list[Manifest]:
    """The ports that the container listens on."""
    return [
        {"name": port.name, "containerPort": port.target_port or port.port, "protocol": "TCP"} for port in spec.ports
    ]


def environment(spec: ServiceSpec) -> list[Manifest]:
    """Declared variables, and where the flags are when the service reads any."""
    variables = dict(sorted(spec.env.items()))
    if spec.feature_flags:
        variables["ADX_FLAGS_FILE"] = f"{FLAGS_FOLDER}/flags.json"
    return [{"name": name, "value": value} for name, value in variables.items()]


def volumes(spec: ServiceSpec) -> list[Manifest]:
    """An empty folder for each writable path, and the flags when the service reads any."""
    folders: list[Manifest] = [
        {"name": f"writable-{number}", "emptyDir": {}} for number, _ in enumerate(spec.writable_paths)
    ]
    if spec.feature_flags:
        folders.append({"name": "flags", "configMap": {"name": FLAGS_MAP_NAME}})
    return folders


def volume_mounts(spec: ServiceSpec) -> list[Manifest]:
    """Where the volumes appear in the container."""
    mounts: list[Manifest] = [
        {"name": f"writable-{number}", "mountPath": path} for number, path in enumerate(spec.writable_paths)
    ]
    if spec.feature_flags:
        mounts.append({"name": "flags", "mountPath": FLAGS_FOLDER, "readOnly": True})
    return mounts


def probes(spec: ServiceSpec) -> Manifest:
    """The probes that are declared, under the names that Kubernetes gives them."""
    declared = {
        "readinessProbe": spec.probes.readiness,
        "livenessProbe": spec.probes.liveness,
        "startupProbe": spec.probes.startup,
    }
    numbers = {port.name: port.target_port or port.port for port in spec.ports}
    return {name: probe(action, numbers) for name, action in declared.items() if action is not None}


def probe(action: ProbeAction, port_numbers: dict[str, int]) -> Manifest:
    """How one probe asks, and how patient it is."""
    timing = {
        "initialDelaySeconds": action.initial_delay_seconds,
        "periodSeconds": action.period_seconds,
        "timeoutSeconds": action.timeout_seconds,
        "failureThreshold": action.failure_threshold,
    }
    return question(action, port_numbers) | timing


def question(action: ProbeAction, port_numbers: dict[str, int]) -> dict[str, Any]:
    """What the probe asks; a gRPC probe takes only a number as its port."""
    if action.grpc:
        return {"grpc": {"port": port_numbers[action.port]}}
    if action.http_path is None:
        return {"tcpSocket": {"port": action.port}}
    headers = [{"name": name, "value": value} for name, value in sorted(action.http_headers.items())]
    get: Manifest = {"path": action.http_path, "port": action.port}
    return {"httpGet": get | ({"httpHeaders": headers} if headers else {})}
