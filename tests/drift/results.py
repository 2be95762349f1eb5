"""Results as `adx drift` finds them."""

from __future__ import annotations

from workflows.drift.findings import DriftedField, DriftedObject, EnvironmentDrift

COMMIT = "8d1e77aa" * 5
AS_DELIVERED = EnvironmentDrift(environment="development", status="as-delivered", commit=COMMIT, compared=58)
NOTHING = EnvironmentDrift(environment="fresh", status="nothing-delivered", reason="nothing was delivered yet")
UNDER_WAY = EnvironmentDrift(
    environment="staging",
    status="rollout-under-way",
    commit=COMMIT,
    rollout="adx-rollout-staging-3f2a9c1b0411-0a1b2c",
    reason="a rollout is under way: what differs is no drift",
)
UNCHECKED = EnvironmentDrift(
    environment="edge",
    status="unchecked",
    commit=COMMIT,
    reason="the API server cannot be reached (ConnectError): GET /api/v1/namespaces",
    next_step="check the cluster (`adx status` for the local one) and the kubeconfig's context",
)
DRIFTED = EnvironmentDrift(
    environment="production",
    status="drifted",
    commit=COMMIT,
    compared=61,
    objects=(
        DriftedObject(
            unit="service/frontend",
            kind="Deployment",
            name="frontend",
            namespace="boutique-production",
            state="changed",
            fields=(
                DriftedField(path="spec.replicas", live="5", delivered="2", by="kubectl-edit"),
                DriftedField(
                    path='metadata.annotations["example.com/a-very-long-annotation-that-somebody-added-by-hand"]',
                    live='"' + "a long value " * 30 + '"',
                    delivered=None,
                ),
            ),
        ),
        DriftedObject(
            unit="service/frontend",
            kind="ConfigMap",
            name="frontend-configuration",
            namespace="boutique-production",
            state="missing",
        ),
        DriftedObject(
            unit="tenant/acme",
            kind="ConfigMap",
            name="tenant-overrides",
            namespace="production-tenant-acme",
            state="changed",
            fields=(DriftedField(path="data.DB_PASSWORD", live='"•••"', delivered=None),),
        ),
        DriftedObject(unit="", kind="Namespace", name="debug", state="stray"),
        DriftedObject(
            unit="service/frontend",
            kind="Deployment",
            name="frontend-copy",
            namespace="boutique-production",
            state="stray",
        ),
    ),
    notes=("frozen: adx-rollout-production-1: apply failed",),
)
