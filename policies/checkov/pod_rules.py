"""What ADX's own checks look for in the pods that workloads start. Pure, nothing but the standard library."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from policies.checkov.images import why_image_is_mutable
from policies.checkov.manifests import Manifest, containers, mapping, mappings, pod_spec, security_of
from policies.checkov.surroundings import Surroundings

_AMOUNTS = (("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory"))
_SEALED = ("RuntimeDefault", "Localhost")


def of_pods(rule: Callable[[Manifest], list[str]]) -> Callable[[Manifest, Surroundings], list[str] | None]:
    """A rule about the pod of an object, as a rule about the object; it has nothing to do with what starts no pod."""

    @wraps(rule)
    def of_object(manifest: Manifest, _: Surroundings) -> list[str] | None:
        pod = pod_spec(manifest)
        return rule(pod) if pod is not None else None

    return of_object


@of_pods
def mutable_images(pod: Manifest) -> list[str]:
    """Every image is named by a digest or by a tag that stays."""
    return [
        f"container {container.get('name')}: {why}"
        for container in containers(pod)
        if (why := why_image_is_mutable(str(container.get("image", "")))) is not None
    ]


@of_pods
def missing_resources(pod: Manifest) -> list[str]:
    """Every container says what it needs and what it may use, in CPU and memory."""
    return [
        f"container {container.get('name')} has no {side} of {amount}"
        for container in containers(pod)
        for side, amount in _AMOUNTS
        if not mapping(mapping(container.get("resources")).get(side)).get(amount)
    ]


@of_pods
def root_user(pod: Manifest) -> list[str]:
    """No process runs as root."""
    of_pod = security_of(pod)
    lines = []
    for container in containers(pod):
        merged = {**of_pod, **security_of(container)}
        if merged.get("runAsNonRoot") is not True:
            lines.append(f"container {container.get('name')} may run as root: runAsNonRoot is not true")
        elif merged.get("runAsUser") == 0:
            lines.append(f"container {container.get('name')} runs as user 0")
    return lines


@of_pods
def privilege_escalation(pod: Manifest) -> list[str]:
    """No container is privileged or may become so."""
    lines = []
    for container in containers(pod):
        security = security_of(container)
        if security.get("privileged"):
            lines.append(f"container {container.get('name')} is privileged")
        if security.get("allowPrivilegeEscalation") is not False:
            lines.append(f"container {container.get('name')}: allowPrivilegeEscalation is not false")
    return lines


@of_pods
def kept_capabilities(pod: Manifest) -> list[str]:
    """Every container drops all capabilities and adds at most that of binding a low port."""
    lines = []
    for container in containers(pod):
        capabilities = mapping(security_of(container).get("capabilities"))
        if "ALL" not in (capabilities.get("drop") or ()):
            lines.append(f"container {container.get('name')} does not drop ALL capabilities")
        added = [name for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE"]
        if added:
            lines.append(f"container {container.get('name')} adds {', '.join(map(str, added))}")
    return lines


@of_pods
def open_seccomp(pod: Manifest) -> list[str]:
    """System calls are filtered by the runtime's own profile or a stricter one."""
    return [
        f"container {container.get('name')} has no seccomp profile RuntimeDefault"
        for container in containers(pod)
        if mapping(({**security_of(pod), **security_of(container)}).get("seccompProfile")).get("type") not in _SEALED
    ]


@of_pods
def host_access(pod: Manifest) -> list[str]:
    """A pod sees nothing of the machine: no folder, network, process or port of it."""
    lines = [f"{name} is true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    lines += [
        f"the volume {volume.get('name')} is a folder of the machine (hostPath)"
        for volume in mappings(pod.get("volumes"))
        if "hostPath" in volume
    ]
    lines += [
        f"container {container.get('name')} takes port {port['hostPort']} of the machine"
        for container in containers(pod)
        for port in mappings(container.get("ports"))
        if port.get("hostPort")
    ]
    return lines
