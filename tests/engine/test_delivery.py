"""The engine against the real cluster: what is declared arrives, changes and goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lightkube import ApiError
from lightkube.models.core_v1 import PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod

from infra.engine import Engine, EngineSettings, Progress
from infra.errors import PulumiFailed
from infra.render import render
from tests.engine.cluster import Cluster, identities
from tests.engine.proxy import TcpProxy
from tests.support.desired import (
    AUTOSCALED,
    desired_state,
    platform_unit,
    service_spec,
    service_unit,
    tenant_unit,
)


async def test_every_kind_of_resource_is_added_changed_and_removed(engine: Engine, cluster: Cluster, environment: str):
    """Given nothing, when states follow each other, then the cluster holds exactly what each declares."""
    fixed = service_unit(environment, service_spec(), LOG_LEVEL="info")
    scaled = service_unit(environment, service_spec("web", replicas=None, autoscaling=AUTOSCALED), LOG_LEVEL="info")
    first = desired_state(environment, platform_unit(environment), fixed, scaled, tenant_unit(environment))
    added = await engine.up(first)
    assert cluster.objects().keys() == identities(render(first))
    assert added.creates > 0

    newer = service_spec(version="v2.0.0", replicas=3)
    second = desired_state(
        environment,
        platform_unit(environment, checkout_enabled=False),
        service_unit(environment, newer, LOG_LEVEL="debug"),
        scaled,
        tenant_unit(environment, service_ports={"cart": (7070,)}),
    )
    changed = await engine.up(second)
    assert (changed.creates, changed.replaces, changed.deletes) == (0, 0, 0)
    assert {change.unit for change in changed.changes} == {"platform", "service/cart", "tenant/acme"}
    objects = cluster.objects()
    assert objects.keys() == identities(render(second))
    deployment = objects[f"Deployment shop-{environment}/cart"]
    assert deployment.spec.template.spec.containers[0].image.endswith(":v2.0.0")
    assert deployment.spec.replicas == 3
    flags = json.loads(objects[f"ConfigMap shop-{environment}/feature-flags"].data["flags.json"])
    assert flags["new-checkout"]["enabled"] is False

    third = desired_state(environment, platform_unit(environment, checkout_enabled=False))
    removed = await engine.up(third)
    assert {change.action for change in removed.changes} == {"delete"}
    assert cluster.objects().keys() == identities(render(third))


async def test_preview_foretells_what_up_does(engine: Engine, environment: str):
    """The plan's changes are those that are then made; nothing is left to change."""
    state = desired_state(environment)

    plan = await engine.preview(state)
    applied = await engine.up(state)

    assert {(c.urn, c.action) for c in plan.changes} == {(c.urn, c.action) for c in applied.changes}
    assert (await engine.preview(state)).is_empty


async def test_plan_names_the_fields_that_differ_with_both_values(engine: Engine, environment: str):
    """A reviewer sees what exactly changes, and equal plans have equal digests."""
    await engine.up(desired_state(environment))
    louder = desired_state(
        environment, platform_unit(environment), service_unit(environment, LOG_LEVEL="debug"), tenant_unit(environment)
    )

    plan = await engine.preview(louder)

    assert {(c.type.rsplit(":", 1)[-1], c.action, c.unit) for c in plan.changes} == {
        ("ConfigMap", "update", "service/cart"),
        ("Deployment", "update", "service/cart"),
    }
    fields = {(f.path, f.before, f.after) for change in plan.changes for f in change.fields}
    assert ("data.LOG_LEVEL", '"info"', '"debug"') in fields
    assert (await engine.preview(louder)).digest == plan.digest


async def test_going_back_to_earlier_inputs_restores_the_cluster(engine: Engine, cluster: Cluster, environment: str):
    """Infrastructure is restored by applying the last good inputs again."""
    good = desired_state(environment)
    await engine.up(good)
    before = specs(cluster)
    bad = service_unit(environment, service_spec(version="v9.9.9-broken"), LOG_LEVEL="trace")
    await engine.up(desired_state(environment, platform_unit(environment), bad, tenant_unit(environment, name="other")))
    assert specs(cluster) != before

    await engine.up(good)

    assert specs(cluster) == before


def specs(cluster: Cluster) -> dict[str, object]:
    """What the living objects say, without what the server counts."""
    return {
        key: (body.metadata.labels, getattr(body, "spec", None), getattr(body, "data", None))
        for key, body in cluster.objects().items()
        if not key.startswith("Namespace")
    }


