"""Why something is lost, changed or added, by the place that it stands at. Pure.

The first row whose kind and place fit says it; a place is matched at its end.
"""

from __future__ import annotations

import re
from functools import lru_cache

_REASONS: tuple[tuple[str, str, str], ...] = (
    ("lost", r"(nodePort|healthCheckNodePort|allocateLoadBalancerNodePorts)", "nodes open no ports for a service"),
    ("lost", r"^(binaryData|data)\..*", "no service takes it as a variable"),
    ("lost", r"^spec\.ports\[.*", "a service is called by TCP, on ports with names"),
    # What stands in pods.
    ("lost", r"initContainers(\[.*\])?", "a service has no init containers: do it in the image, or in a migration"),
    ("lost", r"containers\[[^\]]*\]", "a service is one container: no sidecars"),
    ("lost", r"Probe\.exec.*", "a probe asks by HTTP, gRPC or TCP: this one runs a program"),
    ("lost", r"Probe(\..*)?", "a probe has path, port, headers and four figures"),
    ("lost", r"\.env\[every key of ConfigMap.*", "there is no such ConfigMap"),
    ("lost", r"\.env\[every key of .*", "Secrets are not read: declare each of its keys as a reference to Vault"),
    ("lost", r"\.env\[.*\]\.valueFrom.*", "this source of a variable cannot be declared"),
    ("lost", r"\.env\[.*\]", "the name or value of the variable is not one that declarations take"),
    (
        "lost",
        r"volumeMounts\[.*\]\.(persistentVolumeClaim|hostPath|nfs|csi|ephemeral).*",
        "a service keeps no data on volumes",
    ),
    ("lost", r"volumeMounts\[.*\]\.(secret|projected).*", "Secrets are not read: see feature secrets in Vault"),
    ("lost", r"volumeMounts\[.*\]\.configMap.*", "files are not mounted: values are variables, flags a file"),
    ("lost", r"volumeMounts\[.*\].*", "only an empty folder of its own becomes a writable path"),
    ("lost", r"volumes\[.*\]", "no container mounts it, but for init containers"),
    ("lost", r"(command|args)(\[.*\])?", "the image's own command runs: put it into the image"),
    ("lost", r"(host(Network|PID|IPC|Aliases)|shareProcessNamespace).*", "pods keep to the level restricted"),
    ("lost", r"imagePullSecrets.*", "pods have no pull secret: let the nodes pull"),
    ("lost", r"lifecycle.*", "hooks cannot be declared"),
    (
        "lost",
        r"(nodeSelector|affinity|tolerations|priorityClassName|runtimeClassName).*",
        "where pods are placed is topology_spread's alone",
    ),
    ("lost", r"topologySpreadConstraints.*", "of a spread only label, skew and what is unsatisfiable are declared"),
    ("lost", r"resources\.(requests|limits)\..*", "only cpu and memory are declared"),
    ("lost", r"resources\.claims.*", "only cpu and memory are declared"),
    ("lost", r"securityContext.*", "ADX sets the security of pods itself"),
    (
        "lost",
        r"(containers\[[^\]]*\]\.ports\[[^\]]*\]).*",
        "a port that neither a Service nor a probe names; UDP is not declared",
    ),
    ("lost", r"^spec\.hard\..*", "a quota is of CPU, memory, storage and pods"),
    ("added", r"^spec\.hard\..*", "the quota holds for requests and limits alike"),
    ("lost", r"^spec\.limits\[.*", "limits are those of containers"),
    ("changed", r"^spec\.limits\[.*", "what a container gets that says nothing is ADX's to say"),
    ("added", r"^spec\.limits\[.*", "what a container gets that says nothing is ADX's to say"),
    ("changed", r"^data\.flags.*", "the document is made from flags.yaml"),
    ("added", r"^spec\.maxUnavailable", "one pod may be down in a drain, where nothing else is declared"),
    # What stands around them.
    ("lost", r"metadata\.labels(\..*)?", "ADX has its own labels"),
    ("lost", r"metadata\.annotations(\..*)?", "ADX has its own annotations"),
    ("lost", r"metadata\.(ownerReferences|finalizers).*", "ADX is the only owner"),
    ("lost", r"spec\.metrics.*", "only mean use of CPU and memory scales"),
    ("lost", r"spec\.behavior.*", "only the window of scaling down is declared"),
    ("lost", r"spec\.(minAvailable|maxUnavailable)", "as ADX has it a bound is a number that leaves room for a drain"),
    (
        "lost",
        r"spec\.(externalIPs|loadBalancer.*|externalTrafficPolicy|externalName|clusterIPs?.*)",
        "a service is reached inside the cluster, or through a gateway",
    ),
    ("changed", r"spec\.type", "a service is reached inside the cluster, or through a gateway"),
    ("lost", r"spec\.ports\[.*UDP.*", "a service is called by TCP"),
    ("changed", r"^metadata\.name", "ADX names its objects itself"),
    ("changed", r"spec\.selector.*", "ADX chooses pods by its own labels; that of a Deployment can never be changed"),
    ("changed", r"strategy.*", "ADX replaces pods one by one and keeps all others up"),
    ("added", r"strategy.*", "ADX replaces pods one by one and keeps all others up"),
    ("changed", r"revisionHistoryLimit", "ADX's own history is the ledger"),
    ("changed", r"serviceAccountName", "each service has an account of its own, without rights"),
    ("added", r"serviceAccountName", "each service has an account of its own, without rights"),
    ("changed", r"progressDeadlineSeconds", "the longest wait that can be declared differs"),
    ("changed", r"imagePullPolicy", "an image that is there is not pulled again"),
    ("changed", r"containers\[[^\]]*\]\.name", "the container is called as the service is"),
    ("changed", r"\.image", "the same image in words of ADX, where nothing else is said of it"),
    ("changed", r"resources\..*", "the amount as declarations spell it, within their bounds"),
    ("changed", r"averageUtilization", "a target is from 10 to 95 per cent"),
    ("added", r"metrics\[cpu\].*", "an autoscaler always looks at CPU, at 70 % where nothing is said"),
    ("added", r"resources.*", "ADX wants requests and limits of every container"),
    ("added", r"topologySpreadConstraints.*", "pods are spread over nodes, as far as there is room"),
    ("added", r"automountServiceAccountToken", "pods have no token of the API server"),
    ("changed", r"automountServiceAccountToken", "pods have no token of the API server"),
    ("added", r"enableServiceLinks", "pods get no variables about Services"),
    ("changed", r"readOnlyRootFilesystem", "declare where it writes under writable_paths"),
    ("changed", r"securityContext.*", "pods keep to the level restricted"),
    ("added", r"securityContext.*", "pods keep to restricted: no root, a read-only file system, no privileges"),
    ("added", r"volumeMounts.*", "the forms of secrets, and a login to Vault"),
    ("added", r"\.env\[ADX_.*", "where the service finds the forms of its secrets"),
    ("added", r"volumes.*", "the forms of secrets, and a login to Vault"),
    ("added", r"annotations.*", "a change of its values restarts the service"),
    ("added", r"metadata\.labels.*pod-security.*", "pods of the namespace keep to the level restricted"),
    ("added", r"metadata\.labels.*", "labels that ADX needs"),
    ("added", r"\.ports\[[^\]]*\].*", "a port that is declared has a name, and is opened"),
)
_KIND_REASONS = {
    "StatefulSet": "ADX runs services that keep no state; leave it where it is, or run it as a product's own",
    "DaemonSet": "ADX runs Deployments only",
    "Job": "ADX runs Deployments only; what runs once per version is a migration",
    "CronJob": "ADX runs Deployments only",
    "Pod": "a pod that no controller started",
    "Ingress": "the way in is not ADX's: point it at the new namespace when you move",
    "PersistentVolumeClaim": "ADX declares no volumes",
    "Role": "ADX gives pods no rights",
    "RoleBinding": "ADX gives pods no rights",
    "ConfigMap": "no service takes any of it as variables",
    "Service": "it chooses no pods, or those of several Deployments, or is a second one",
    "ServiceAccount": "each service has an account of its own, without rights",
    "HorizontalPodAutoscaler": "it scales nothing that is imported",
    "PodDisruptionBudget": "it protects nothing that is imported, or is a second one",
    "ResourceQuota": "quotas are tenants': the platform's namespace has none",
    "LimitRange": "every service says its own limits",
    "NetworkPolicy": "the platform's two policies are ADX's own: who may come in is decided there",
    "Deployment": "it has no container, or its name is taken by another one",
    "Namespace": "the namespace is declared by its name alone",
}
_OTHERWISE = {
    "lost": "declarations have no word for it",
    "changed": "ADX does it in its own way",
    "added": "ADX sets it itself",
}


@lru_cache(maxsize=4096)  # services are alike
def reason(kind: str, *places: str) -> str:
    """Why something is ``lost``, ``changed`` or ``added`` at one of ``places``, which lie in one another."""
    for known, pattern, said in _REASONS:
        if known == kind and any(re.search(rf"{pattern}\Z", place) for place in places):
            return said
    return _OTHERWISE[kind]


def reason_of_kind(kind: str) -> str:
    """Why an object of ``kind`` as a whole is not proposed."""
    return _KIND_REASONS.get(kind, "ADX has no such kind; it is left alone")
