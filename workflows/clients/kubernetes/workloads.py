"""Whether a Deployment runs what it should, and why not. Pure: objects in, a verdict out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Json = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
POD_TEMPLATE_HASH = "pod-template-hash"
# What a container waits for that time alone does not mend. ErrImagePull is not among them: it becomes
# ImagePullBackOff when it happens again, and once may be a hiccup of the registry.
HOPELESS_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
_LONGEST_MESSAGE_CHARACTERS = 200


class WorkloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment's replicas. ``observed``: the controller has seen the newest declaration.

    ``outdated`` replicas still run an earlier one. ``failure`` says why it will
    not become ready by waiting, None while it may. ``waiting`` says why a pod
    has no node yet, empty when all have one.
    """

    desired: int
    updated: int
    available: int
    observed: bool
    failure: str | None = None
    outdated: int = 0
    waiting: str = ""

    @property
    def is_ready(self) -> bool:
        """All replicas run the newest declaration and are available, and no other is left."""
        is_complete = self.updated >= self.desired and self.available >= self.desired
        return self.observed and is_complete and self.outdated == 0 and self.failure is None


def status_of(deployment: Json, pods: Iterable[Json] = ()) -> WorkloadStatus:
    """The status of ``deployment``; ``pods`` are those of its newest ReplicaSet."""
    status: Mapping[str, Any] = deployment.get("status") or {}
    pods = list(pods)
    is_observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    updated = status.get("updatedReplicas", 0)
    return WorkloadStatus(
        desired=deployment["spec"].get("replicas", 1),
        updated=updated,
        available=status.get("availableReplicas", 0),
        observed=is_observed,
        # What is said of an earlier declaration is no verdict on this one.
        failure=(_deadline_exceeded(status) or _hopeless(pods)) if is_observed else None,
        outdated=max(status.get("replicas", 0) - updated, 0),
        waiting=_unscheduled(pods) if is_observed else "",
    )


def newest_hash(deployment: Json, replica_sets: Iterable[Json]) -> str | None:
    """The pod template hash of the ReplicaSet that runs the newest declaration; None before it is made."""
    revision = (deployment["metadata"].get("annotations") or {}).get(REVISION)
    for replica_set in replica_sets:
        metadata = replica_set["metadata"]
        is_own = any(owner["uid"] == deployment["metadata"]["uid"] for owner in metadata.get("ownerReferences") or ())
        if is_own and revision and (metadata.get("annotations") or {}).get(REVISION) == revision:
            return str(metadata["labels"][POD_TEMPLATE_HASH])
    return None


def selector_text(selector: Mapping[str, Any]) -> str:
    """A Deployment's selector as the text that the API takes."""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        operator = expression["operator"]
        terms.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
        )
    return ",".join(terms)


def _deadline_exceeded(status: Mapping[str, Any]) -> str | None:
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    progressing = conditions.get("Progressing", {})
    if progressing.get("status") != "False":
        return None
    # Why no pod could be made at all (a quota, an admission rule) is said in a condition of its own.
    cause = conditions.get("ReplicaFailure", progressing)
    return _sentence(str(progressing.get("reason")), str(cause.get("message") or ""))


def _hopeless(pods: Iterable[Json]) -> str | None:
    for pod in sorted(pods, key=lambda item: str(item["metadata"]["name"])):
        status = pod.get("status") or {}
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in HOPELESS_REASONS:
                where = f"container {container['name']} of pod {pod['metadata']['name']}"
                return _sentence(waiting["reason"], str(waiting.get("message") or ""), where)
    return None


def _unscheduled(pods: Iterable[Json]) -> str:
    """What the scheduler says of the first pod that has no node; the cluster may get one, so it is no failure."""
    for pod in sorted(pods, key=lambda item: str(item["metadata"]["name"])):
        for condition in (pod.get("status") or {}).get("conditions") or ():
            is_unscheduled = condition["type"] == "PodScheduled" and condition["status"] == "False"
            if is_unscheduled and condition.get("reason") == "Unschedulable":
                return _sentence("Unschedulable", str(condition.get("message") or ""))
    return ""


def _sentence(reason: str, message: str, where: str = "") -> str:
    head = f"{reason} ({where})" if where else reason
    return f"{head}: {message[:_LONGEST_MESSAGE_CHARACTERS]}" if message else head
