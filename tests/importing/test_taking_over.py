"""What a delivery does to objects that others made: what docs/importing.md warns of, on a real cluster."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import msgspec
import pytest
from lightkube import Client, KubeConfig
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace

from infra.engine import Engine, EngineSettings
from infra.errors import PulumiFailed
from pipelines.importing.documents import declared, rendered
from pipelines.importing.services import Place, draft_of
from pipelines.importing.workloads import workloads_of
from policies.desired_state import DesiredState, resolve
from tests.importing.cluster import namespace_of
from tests.importing.objects import contents, deployment, objects
from tests.support.local_stack import LocalStack
from tests.support.waiting import wait_until

CONFIGURATION = "cart-configuration"


def state_of(environment: str, namespace: str) -> DesiredState:
    """The sample's service with one value, to be delivered into ``namespace``."""
    of = contents({kind: body for kind, body in objects().items() if kind in {"Namespace", "Deployment", "ConfigMap"}})
    maps = {"settings": of.of("ConfigMap")[0]}
    drafts = [draft_of(one, maps, Place(environment, None)) for one in workloads_of(of)]
    place = {"name": environment, "description": "x", "owner": "team-shop", "region": "eu-west-1"}
    declarations = declared(place | {"namespace": namespace}, None, drafts)
    assert rendered(declarations, environment)
    return resolve(declarations, environment, "0" * 40)


async def test_others_fields_are_refused_and_a_restore_to_nothing_removes_their_namespace(
    local_stack: LocalStack, tmp_path: Path
) -> None:
    """A Deployment with its own selector fails the delivery; what had no conflict is ADX's, and goes with it."""
    name = f"t{uuid.uuid4().hex[:8]}"
    own = {"ADX_HOME": str(tmp_path / "home"), "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}"}
    engine = Engine(EngineSettings.from_environment(os.environ | local_stack.environment | own), name)
    config = KubeConfig.from_file(local_stack.kubeconfig).get(context_name=local_stack.kube_context)
    client = Client(config=config, namespace=name)
    state = state_of(name, name)
    values = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIGURATION}}

    with namespace_of(local_stack, name, [deployment(), values | {"data": {"CURRENCY": "EUR", "OLD": "1"}}]):
        with pytest.raises(PulumiFailed, match="field conflict"):
            await engine.up(state)
        taken = client.get(ConfigMap, CONFIGURATION).to_dict()
        refused = client.get(Deployment, "cart").to_dict()

        assert "adx/unit" in taken["metadata"]["labels"]
        assert taken["data"] == {"CURRENCY": "EUR", "OLD": "1"}
        assert refused["spec"]["selector"] == {"matchLabels": {"app": "cart"}}

        await engine.up(msgspec.structs.replace(state, units=()))
        wait_until(
            lambda: [one for one in client.list(Namespace) if one.metadata and one.metadata.name == name],
            lambda found: not found,
            timeout_seconds=180,  # the namespaces of all tests are emptied by one controller, which looks now and then
        )
