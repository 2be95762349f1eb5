"""How many pods there are, and how many must stay: replicas, autoscalers, disruption budgets. Pure."""

from __future__ import annotations

from pipelines.importing.model import Json
from pipelines.importing.workloads import Workload

MOST_PODS = 200
_PERCENT = range(10, 96)
_TARGETS = {"cpu": "target_cpu_percent", "memory": "target_memory_percent"}


def replicas_of(workload: Workload) -> Json:
    """``replicas``, or ``autoscaling`` where an autoscaler decides."""
    if workload.autoscaler is None:
        return {"replicas": min(int(workload.deployment["spec"].get("replicas", 1)), MOST_PODS)}
    spec = workload.autoscaler["spec"]
    most = min(int(spec["maxReplicas"]), MOST_PODS)
    made: Json = {"min_replicas": min(max(int(spec.get("minReplicas") or 1), 1), most), "max_replicas": most}
    for metric in spec.get("metrics") or ():
        resource = metric.get("resource") or {}
        percent = (resource.get("target") or {}).get("averageUtilization")
        field = _TARGETS.get(str(resource.get("name")))
        if field and isinstance(percent, int):
            made[field] = min(max(percent, _PERCENT[0]), _PERCENT[-1])
    window = ((spec.get("behavior") or {}).get("scaleDown") or {}).get("stabilizationWindowSeconds")
    if isinstance(window, int):
        made["scale_down_stabilization_seconds"] = window
    return {"autoscaling": made}


def budget_of(workload: Workload, pods: int) -> Json:
    """``min_available`` or ``max_unavailable`` of the budget, where ADX can hold it with so many ``pods`` at least."""
    spec = workload.budget["spec"] if workload.budget is not None else {}
    stay, down = spec.get("minAvailable"), spec.get("maxUnavailable")
    if isinstance(stay, int) and 0 < stay < pods:
        return {"min_available": stay}
    if isinstance(down, int) and 0 < down < MOST_PODS and not (down == 1 and pods > 1):
        return {"max_unavailable": down}
    return {}  # where one pod may be down of several ADX says that itself
