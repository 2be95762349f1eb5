"""Rendered objects for policy tests, and ways to break them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec

from infra.render import render_unit
from policies.checkov.context import EnvironmentManifests
from policies.checkov.findings import Waiver
from policies.checkov.policy_set import PolicySet
from policies.checkov.spec import EnvironmentPolicies, PoliciesSpec, ReplicaBounds
from policies.desired_state import tenant_namespace
from policies.tenancy.spec import Compliance
from tests.support.desired import AUTOSCALED, platform_unit, service_spec, service_unit, tenant_unit

Manifest = dict[str, Any]
COMMIT = "c" * 40
ENVIRONMENT = "test"
TENANT_NAMESPACE = tenant_namespace(ENVIRONMENT, "acme")
BOUNDED = PoliciesSpec(
    environments={ENVIRONMENT: EnvironmentPolicies(replicas=ReplicaBounds(max_change_percent=50, max=10))}
)


def service_objects() -> list[Manifest]:
    """Everything of the service ``cart``: nothing is wrong with it."""
    return render_unit(service_unit(ENVIRONMENT, LOG_LEVEL="info"))


def autoscaled_objects() -> list[Manifest]:
    """The same with an autoscaler, from 2 to 10 replicas."""
    spec = msgspec.structs.replace(service_spec("scaled"), replicas=None, autoscaling=AUTOSCALED)
    return render_unit(service_unit(ENVIRONMENT, spec))


def tenant_objects(**compliance: Any) -> list[Manifest]:
    """Everything of the tenant ``acme``, whose data stays in the EU and holds card data."""
    demands = {"frameworks": ("gdpr", "pci_dss"), "data_residency": "eu", **compliance}
    return render_unit(tenant_unit(ENVIRONMENT, namespace=TENANT_NAMESPACE, compliance=Compliance(**demands)))


def platform_objects() -> list[Manifest]:
    """Everything of the platform."""
    return render_unit(platform_unit(ENVIRONMENT))


def given(units: dict[str, list[Manifest]], **changes: Any) -> EnvironmentManifests:
    """One environment with ``units``."""
    fields: dict[str, Any] = {"environment": ENVIRONMENT, "region": "eu-west-1", **changes}
    return EnvironmentManifests(units={unit: tuple(bodies) for unit, bodies in units.items()}, **fields)


def one_of_kind(objects: list[Manifest], kind: str, name: str = "") -> Manifest:
    """A copy of the first object of ``kind`` (and ``name``)."""
    return copy.deepcopy(
        next(body for body in objects if body["kind"] == kind and name in ("", body["metadata"]["name"]))
    )


def broken_pod(change: Callable[[Manifest, Manifest], object]) -> Manifest:
    """The Deployment after ``change(pod, container)``."""
    deployment = one_of_kind(service_objects(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    return deployment


def with_image(image: str) -> Manifest:
    """The Deployment with another image."""
    return broken_pod(lambda _, container: container.update(image=image))


def policies(**changes: Any) -> PolicySet:
    """Policies of some commit."""
    return PolicySet(commit=COMMIT, spec=PoliciesSpec(**changes))


def waiver(check: str = "ADX_K8S_1", **changes: Any) -> Waiver:
    """A waiver for everything that ``check`` finds, until the end of 2026."""
    fields = {"owner": "team-checkout", "reason": "it is being replaced", "expires": "2026-12-31", **changes}
    return Waiver(check=check, **fields)
