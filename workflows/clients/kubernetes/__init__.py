"""Kubernetes, read only: the objects that ADX made, whether they are as before, whether workloads are ready.

Everything ADX changes in a cluster, it changes through the engine. HTTP and
JSON only, no client library: typed models of every Kubernetes kind cost more
memory than the few fields that are read here are worth.
"""

from __future__ import annotations

from workflows.clients.kubernetes.cluster import Cluster
from workflows.clients.kubernetes.workloads import WorkloadStatus

__all__ = ["Cluster", "WorkloadStatus"]
