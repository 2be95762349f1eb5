"""Kubernetes: the objects that ADX made, whether they are as before, whether workloads are ready.

What ADX delivers, it delivers through the engine; only what others have
changed behind it is put back from here (``writing``). HTTP and
JSON only, no client library: typed models of every Kubernetes kind cost more
memory than the few fields that are read here are worth.
"""

from __future__ import annotations

from workflows.clients.kubernetes.cluster import Cluster
from workflows.clients.kubernetes.workloads import WorkloadStatus

__all__ = ["Cluster", "WorkloadStatus"]
