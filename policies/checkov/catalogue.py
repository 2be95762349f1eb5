"""Every check that ADX knows: how severe it is unless a repository says otherwise, and how to mend what it finds.

``off`` are checks that contradict how ADX renders; a repository may switch
them on. checkov's other Kubernetes checks can never apply and are named in
docs/policies.md. ``covered_by`` names the check of ADX that finds the same and
says more: where both fail, only that one is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from policies.checkov.findings import Severity
from policies.spec import Spec

SeveritySetting = Literal["low", "medium", "high", "critical", "off"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
OWN_SEVERITY: Severity = "medium"

_RENDERED = "ADX renders this so by itself: look at what changed in infra/"
_WORKLOAD = f"{_RENDERED}components/workload.py"


class Check(Spec):
    """One check. ``fields`` are where in the declaration of its unit the cause stands; the first that is there counts.

    They are relative to the service, or to the document of a tenant or environment.
    """

    id: str
    title: str
    severity: SeveritySetting
    fix: str
    fields: tuple[str, ...] = ()
    covered_by: str = ""


def _check(
    id_: str, severity: SeveritySetting, title: str, fix: str, *fields: str, covered_by: str = ""
) -> tuple[str, Check]:
    found = Check(id=id_, title=title, severity=severity, fix=fix, fields=fields, covered_by=covered_by)
    return id_, found


CATALOGUE: Mapping[str, Check] = dict(
    [
        _check(
            "ADX_K8S_1", "high", "Images are named by a digest or by a tag that stays",
            "write a released version, or a digest (sha256:…)", "version",
        ),
        _check(
            "ADX_K8S_2", "high", "Containers say what they need and may use",
            "set requests and limits of cpu and memory", "resources",
        ),
        _check(
            "ADX_K8S_3", "critical", "What belongs to a tenant lies in its own namespace",
            f"{_RENDERED}components/tenancy.py", "name",
        ),
        _check(
            "ADX_K8S_4", "critical", "A tenant has nothing that the whole cluster sees, but its namespace",
            f"{_RENDERED}components/tenancy.py", "name",
        ),
        _check("ADX_K8S_5", "high", "No process runs as root", _WORKLOAD),
        _check("ADX_K8S_6", "critical", "No container is privileged or may become so", _WORKLOAD),
        _check("ADX_K8S_7", "high", "Containers drop all capabilities", _WORKLOAD),
        _check("ADX_K8S_8", "high", "System calls are filtered (seccomp)", _WORKLOAD),
        _check("ADX_K8S_9", "critical", "Pods see nothing of the machine", _WORKLOAD, "ports"),
        _check(
            "ADX_K8S_10", "high", "Namespaces admit only pods of the level restricted",
            f"{_RENDERED}components/infrastructure.py and tenancy.py", "namespace", "name",
        ),
        _check(
            "ADX_K8S_11", "critical", "A tenant's data stays in its region",
            "take the environment out of the tenant, or correct its data residency", "compliance.data_residency",
        ),
        _check(
            "ADX_K8S_12", "high", "Frameworks that demand encryption find it promised",
            "set encryption_at_rest and encryption_in_transit to true", "compliance",
        ),
        _check(
            "ADX_K8S_13", "high", "Replicas stay within their bounds and move in small steps",
            "change them in smaller steps, or raise the bounds in policies/policies.yaml first",
            "replicas", "autoscaling",
        ),
        _check("ADX_K8S_14", "medium", "Objects say which unit they belong to", f"{_RENDERED}metadata.py"),
        _check("CKV_K8S_8", "low", "Containers have a liveness probe", "declare probes.liveness", "probes"),
        _check("CKV_K8S_9", "low", "Containers have a readiness probe", "declare probes.readiness", "probes"),
        _check(
            "CKV_K8S_10", "medium", "CPU requests are set", "set resources.requests.cpu",
            "resources.requests", covered_by="ADX_K8S_2",
        ),
        _check(
            "CKV_K8S_11", "medium", "CPU limits are set", "set resources.limits.cpu",
            "resources.limits", covered_by="ADX_K8S_2",
        ),
        _check(
            "CKV_K8S_12", "medium", "Memory requests are set", "set resources.requests.memory",
            "resources.requests", covered_by="ADX_K8S_2",
        ),
        _check(
            "CKV_K8S_13", "medium", "Memory limits are set", "set resources.limits.memory",
            "resources.limits", covered_by="ADX_K8S_2",
        ),
        _check(
            "CKV_K8S_14", "high", "The image has a fixed tag", "write a released version",
            "version", covered_by="ADX_K8S_1",
        ),
        _check("CKV_K8S_15", "off", "Images are pulled at every start", "it is off: versions are fixed", "version"),
        _check(
            "CKV_K8S_16", "critical", "Containers are not privileged", _WORKLOAD,
            covered_by="ADX_K8S_6",
        ),
        _check("CKV_K8S_17", "critical", "No host processes", _WORKLOAD, covered_by="ADX_K8S_9"),
        _check(
            "CKV_K8S_18", "critical", "No host IPC namespace", _WORKLOAD, covered_by="ADX_K8S_9"
        ),
        _check("CKV_K8S_19", "critical", "No host network", _WORKLOAD, covered_by="ADX_K8S_9"),
        _check(
            "CKV_K8S_20", "high", "No privilege escalation", _WORKLOAD, covered_by="ADX_K8S_6"
        ),
        _check("CKV_K8S_21", "medium", "The namespace default is not used", "name another namespace", "namespace"),
        _check(
            "CKV_K8S_22", "medium", "The root file system is read-only",
            "declare writable_paths for what must be written", "writable_paths",
        ),
        _check("CKV_K8S_23", "high", "No root containers", _WORKLOAD, covered_by="ADX_K8S_5"),
        _check("CKV_K8S_25", "high", "No added capabilities", _WORKLOAD, covered_by="ADX_K8S_7"),
        _check("CKV_K8S_26", "high", "No host ports", _WORKLOAD, "ports", covered_by="ADX_K8S_9"),
        _check(
            "CKV_K8S_27", "critical", "The container runtime's socket is not mounted", _WORKLOAD,
            covered_by="ADX_K8S_9",
        ),
        _check(
            "CKV_K8S_28", "high", "NET_RAW is dropped", _WORKLOAD, covered_by="ADX_K8S_7"
        ),
        _check(
            "CKV_K8S_29", "medium", "Pods have a security context", _WORKLOAD, covered_by="ADX_K8S_5"
        ),
        _check(
            "CKV_K8S_30", "medium", "Containers have a security context", _WORKLOAD,
            covered_by="ADX_K8S_6",
        ),
        _check(
            "CKV_K8S_31", "high", "The seccomp profile is RuntimeDefault", _WORKLOAD,
            covered_by="ADX_K8S_8",
        ),
        _check("CKV_K8S_33", "medium", "The Kubernetes dashboard is not run", "take the service out", "image"),
        _check(
            "CKV_K8S_35", "medium", "Secrets are mounted as files, not set as variables",
            "mount the secret as a file", "env",
        ),
        _check(
            "CKV_K8S_37", "medium", "Capabilities are dropped", _WORKLOAD, covered_by="ADX_K8S_7"
        ),
        _check(
            "CKV_K8S_38", "medium", "Service account tokens are mounted only where needed", _WORKLOAD
        ),
        _check(
            "CKV_K8S_39", "critical", "CAP_SYS_ADMIN is not added", _WORKLOAD, covered_by="ADX_K8S_7"
        ),
        _check("CKV_K8S_40", "off", "Containers run as a user above 10000", "it is off: no declaration changes it"),
        _check("CKV_K8S_41", "medium", "The default service account is not used", f"{_RENDERED}components/services.py"),
        _check("CKV_K8S_42", "medium", "The default service account has no roles", "bind another account"),
        _check("CKV_K8S_43", "off", "Images are named by a digest", "write the digest as version", "version"),
        _check("CKV_K8S_49", "high", "Roles name what they allow", "replace * by what is needed"),
        _check("CKV_K8S_152", "high", "No Lua in ingress snippets", "take the annotation out"),
        _check("CKV_K8S_153", "high", "No ingress snippets", "take the annotation out"),
        _check("CKV_K8S_154", "high", "No alias in ingress snippets", "take the annotation out"),
        _check("CKV_K8S_155", "high", "Roles do not control admission webhooks", "take the permission out"),
        _check("CKV_K8S_156", "high", "Roles do not approve certificates", "take the permission out"),
        _check("CKV_K8S_157", "high", "Roles do not bind roles", "take the permission out"),
        _check("CKV_K8S_158", "high", "Roles do not escalate roles", "take the permission out"),
        _check("CKV_K8S_159", "medium", "git-sync runs nothing that it fetched", "use another image", "image"),
    ]
)  # fmt: skip
