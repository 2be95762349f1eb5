"""Manifests → Pulumi resources. The thin part: no decision about content is made here.

Resources are generic custom resources under the provider's own type tokens.
The typed classes of ``pulumi_kubernetes`` would register exactly the same, at
the price of importing them in every run of the program (see the decision
record on the engine for figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import pulumi

from infra.metadata import Manifest
from policies.desired_state import Unit

COMPONENT_TYPES = {
    "platform": "adx:infrastructure:Platform",
    "service": "adx:services:Service",
    "tenant": "adx:tenancy:Tenant",
}
CLIENT_QUERIES_PER_SECOND = 200
CLIENT_BURST = 400
FIRST = ("Namespace", "ServiceAccount", "ConfigMap")
PROVIDER_VERSION = version("pulumi-kubernetes")


class UnitComponent(pulumi.ComponentResource):
    """All objects of one unit under one parent; its name is the unit's id."""

    def __init__(
        self,
        unit: Unit,
        manifests: Sequence[Manifest],
        after: Sequence[pulumi.Resource],
        provider: pulumi.ProviderResource,
    ) -> None:
        super().__init__(
            COMPONENT_TYPES[unit.id.partition("/")[0]], unit.id, None, pulumi.ResourceOptions(provider=provider)
        )
        self.namespaces: list[pulumi.Resource] = []
        earlier = list(after)
        for body in manifests:
            resource = register(unit, body, self, earlier)
            if body["kind"] == "Namespace":
                self.namespaces.append(resource)
            if body["kind"] in FIRST:
                earlier.append(resource)


def register(
    unit: Unit, body: Manifest, parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> pulumi.CustomResource:
    """One object; it is created after, and removed before, everything in ``after``."""
    options = pulumi.ResourceOptions(parent=parent, depends_on=list(after), version=PROVIDER_VERSION)
    return pulumi.CustomResource(type_token(body), f"{unit.id}/{body['metadata']['name']}", body, options)


def type_token(body: Manifest) -> str:
    """The provider's name of the manifest's type, for example ``kubernetes:apps/v1:Deployment``."""
    group_version = body["apiVersion"] if "/" in body["apiVersion"] else f"core/{body['apiVersion']}"
    return f"kubernetes:{group_version}:{body['kind']}"


def cluster_provider(environment: str, context: str) -> pulumi.ProviderResource:
    """The one connection of the stack. Its credentials stay in the kubeconfig: none becomes part of the state.

    The cluster is identified by the name of its context, so that a server that
    moves to another port is still the same cluster.
    """
    settings = {
        "context": context,
        "clusterIdentifier": context,
        "enableServerSideApply": "true",
        "enableConfigMapMutable": "true",
        "enableSecretMutable": "true",
        "kubeClientSettings": pulumi.runtime.to_json({"qps": CLIENT_QUERIES_PER_SECOND, "burst": CLIENT_BURST}),
    }
    return pulumi.ProviderResource(
        "kubernetes", environment, settings, pulumi.ResourceOptions(version=PROVIDER_VERSION)
    )