async def test_drift_is_found_only_by_a_refreshing_preview_and_put_right(
    engine: Engine, cluster: Cluster, environment: str
):
    """Somebody removes an object by hand; a refreshing up brings it back."""
    state = desired_state(environment)
    await engine.up(state)
    cluster.client.delete(ConfigMap, "cart-configuration", namespace=f"shop-{environment}")
    assert (await engine.preview(state)).is_empty

    plan = await engine.preview(state, refresh=True)
    assert [(c.name, c.action) for c in plan.changes] == [("service/cart/cart-configuration", "create")]
    await engine.up(state, refresh=True)

    assert f"ConfigMap shop-{environment}/cart-configuration" in cluster.objects()


async def test_refresh_tells_what_others_changed(engine: Engine, cluster: Cluster, environment: str):
    """Somebody scales a Deployment and removes a ConfigMap by hand; the refresh names exactly these."""
    await engine.up(desired_state(environment))
    namespace = f"shop-{environment}"
    cluster.client.delete(ConfigMap, "cart-configuration", namespace=namespace)
    cluster.client.patch(Deployment, "cart", {"spec": {"replicas": 5}}, namespace=namespace)

    found = await engine.refresh()

    assert {(change.name, change.action) for change in found.changes} == {
        ("service/cart/cart-configuration", "delete"),
        ("service/cart/cart", "update"),
    }


async def test_rendered_pods_are_admitted_at_the_restricted_level(engine: Engine, cluster: Cluster, environment: str):
    """The API server's own admission judges the pod that the Deployment would create."""
    await engine.up(desired_state(environment))
    template = cluster.client.get(Deployment, "cart", namespace=f"shop-{environment}").spec.template
    pod = Pod(metadata=ObjectMeta(name="probe", namespace=f"shop-{environment}"), spec=template.spec)

    assert cluster.client.create(pod, dry_run=True).metadata.name == "probe"
    unsafe = PodSpec.from_dict(template.spec.to_dict() | {"hostNetwork": True})
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.client.create(Pod(metadata=pod.metadata, spec=unsafe), dry_run=True)


async def test_progress_is_told_while_it_happens(engine: Engine, environment: str):
    """Each changed resource is told at its start and at its end, with its unit."""
    told: list[Progress] = []

    await engine.up(desired_state(environment), on_event=told.append)

    cart = [one.state for one in told if one.name == "service/cart/cart" and "Deployment" in one.urn]
    assert cart == ["started", "done"]
    assert {one.unit for one in told} >= {"platform", "service/cart", "tenant/acme"}


async def test_a_refused_object_is_named_with_the_servers_reason(engine: Engine, environment: str):
    """The error says which resource failed and why."""
    state = desired_state(environment)
    broken = service_unit(environment, service_spec(env={"NOT VALID\x01": "x"}))

    with pytest.raises(PulumiFailed) as failed:
        await engine.up(desired_state(environment, *state.units[:1], broken))

    assert [d.urn.rsplit("::", 1)[-1] for d in failed.value.diagnostics] == ["service/cart/cart"]
    assert "spec.template.spec.containers[0].env" in str(failed.value)


async def test_an_object_that_another_environment_owns_is_refused(
    engine: Engine, settings: EngineSettings, environment: str, cluster: Cluster
):
    """Two environments that render the same namespace do not take it from each other."""
    await engine.up(desired_state(environment, tenant_unit(environment)))
    other = f"{environment}x"
    intruder = tenant_unit(other, namespace=f"{environment}-acme", platform_namespace=f"shop-{environment}")

    with pytest.raises(PulumiFailed, match="conflict"):
        await Engine(settings, other).up(desired_state(other, intruder))

    owner = cluster.client.get(Namespace, f"{environment}-acme").metadata.labels["adx/environment"]
    assert owner == environment


async def test_a_state_of_another_environment_is_refused(engine: Engine):
    """An engine never applies inputs that belong to another stack."""
    with pytest.raises(Exception, match="the stack is"):
        await engine.preview(desired_state("somewhere-else"))


async def test_a_server_that_moved_to_another_port_is_the_same_cluster(
    engine: Engine, settings: EngineSettings, environment: str, tmp_path: Path
):
    """The context's name identifies the cluster, so nothing is replaced."""
    state = desired_state(environment)
    await engine.up(state)
    async with TcpProxy(settings.kubeconfig, tmp_path / "moved.json") as moved:
        plan = await Engine(moved.settings(settings), environment).preview(state)

    assert plan.is_empty
