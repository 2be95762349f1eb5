"""What ADX renders, as a real API server keeps it: defaults, other spellings, what is left out. None of it is drift."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from lightkube import AsyncClient, KubeConfig, codecs
from lightkube.resources.core_v1 import Namespace

from policies.masking import Masker
from tests.drift.objects import applied, state_of
from tests.support.local_stack import LocalStack
from workflows.clients.kubernetes import Cluster
from workflows.drift.compare import AppliedObject, drifted


@pytest.fixture
async def client(local_stack: LocalStack) -> AsyncIterator[tuple[AsyncClient, str]]:
    """A client that applies as ADX does, and the name of an environment of its own, removed afterwards."""
    environment = f"d{uuid.uuid4().hex[:8]}"
    config = KubeConfig.from_file(local_stack.kubeconfig).get(context_name=local_stack.kube_context)
    own = AsyncClient(config=config, field_manager=f"adx-{environment}")
    yield own, environment
    async for namespace in own.list(Namespace, labels={"adx/environment": environment}):
        await own.delete(Namespace, namespace.metadata.name)


async def test_everything_that_can_be_declared_is_as_it_was_applied(
    client: tuple[AsyncClient, str], local_stack: LocalStack
) -> None:
    """Probes without delay, 1000m of CPU, empty folders and selectors: each object is compared, none has drifted."""
    own, environment = client
    objects: dict[str, AppliedObject] = applied(state_of(environment))
    for one in sorted(objects.values(), key=lambda one: one.body["kind"] != "Namespace"):
        await own.apply(codecs.from_dict(one.body))

    async with await Cluster.connect(str(local_stack.kubeconfig), local_stack.kube_context) as cluster:
        live = await cluster.live_objects(f"adx/environment={environment}")

    assert len(live) == len(objects)
    assert drifted(objects, live, Masker()) == ()
