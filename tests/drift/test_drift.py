"""Drift on real parts: a delivery, somebody's hand in the cluster, and what `adx drift` says about it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
import yaml
from lightkube import AsyncClient, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Service
from lightkube.resources.networking_v1 import NetworkPolicy
from lightkube.types import PatchType

from pipelines.cli.drift import drift
from pipelines.drift.check import DriftCheck, EnvironmentUnknown, chosen
from tests.delivery.delivery import Delivery
from tests.explain.command import Ran, run
from workflows.drift.findings import EnvironmentDrift
from workflows.ledger import environments

CANARY = "canary-4d1f-password"
NOBODY = "https://127.0.0.1:1"  # port 1 is reserved: nothing listens there


def client(delivery: Delivery) -> AsyncClient:
    """Somebody with a client of their own, who is not ADX."""
    config = KubeConfig.from_file(delivery.environ["KUBECONFIG"])
    return AsyncClient(config=config.get(context_name=delivery.environ["ADX_KUBE_CONTEXT"]), field_manager="somebody")


def namespace(delivery: Delivery) -> str:
    """Where the services are."""
    return f"shop-{delivery.environment}"


async def look(delivery: Delivery, **settings: str) -> EnvironmentDrift:
    """What the check finds, with other ``settings`` than those of the delivery where given."""
    check = DriftCheck(delivery.ledger, {**delivery.environ, **settings}, lambda _: None)
    (found,) = await check.check(await chosen(delivery.ledger, [delivery.environment]))
    return found


async def command(delivery: Delivery, *arguments: str) -> Ran:
    """`adx drift` with the settings of the delivery."""
    return await asyncio.to_thread(run, drift, *arguments, **delivery.environ)


def changed(found: EnvironmentDrift) -> dict[str, dict[str, tuple[str | None, str | None, str]] | str]:
    """By kind and name of each object: its fields (live, delivered, by whom), or its state where it has none."""
    assert found.status == "drifted", found.reason
    return {
        f"{one.kind}/{one.name}": {field.path: (field.live, field.delivered, field.by) for field in one.fields}
        or one.state
        for one in found.objects
    }


async def traces(delivery: Delivery) -> tuple[object, ...]:
    """Everything that a check must leave as it is: cluster, engine's state, snapshots, ledger."""
    folders = [delivery.folder / "pulumi", delivery.folder / "snapshots"]
    files = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    known = await environments.find(delivery.ledger, delivery.environment)
    return await delivery.live(), files, known


async def test_what_nobody_touched_is_as_delivered_and_the_status_is_0(delivery: Delivery) -> None:
    """Every object is compared; of an autoscaled workload the replicas are the autoscaler's business."""
    before = await traces(delivery)

    ended = await command(delivery, "--json")

    (found,) = json.loads(ended.out)
    assert (ended.code, found["status"]) == (0, "as-delivered")
    assert "objects" not in found
    assert found["compared"] == len(await delivery.live())
    assert await traces(delivery) == before


async def test_hands_in_the_cluster_are_found_exactly_and_nothing_is_changed(delivery: Delivery) -> None:
    """A value changed, a secret added, an object removed, one slipped in; each is named, no secret is told."""
    somebody, where = client(delivery), namespace(delivery)
    patch = {"data": {"CURRENCY": "XXX", "DB_PASSWORD": CANARY}}
    await somebody.patch(ConfigMap, "frontend-configuration", patch, namespace=where, patch_type=PatchType.MERGE)
    await somebody.delete(ConfigMap, "checkout-configuration", namespace=where)
    labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": delivery.environment, "adx/unit": "tenant.gone"}
    await somebody.create(ConfigMap(metadata=ObjectMeta(name="left", namespace=where, labels=labels), data={"a": "b"}))
    before = await traces(delivery)

    ended = await command(delivery, delivery.environment, "--json")
    shown = await command(delivery, delivery.environment)
    found = await look(delivery)

    assert changed(found) == {
        "ConfigMap/frontend-configuration": {
            "data.CURRENCY": ('"XXX"', '"EUR"', "somebody"),
            "data.DB_PASSWORD": ('"•••"', None, "somebody"),
        },
        "ConfigMap/checkout-configuration": "missing",
        "ConfigMap/left": "stray",
    }
    assert (ended.code, shown.code) == (1, 1)
    assert CANARY not in ended.out + ended.err + shown.out + shown.err + repr(found)
    assert "1 changed, 1 missing, 1 of no unit" in shown.out
    assert await traces(delivery) == before


