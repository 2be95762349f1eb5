"""What a crash left under way, settled in an exported state. Pure.

Pulumi notes an operation before it starts and strikes it out when it ended. A
killed process leaves those that were under way:

- a creation: the object may or may not exist. It is entered into the state
  under the id that Kubernetes gives it; the refresh that follows keeps it if
  it exists and drops it if not.
- anything else concerns an object that the state already has; the refresh
  reads what became of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from infra.engine.plan import Repaired
from infra.engine.state import Deployment, Operation, parse

CREATING = "creating"


def pending_creations(deployment: Deployment) -> list[Operation]:
    """Creations of Kubernetes objects that were under way."""
    return [op for op in deployment.pending_operations if op.type == CREATING and object_id(op.resource.inputs)]


def object_id(inputs: dict[str, Any]) -> str:
    """The id that the provider gives an object: ``namespace/name``, or ``name`` where there is no namespace."""
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return ""
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def settle(export: bytes) -> bytes:
    """The same state without pending operations, every creation entered as if it had succeeded."""
    parse(export)
    state = msgspec.json.decode(export)
    deployment = state["deployment"]
    resources = deployment.setdefault("resources", [])
    known = {resource["urn"] for resource in resources if not resource.get("delete")}
    for operation in deployment.pop("pending_operations", None) or []:
        resource = operation["resource"]
        identity = object_id(resource.get("inputs") or {})
        if operation["type"] == CREATING and identity and resource["urn"] not in known:
            resources.append(resource | {"id": identity})
            known.add(resource["urn"])
    return msgspec.json.encode(state)


def outcome(before: Deployment, after: Deployment) -> Repaired:
    """What became of the operations that were pending in ``before``."""
    created = {op.resource.urn for op in pending_creations(before)}
    now = {resource.urn for resource in after.resources}
    others = {op.resource.urn for op in before.pending_operations} - created
    return Repaired(
        pending=len(before.pending_operations),
        completed=tuple(sorted(created & now)),
        dropped=tuple(sorted(created - now)),
        settled=tuple(sorted(others)),
    )
