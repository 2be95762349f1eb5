"""What the API server fills in where an object says nothing: by Kubernetes' API reference (apps/v1, v1, …). Pure.

A live value that is one of these, and of which declarations say nothing, would
be filled in again: nothing is lost.
"""

from __future__ import annotations

import re
from typing import Any

_POD = "spec.template.spec"
_CONTAINER = f"{_POD}.containers[*]"
_PROBE = f"{_CONTAINER}.{{}}Probe"
_PROBE_SAYS = {
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "timeoutSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 3,
    "httpGet.scheme": "HTTP",
    "grpc.service": "",
}
_SCALE_UP = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]

_DEFAULTS: dict[str, dict[str, Any]] = {
    "Deployment": {
        "spec.replicas": 1,
        "spec.progressDeadlineSeconds": 600,
        "spec.revisionHistoryLimit": 10,
        "spec.strategy.type": "RollingUpdate",
        "spec.paused": False,
        "spec.minReadySeconds": 0,
        f"{_POD}.restartPolicy": "Always",
        f"{_POD}.terminationGracePeriodSeconds": 30,
        f"{_POD}.dnsPolicy": "ClusterFirst",
        f"{_POD}.schedulerName": "default-scheduler",
        f"{_POD}.securityContext": {},
        f"{_POD}.hostNetwork": False,
        f"{_POD}.hostPID": False,
        f"{_POD}.hostIPC": False,
        f"{_POD}.shareProcessNamespace": False,
        f"{_POD}.enableServiceLinks": True,
        f"{_POD}.automountServiceAccountToken": True,
        f"{_CONTAINER}.terminationMessagePath": "/dev/termination-log",
        f"{_CONTAINER}.terminationMessagePolicy": "File",
        f"{_CONTAINER}.resources": {},
        f"{_CONTAINER}.securityContext": {},
        f"{_CONTAINER}.stdin": False,
        f"{_CONTAINER}.tty": False,
        f"{_CONTAINER}.volumeMounts[*].readOnly": False,
        f"{_CONTAINER}.volumeMounts[*].*.defaultMode": 420,
        **{
            f"{_PROBE.format(kind)}.{field}": value
            for kind in ("readiness", "liveness", "startup")
            for field, value in _PROBE_SAYS.items()
        },
    },
    "Service": {
        "spec.type": "ClusterIP",
        "spec.sessionAffinity": "None",
        "spec.internalTrafficPolicy": "Cluster",
        "spec.ipFamilyPolicy": "SingleStack",
        "spec.ipFamilies[0]": ("IPv4", "IPv6"),
        "spec.publishNotReadyAddresses": False,
    },
    "HorizontalPodAutoscaler": {
        "spec.minReplicas": 1,
        "spec.behavior.scaleDown.stabilizationWindowSeconds": 300,
        "spec.behavior.scaleDown.selectPolicy": "Max",
        "spec.behavior.scaleDown.policies[Percent].type": "Percent",
        "spec.behavior.scaleDown.policies[Percent].value": 100,
        "spec.behavior.scaleDown.policies[Percent].periodSeconds": 15,
        "spec.behavior.scaleUp.stabilizationWindowSeconds": 0,
        "spec.behavior.scaleUp.selectPolicy": "Max",
        **{
            f"spec.behavior.scaleUp.policies[{one['type']}].{field}": value
            for one in _SCALE_UP
            for field, value in one.items()
        },
    },
    "ServiceAccount": {"automountServiceAccountToken": True},
}
_NAMES = re.compile(r"(\.containers|\.volumeMounts)\[[^\]]*\]")
_SOURCE = re.compile(r"(\.volumeMounts\[\*\])\.(configMap|projected|secret|downwardAPI)\.")
_MISSING = object()


def is_default(kind: str, path: str, value: object) -> bool:
    """Whether an object of ``kind`` that says nothing at ``path`` has ``value`` there."""
    known = default_of(kind, path)
    return known is not _MISSING and (value in known if isinstance(known, tuple) else _is(value, known))


def default_of(kind: str, path: str) -> Any:
    """What is filled in at ``path``: a value, several that it may be as a tuple, or something that equals nothing."""
    general = _SOURCE.sub(r"\1.*.", _NAMES.sub(r"\1[*]", path))
    return _DEFAULTS.get(kind, {}).get(general, _MISSING)


def _is(value: object, known: object) -> bool:
    return value == known and isinstance(value, bool) is isinstance(known, bool)
