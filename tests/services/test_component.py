"""A service of the platform, rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.render import render_unit
from policies.desired_state import Unit
from tests.support.desired import AUTOSCALED, service_spec, service_unit
from tests.support.golden import assert_matches_golden

GOLDEN = Path(__file__).parent / "golden"


def kinds(unit: Unit) -> dict[str, dict[str, Any]]:
    """The rendered manifests by kind."""
    return {body["kind"]: body for body in render_unit(unit)}


def pod(unit: Unit) -> dict[str, Any]:
    """The pod template of the rendered Deployment."""
    return kinds(unit)["Deployment"]["spec"]["template"]


@pytest.mark.parametrize(
    ("golden", "changes"),
    [
        ("fixed_replicas", {}),
        ("autoscaled", {"replicas": None, "autoscaling": AUTOSCALED, "min_available": 1}),
        ("smallest", {"replicas": 1, "ports": (), "probes": service_spec().probes.__class__(), "feature_flags": (),
                      "env": {}, "writable_paths": ()}),
    ],
)  # fmt: skip
def test_service_matches_its_golden_file(golden: str, changes: dict[str, Any]):
    """The manifests of a service are exactly those that were accepted."""
    configuration: dict[str, Any] = {} if golden == "smallest" else {"LOG_LEVEL": "info", "TRACING": True}
    assert_matches_golden(
        render_unit(service_unit("test", service_spec(**changes), **configuration)), GOLDEN / f"{golden}.yaml"
    )


def test_pods_are_fit_for_the_restricted_level():
    """Each demand of the level ``restricted`` is met explicitly."""
    spec = pod(service_unit())["spec"]
    container = spec["containers"][0]["securityContext"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["readOnlyRootFilesystem"] is True


def test_pods_get_no_credentials_of_the_cluster():
    """Neither the service account nor the pod mounts a token."""
    unit = service_unit()

    assert kinds(unit)["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod(unit)["spec"]["automountServiceAccountToken"] is False


def test_a_changed_value_restarts_the_pods_that_read_it():
    """The digest of the configuration stands in the pod template."""
    assert pod(service_unit(LOG_LEVEL="info")) != pod(service_unit(LOG_LEVEL="debug"))


def test_a_new_commit_alone_restarts_nothing():
    """The commit stands on the objects, never in the pod template."""
    before = service_unit(LOG_LEVEL="info")
    after = msgspec.structs.replace(before, commit="b" * 40)

    assert pod(before) == pod(after)
    assert kinds(after)["Deployment"]["metadata"]["labels"]["adx/commit"] == "b" * 40


def test_a_new_version_changes_the_image():
    """The image is what is declared, by tag or by digest."""
    by_digest = pod(service_unit("test", service_spec(version="sha256:" + "0" * 64)))

    assert pod(service_unit())["spec"]["containers"][0]["image"] == "registry.example/shop/cart:v1.2.3"
    assert by_digest["spec"]["containers"][0]["image"] == "registry.example/shop/cart@sha256:" + "0" * 64


def test_an_autoscaler_owns_the_number_of_replicas():
    """The Deployment says nothing about replicas that an autoscaler decides on."""
    unit = service_unit("test", service_spec(replicas=None, autoscaling=AUTOSCALED))

    assert "replicas" not in kinds(unit)["Deployment"]["spec"]
    assert kinds(unit)["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 10


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"replicas": 1}, None),
        ({"replicas": 3}, {"maxUnavailable": 1}),
        ({"replicas": 3, "min_available": 2}, {"minAvailable": 2}),
    ],
)
def test_disruption_budget_follows_the_replicas(changes: dict[str, Any], expected: dict[str, int] | None):
    """A single replica gets no budget that would block every drain."""
    budget = kinds(service_unit("test", service_spec(**changes))).get("PodDisruptionBudget")

    assert (budget and {k: v for k, v in budget["spec"].items() if k != "selector"}) == expected


def test_the_service_is_the_patience_of_its_deployment():
    """A service's own patience wins over the environment's."""
    patient = service_unit("test", service_spec(ready_timeout_seconds=600))

    assert kinds(service_unit())["Deployment"]["spec"]["progressDeadlineSeconds"] == 120
    assert kinds(patient)["Deployment"]["spec"]["progressDeadlineSeconds"] == 600


def test_pulumi_does_not_wait_for_pods():
    """ADX waits itself, with progress and early failure."""
    for kind in ("Deployment", "Service"):
        assert kinds(service_unit())[kind]["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
