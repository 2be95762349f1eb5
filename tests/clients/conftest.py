"""A namespace of the real cluster for each test, written to by a client that is not the one under test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import anyio
import pytest
from lightkube import Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.resources.core_v1 import Namespace

from tests.support.local_stack import LocalStack
from workflows.clients.kubernetes import Cluster

Json = dict[str, Any]
Value = TypeVar("Value")
PATIENCE_SECONDS = 120


class Hand:
    """Writes to one namespace, as an environment of that name."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def create(self, kind: str, name: str, *, api_version: str = "v1", unit: str = "service.web", **body: Any) -> None:
        """One object of ``unit``, labelled as ADX labels its objects."""
        metadata = {"name": name, "labels": self.labels(unit)}
        if kind != "Namespace":
            metadata["namespace"] = self.namespace
        self.client.create(from_dict({"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}))

    def labels(self, unit: str) -> dict[str, str]:
        """ADX's labels, as far as they are looked for."""
        return {"app.kubernetes.io/managed-by": "adx", "adx/environment": self.namespace, "adx/unit": unit}

    def deploy(self, image: str, *, replicas: int = 2, name: str = "web") -> None:
        """A Deployment whose pods run ``image``."""
        container = {"name": "main", "image": image}
        self.create(
            "Deployment",
            name,
            api_version="apps/v1",
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            },
        )


@pytest.fixture
def hand(local_stack: LocalStack) -> Iterator[Hand]:
    name = f"clients-{uuid.uuid4().hex[:8]}"
    config = KubeConfig.from_file(str(local_stack.kubeconfig)).get(context_name=local_stack.kube_context)
    with Client(config=config, namespace=name) as client:
        writer = Hand(client, name)
        writer.create("Namespace", name, unit="platform")
        yield writer
        client.delete(Namespace, name)


@pytest.fixture
async def cluster(local_stack: LocalStack) -> AsyncIterator[Cluster]:
    async with await Cluster.connect(str(local_stack.kubeconfig), local_stack.kube_context, environ={}) as connected:
        yield connected


async def until(question: Callable[[], Awaitable[Value]], is_wanted: Callable[[Value], bool]) -> Value:
    """Ask until the answer is the wanted one."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not is_wanted(answer := await question()):
            await anyio.sleep(0.1)
    return answer
