"""Labels and metadata of every object that ADX creates. Pure.

Objects carry the recommended Kubernetes labels and ADX's own; pods carry only
what stays the same while the workload stays the same, so that a new commit
alone never restarts one.

Of a tenant only the namespace names version and commit. What lies in it names
its own content instead, so that a change of a tenant touches the objects that
differ and no others: in a fleet that is most of the time that a change takes.
"""

from __future__ import annotations

from typing import Any

from infra.names import label_value, object_name, unit_label
from policies.desired_state import ServiceInputs, TenantInputs, Unit, digest_of
from policies.services.releases import release_id

Manifest = dict[str, Any]
MANAGED_BY = "adx"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
VERSION_LABEL = "app.kubernetes.io/version"
COMMIT_LABEL = "adx/commit"
CONTENT_LABEL = "adx/content"
RELEASE_LABEL = "adx/release"
REVISION_LABELS = frozenset({VERSION_LABEL, COMMIT_LABEL})
CONTENT_DIGITS = 12
NAMESPACE_DELETION = {"pulumi.com/timeoutSeconds": "300"}
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def provider_annotations(unit: Unit) -> dict[str, str]:
    """How Pulumi's Kubernetes provider is to treat an object of the unit.

    - Who owns its fields in server-side apply: one name per environment. An
      object that was created by an apply whose outcome was lost can be applied
      again, while another environment (or anyone else) that sets the same
      fields differently is refused by the API server.
    - Deletion without waiting for dependents: with the provider's default, the
      deletion of an object can end between its look and its watch, and it then
      waits ten minutes for an event that was long ago.
    """
    return {
        "pulumi.com/patchFieldManager": f"{MANAGED_BY}-{unit.inputs.environment}",
        "pulumi.com/deletionPropagationPolicy": "background",
    }


def unit_kind(unit: Unit) -> str:
    """``platform``, ``service`` or ``tenant``."""
    return unit.id.partition("/")[0]


def unit_name(unit: Unit) -> str:
    """The name in the unit's id; the platform is called ``platform``."""
    return unit.id.rpartition("/")[2]


def platform_namespace(unit: Unit) -> str:
    """The namespace of the platform that the unit belongs to."""
    return unit.inputs.platform_namespace if isinstance(unit.inputs, TenantInputs) else unit.inputs.namespace


def owner(unit: Unit) -> str:
    """Who answers for the unit."""
    return unit.inputs.service.owner if isinstance(unit.inputs, ServiceInputs) else unit.inputs.owner


def version(unit: Unit) -> str:
    """The version of a service; for the others the beginning of the digest of their inputs."""
    return unit.inputs.service.version if isinstance(unit.inputs, ServiceInputs) else unit.digest[:12]


def selector_labels(unit: Unit) -> dict[str, str]:
    """What selects the unit's pods; never changes while the unit lives."""
    return {
        "app.kubernetes.io/name": label_value(unit_name(unit)),
        "app.kubernetes.io/instance": label_value(f"{unit_name(unit)}-{unit.inputs.environment}"),
    }


def release_labels(unit: Unit) -> dict[str, str]:
    """Which release of the service an object or pod belongs to; empty where pods are replaced one by one."""
    inputs = unit.inputs
    if not isinstance(inputs, ServiceInputs) or inputs.service.delivery is None:
        return {}
    return {RELEASE_LABEL: release_id(inputs)}


def release_selector(unit: Unit) -> dict[str, str]:
    """What selects the pods of the unit's release."""
    return selector_labels(unit) | release_labels(unit)


def pod_labels(unit: Unit) -> dict[str, str]:
    """Labels of the unit's pods: nothing that changes without a change of the workload."""
    return release_selector(unit) | {
        MANAGED_BY_LABEL: MANAGED_BY,
        VERSION_LABEL: label_value(version(unit)),
        "adx/environment": label_value(unit.inputs.environment),
        "adx/unit": unit_label(unit.id),
    }


def object_labels(unit: Unit, component: str) -> dict[str, str]:
    """Labels of an object of ``unit`` that the system ``component`` renders."""
    labels = selector_labels(unit) | {
        MANAGED_BY_LABEL: MANAGED_BY,
        "app.kubernetes.io/part-of": label_value(platform_namespace(unit)),
        VERSION_LABEL: label_value(version(unit)),
        "app.kubernetes.io/component": component,
        "adx/environment": label_value(unit.inputs.environment),
        "adx/unit": unit_label(unit.id),
        "adx/unit-kind": unit_kind(unit),
        "adx/owner": label_value(owner(unit)),
        COMMIT_LABEL: label_value(unit.commit),
    }
    if isinstance(unit.inputs, TenantInputs):
        labels["adx/tenant"] = label_value(unit.inputs.name)
    return labels


def manifest(
    unit: Unit,
    component: str,
    api_version: str,
    kind: str,
    *name: str,
    namespace: str | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """One Kubernetes object of ``unit``; ``name`` are the parts of its name, ``body`` its other top-level fields."""
    metadata: Manifest = {"name": object_name(*name)}
    if namespace is not None:
        metadata["namespace"] = object_name(namespace)
    metadata["labels"] = (labels or {}) | object_labels(unit, component)
    metadata["annotations"] = provider_annotations(unit) | (annotations or {})
    made = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    return _named_by_content(made) if isinstance(unit.inputs, TenantInputs) and namespace is not None else made


def release_manifest(unit: Unit, component: str, api_version: str, kind: str, *name: str, **rest: Any) -> Manifest:
    """Like :func:`manifest`, of an object that belongs to one release of a service."""
    body = manifest(unit, component, api_version, kind, *name, **rest)
    body["metadata"]["labels"] |= release_labels(unit)
    return body


def _named_by_content(body: Manifest) -> Manifest:
    """``body``, an object in a tenant's namespace, with a digest of itself in place of version and commit."""
    kept = {name: value for name, value in body["metadata"]["labels"].items() if name not in REVISION_LABELS}
    bare = body | {"metadata": body["metadata"] | {"labels": kept}}
    content = digest_of(bare)[:CONTENT_DIGITS]
    return bare | {"metadata": bare["metadata"] | {"labels": kept | {CONTENT_LABEL: content}}}
