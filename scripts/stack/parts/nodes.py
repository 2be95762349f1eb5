"""The nodes of the local cluster: three of a usual size, in three zones, played by kwok."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scripts.errors import StackError
from scripts.stack.probes import http_request

NODES = ("node-a", "node-b", "node-c")
_CAPACITY = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}
_READY_WITHIN_SECONDS = 90.0
# As for its kinds: the server is busy with its own start.
_ANSWER_WITHIN_SECONDS = 60.0
_POLL_SECONDS = 0.05


def make_nodes(api_url: str, token: str, ca_file: Path) -> None:
    """Create the nodes that are missing and wait until all are ready; StackError when they do not become so."""
    for name in NODES:
        _request(api_url, token, ca_file, "POST", _node(name))
    give_up_at = time.monotonic() + _READY_WITHIN_SECONDS
    while not _are_all_ready(_request(api_url, token, ca_file, "GET")):
        if time.monotonic() > give_up_at:
            raise StackError("the local cluster's nodes did not become ready", next_step="look at `adx logs kwok`")
        time.sleep(_POLL_SECONDS)


def _node(name: str) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "local",
        "topology.kubernetes.io/zone": f"local-{name[-1]}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
    }


def _request(api_url: str, token: str, ca_file: Path, method: str, body: object = None) -> Any:
    status, answer = http_request(
        method,
        f"{api_url}/api/v1/nodes",
        body=body,
        headers={"Authorization": f"Bearer {token}"},
        ca_file=str(ca_file),
        timeout_seconds=_ANSWER_WITHIN_SECONDS,
    )
    already_exists = method == "POST" and status == 409
    if status not in {200, 201} and not already_exists:
        message = answer.get("message") if isinstance(answer, dict) else answer
        raise StackError(
            f"the local API server refused a node: {message}", next_step="look at `adx logs kube-apiserver`"
        )
    return answer


def _are_all_ready(answer: dict[str, Any]) -> bool:
    conditions = {
        node["metadata"]["name"]: {item["type"]: item["status"] for item in node["status"].get("conditions", [])}
        for node in answer["items"]
    }
    return all(conditions.get(name, {}).get("Ready") == "True" for name in NODES)