async def test_running_workloads_and_policies_are_looked_at_in_every_field(delivery: Delivery) -> None:
    """Scaled, given a variable, stripped of labels, opened wider: what people do to live objects."""
    somebody, where = client(delivery), namespace(delivery)
    container = {"name": "frontend", "env": [{"name": "EXTRA", "value": "1"}]}
    spec = {"replicas": 5, "template": {"spec": {"containers": [container]}}}
    await somebody.patch(Deployment, "frontend", {"spec": spec}, namespace=where)
    labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    await somebody.patch(Service, "frontend", labels, namespace=where, patch_type=PatchType.MERGE)
    selector = {"spec": {"podSelector": {"matchLabels": {"nobody": "has-this"}}}}
    await somebody.patch(NetworkPolicy, "default-deny", selector, namespace=where, patch_type=PatchType.MERGE)

    assert changed(await look(delivery)) == {
        "Deployment/frontend": {
            "spec.replicas": ("5", "2", "somebody"),
            "spec.template.spec.containers[frontend].env[EXTRA]": ('"1"', None, "somebody"),
        },
        "Service/frontend": {"metadata.labels.app.kubernetes.io/managed-by": (None, '"adx"', "")},
        "NetworkPolicy/default-deny": {"spec.podSelector": ('{"matchLabels":{"nobody":"has-this"}}', "{}", "somebody")},
    }


async def test_an_environment_with_a_rollout_under_way_is_skipped(delivery: Delivery) -> None:
    """Between plan and apply nothing can be said; that is no drift, and the exit status is 0."""
    delivery.shop.rules["approval"] = {"required": True, "approvers": ["grace@example.com"]}
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.merge("waits")
    await delivery.submit()
    live = await delivery.until(lambda live: live.rollout is not None and live.rollout.waiting_for_approval)
    assert live.rollout is not None

    ended = await command(delivery, "--json")

    (found,) = json.loads(ended.out)
    assert (ended.code, found["status"]) == (0, "rollout-under-way")
    assert found["rollout"] == live.rollout.rollout_id


async def test_what_cannot_be_asked_is_unchecked_and_never_drift(delivery: Delivery, tmp_path: Path) -> None:
    """A cluster that is away, a backend that is another, a store without the body: 6, and what to do."""
    kubeconfig = yaml.safe_load(Path(delivery.environ["KUBECONFIG"]).read_text())
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = NOBODY
    (tmp_path / "away.yaml").write_text(yaml.safe_dump(kubeconfig))
    (tmp_path / "away.yaml").chmod(0o600)
    (tmp_path / "other").mkdir()
    other = (tmp_path / "other").as_uri()

    away = await look(delivery, KUBECONFIG=str(tmp_path / "away.yaml"))
    backend = await look(delivery, PULUMI_BACKEND_URL=other)
    store = await look(delivery, ADX_SNAPSHOT_STORE=other)
    ended = await asyncio.to_thread(
        run, drift, "--json", **{**delivery.environ, "KUBECONFIG": str(tmp_path / "away.yaml")}
    )

    assert [one.status for one in (away, backend, store)] == ["unchecked"] * 3
    assert "cannot be reached" in away.reason
    assert "PULUMI_BACKEND_URL" in backend.next_step
    assert not [path for path in (tmp_path / "other").rglob("*.json*") if "stacks" in path.parts]
    assert "no snapshot" in store.reason
    assert (ended.code, json.loads(ended.out)[0]["status"]) == (6, "unchecked")


async def test_a_preview_that_cannot_look_for_drift_says_that_it_did_not_and_fails(
    delivery: Delivery, tmp_path: Path
) -> None:
    """Another backend: what it plans may be all wrong, and no line about it passes for drift."""
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.propose("topic", "v1.3.0")
    (tmp_path / "other").mkdir()
    report = tmp_path / "report.json"
    settings = {**os.environ, **delivery.environ, "PULUMI_BACKEND_URL": (tmp_path / "other").as_uri()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipelines.cli", "preview", "--base", "main", "--head", "topic", "--output", str(report),
        env=settings, cwd=delivery.shop.work,
    )  # fmt: skip

    assert await process.wait() == 1
    (environment,) = json.loads(report.read_text())["environments"]
    assert [line for line in environment["unchecked"] if line.startswith("whether anything has drifted could not be")]
    assert not [note for note in environment.get("notes", []) if note.startswith("Drifted: ")]


async def test_an_environment_that_the_ledger_does_not_know_is_named_with_the_nearest(delivery: Delivery) -> None:
    """A typing error is no environment without drift."""
    with pytest.raises(EnvironmentUnknown) as refused:
        await chosen(delivery.ledger, [f"{delivery.environment}x"])

    assert delivery.environment in refused.value.next_step
