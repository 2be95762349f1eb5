"""The Deployment of a service, fit for the pod security level ``restricted``. Pure.

Belongs to the system ``services``; apart from it only so that both stay small.
"""

from __future__ import annotations

from typing import Any

from infra.metadata import SKIP_AWAIT, Manifest, pod_labels, release_manifest, release_selector
from infra.names import FLAGS_MAP_NAME, SEALED_DOCUMENT, configuration_map_name, sealed_map_name
from policies.configuration.delivered import plain, service_values
from policies.desired_state import ServiceInputs, Unit, digest_of
from policies.services.releases import release_id, workload_name
from policies.services.spec import ProbeAction, ServiceSpec, TopologySpread

COMPONENT = "services"
USER_ID = 1000
FLAGS_FOLDER = "/etc/adx/flags"
SEALED_FOLDER = "/etc/adx/sealed"
VAULT_TOKEN_FILE = "vault-token"  # noqa: S105 - the name of a file
VAULT_AUDIENCE = "vault"
VAULT_TOKEN_SECONDS = 3600
CONFIGURATION_DIGEST = "adx/configuration-digest"
OVER_NODES = TopologySpread(topology_key="kubernetes.io/hostname")


def deployment(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """The Deployment of a release; without ``replicas`` when an autoscaler decides about them."""
    spec: Manifest = {
        "selector": {"matchLabels": release_selector(unit)},
        "progressDeadlineSeconds": inputs.service.ready_timeout_seconds or inputs.ready_timeout_seconds,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod_template(unit, inputs),
    }
    if inputs.service.autoscaling is None:
        spec["replicas"] = inputs.service.replicas
    return release_manifest(
        unit, COMPONENT, "apps/v1", "Deployment", workload_name(inputs),
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec=spec,
    )  # fmt: skip


def pod_template(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """The pods; the digest of the configuration restarts exactly the pods that read it."""
    metadata: Manifest = {"labels": pod_labels(unit)}
    if values := service_values(inputs):
        metadata["annotations"] = {CONFIGURATION_DIGEST: digest_of(values)}
    spec: Manifest = {
        "serviceAccountName": inputs.service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "topologySpreadConstraints": topology_spread(unit, inputs.service),
        "containers": [container(inputs)],
    }
    if volumes(inputs):
        spec["volumes"] = volumes(inputs)
    return {"metadata": metadata, "spec": spec}


def topology_spread(unit: Unit, spec: ServiceSpec) -> list[Manifest]:
    """How the pods of a release are spread: as declared, else over nodes as far as there is room."""
    return [
        {
            "maxSkew": spread.max_skew,
            "topologyKey": spread.topology_key,
            "whenUnsatisfiable": spread.when_unsatisfiable,
            "labelSelector": {"matchLabels": release_selector(unit)},
        }
        for spread in spec.topology_spread or (OVER_NODES,)
    ]


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
    if plain(service_values(inputs)):
        body["envFrom"] = [{"configMapRef": {"name": configuration_map_name(workload_name(inputs))}}]
    optional = {"ports": ports(spec), "env": environment(inputs), "volumeMounts": volume_mounts(inputs)}
    return body | {name: value for name, value in optional.items() if value} | probes(spec)


def image(spec: ServiceSpec) -> str:
    """The image reference: by tag, by digest when the version is one, or by both, of which the digest decides."""
    reference = f"{spec.image}{'@' if spec.version.startswith('sha256:') else ':'}{spec.version}"
    return reference if spec.image_digest is None else f"{reference}@{spec.image_digest}"


def ports(spec: ServiceSpec) -> list[Manifest]:
    """The ports that the container listens on."""
    return [
        {"name": port.name, "containerPort": port.target_port or port.port, "protocol": "TCP"} for port in spec.ports
    ]


def has_secrets(inputs: ServiceInputs) -> bool:
    """Whether the service has secrets to open."""
    values = service_values(inputs)
    return len(plain(values)) < len(values)


def environment(inputs: ServiceInputs) -> list[Manifest]:
    """Declared variables, which release it is, and where flags and the secrets' forms are when it reads any."""
    variables = dict(sorted(inputs.service.env.items()))
    if inputs.service.delivery is not None:
        variables["ADX_RELEASE"] = release_id(inputs)
    if inputs.service.feature_flags:
        variables["ADX_FLAGS_FILE"] = f"{FLAGS_FOLDER}/flags.json"
    if has_secrets(inputs):
        variables["ADX_SEALED_FILE"] = f"{SEALED_FOLDER}/{SEALED_DOCUMENT}"
        variables["ADX_VAULT_KUBERNETES_TOKEN_FILE"] = f"{SEALED_FOLDER}/{VAULT_TOKEN_FILE}"
    return [{"name": name, "value": value} for name, value in variables.items()]


def volumes(inputs: ServiceInputs) -> list[Manifest]:
    """An empty folder for each writable path; the flags and the secrets' forms when the service reads any."""
    folders: list[Manifest] = [
        {"name": f"writable-{number}", "emptyDir": {}} for number, _ in enumerate(inputs.service.writable_paths)
    ]
    if inputs.service.feature_flags:
        folders.append({"name": "flags", "configMap": {"name": FLAGS_MAP_NAME}})
    if has_secrets(inputs):
        folders.append({"name": "sealed", "projected": {"sources": sealed_sources(inputs)}})
    return folders


def sealed_sources(inputs: ServiceInputs) -> list[Manifest]:
    """The secrets' forms, and a token that only Vault accepts: the pod has no other."""
    token = {"audience": VAULT_AUDIENCE, "expirationSeconds": VAULT_TOKEN_SECONDS, "path": VAULT_TOKEN_FILE}
    return [{"configMap": {"name": sealed_map_name(workload_name(inputs))}}, {"serviceAccountToken": token}]


def volume_mounts(inputs: ServiceInputs) -> list[Manifest]:
    """Where the volumes appear in the container."""
    mounts: list[Manifest] = [
        {"name": f"writable-{number}", "mountPath": path} for number, path in enumerate(inputs.service.writable_paths)
    ]
    if inputs.service.feature_flags:
        mounts.append({"name": "flags", "mountPath": FLAGS_FOLDER, "readOnly": True})
    if has_secrets(inputs):
        mounts.append({"name": "sealed", "mountPath": SEALED_FOLDER, "readOnly": True})
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
