"""Fleets on a bad day: at the end every tenant is fully new or fully what it was, and nothing was applied twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Pod
from sqlalchemy import make_url

from scripts.stack import Home
from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from tests.support.agreement import agreement, applied_at
from tests.support.faulty_api_server import BROKEN, DONE_BUT_BROKEN, OVERLOADED, TOO_MANY, Faults, faulty_api_server
from tests.support.local_stack import LocalStack
from tests.support.toxiproxy import Line, Toxiproxy, running_toxiproxy
from tests.support.witness import Witness, witnessed
from workflows.fleet.durable import FleetDecision
from workflows.rollout.models import Decision

TENANTS, CELLS = 12, 3
CANARY = "tenant-000"
ALL = frozenset(f"tenant/tenant-{number:03}" for number in range(TENANTS))
AWAY_SECONDS = 8.0  # longer than a heartbeat may be late
CRASHING = "adx.kwok/crashing"  # see kwok-stages.yaml


@pytest.fixture
def toxiproxy(tmp_path: Path) -> Iterator[Toxiproxy]:
    """A toxiproxy of this test's own."""
    with running_toxiproxy(tmp_path / "toxiproxy.log") as started:
        yield started


async def delivered_first(delivery: Delivery, **fleet: object) -> str:
    """All tenants as they are before the fault; the commit."""
    declare(delivery, tenants=TENANTS, cells=CELLS, **fleet)
    commit = delivery.shop.merge("first")
    status = await delivery.deliver()
    assert status.outcome == "delivered", status.failure
    return commit


async def say(delivery: Delivery, word: str, about: str = "") -> None:
    """A person's word to the waves under way."""
    await delivery.workflows.decide_fleet(delivery.environment, FleetDecision("ines", word, about, "for a test"))


async def touched(witness: Witness) -> None:
    """Until the cluster has taken a change of at least one tenant."""
    while not witness.touched():
        await asyncio.sleep(0.05)


@pytest.mark.timeout(300)
async def test_errors_of_the_api_server_leave_each_tenant_new_or_restored(
    delivery: Delivery, local_stack: LocalStack
) -> None:
    """429, 500 and 503 for a share of all requests, and 500 for some that were done all the same."""
    faults = Faults(seed=11, renamed={delivery.environment: "shop"})
    home, own = Home(local_stack.stack.home), delivery.folder / "kubeconfig-with-faults"
    with faulty_api_server(home, Path(delivery.environ["KUBECONFIG"]), own, faults) as kubeconfig:
        delivery.start_worker(KUBECONFIG=str(kubeconfig))
        before = await delivered_first(delivery)

        declare(delivery, tenants=TENANTS, cells=CELLS, pods=7, failure_budget="100%")
        commit = delivery.shop.merge("more pods")
        async with witnessed(delivery.client_of_cluster(), delivery.environment) as witness:
            faults.share, faults.late_share = 0.06, 0.08
            status = await delivery.deliver()
            faults.stop()
        known = await agreement(delivery)

        assert status.outcome in {"delivered", "partly-delivered", "restored"}, status.failure
        assert min(faults.told[kind] for kind in (TOO_MANY, BROKEN, OVERLOADED, DONE_BUT_BROKEN)) > 0
        new = applied_at(known, commit)
        assert {known[name].commit for name in ALL - new} <= {before}
        witness.assert_changed_once(new, ALL - new)

        again = await delivery.deliver(force=True)
        # Where retries had brought every tenant through, nothing is left to deliver.
        assert again.outcome == ("nothing-to-change" if new == ALL else "delivered"), again.failure
        assert applied_at(await agreement(delivery), commit) == ALL


@pytest.mark.timeout(300)
async def test_more_refusals_than_the_budget_restore_the_wave_and_no_other(delivery: Delivery) -> None:
    """The cluster refuses two tenants: their wave is what it was, the wave before it stays new."""
    delivery.start_worker()
    rules = {"canaries": [CANARY], "failure_budget": 1, "beyond_budget": "restore_wave"}
    before = await delivered_first(delivery, **rules)

    declare(delivery, tenants=TENANTS, cells=CELLS, pods=7, **rules)
    commit = delivery.shop.merge("more pods")
    async with contextlib.AsyncExitStack() as refusals:
        for name in ("tenant-003", "tenant-008"):
            await refusals.enter_async_context(delivery.refusing_pods(f"{delivery.environment}-tenant-{name}", pods=7))
        async with witnessed(delivery.client_of_cluster(), delivery.environment) as witness:
            status = await delivery.deliver()
    known = await agreement(delivery)

    assert status.outcome == "partly-delivered", status
    assert {"tenant/tenant-003", "tenant/tenant-008"} & set(status.failure.replace(":", " ").split())
    assert applied_at(known, commit) == {f"tenant/{CANARY}"}
    assert {known[name].commit for name in ALL - {f"tenant/{CANARY}"}} == {before}
    witness.assert_changed_once({f"tenant/{CANARY}"}, ALL)


@pytest.mark.timeout(300)
async def test_pods_that_crash_after_a_wave_fail_its_gate_which_restores_the_wave(delivery: Delivery) -> None:
    """The services were delivered well; one that crashes while tenants are changed ends the rollout."""
    delivery.start_worker()
    rules = {
        "canaries": [CANARY],
        "gates": [{"name": "all-ready", "workloads_ready": {"timeout_seconds": 60}}],
        "approval_before": [1],
        "approvers": ["ines"],
        "beyond_budget": "restore_wave",
    }
    before = await delivered_first(delivery, **(rules | {"approval_before": []}))

    declare(delivery, tenants=TENANTS, cells=CELLS, pods=7, **rules)
    commit = delivery.shop.merge("more pods")
    async with witnessed(delivery.client_of_cluster(), delivery.environment) as witness:
        await delivery.submit()
        await delivery.waiting_for("1")
        await crash(delivery, "frontend")
        await say(delivery, "approve", "1")
        status = await delivery.settled()
    known = await agreement(delivery)

    assert (status.outcome, status.failed_step) == ("partly-delivered", "tenants"), status
    assert "frontend has" in status.failure
    assert "CrashLoopBackOff" in status.failure
    assert applied_at(known, commit) == {f"tenant/{CANARY}"}
    assert {known[name].commit for name in ALL - {f"tenant/{CANARY}"}} == {before}
    assert witness.touched() == ALL
    witness.assert_changed_once({f"tenant/{CANARY}"}, ALL)


async def crash(delivery: Delivery, service: str) -> None:
    """Let the pods of a service that run well crash, and wait until its Deployment knows."""
    client, namespace = delivery.client_of_cluster(), f"shop-{delivery.environment}"
    chosen = {"app.kubernetes.io/name": service}
    patch = {"metadata": {"annotations": {CRASHING: "true"}}}
    async for pod in client.list(Pod, namespace=namespace, labels=chosen):
        await client.patch(Pod, pod.metadata.name, patch, namespace=namespace)
    while (await client.get(Deployment, service, namespace=namespace)).status.availableReplicas:
        await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
async def test_merges_and_a_cancel_during_a_rollout_leave_every_tenant_known(delivery: Delivery) -> None:
    """Two merges while the first waits for its next wave: all tenants get the last; cancelled, each is one or other."""
    held = {"canaries": [CANARY], "approval_before": [1], "approvers": ["ines"]}
    delivery.start_worker()
    await delivered_first(delivery)

    client, commits = delivery.client_of_cluster(), []
    async with witnessed(client, delivery.environment) as witness:
        for pods, rules in ((6, held), (7, {}), (8, {})):
            declare(delivery, tenants=TENANTS, cells=CELLS, pods=pods, **rules)
            commits.append(delivery.shop.merge(f"{pods} pods"))
            await delivery.submit()
            if rules:  # the others come while one tenant is new and nothing more is started
                await delivery.waiting_for("1")
        status = await delivery.settled()
    assert (status.outcome, status.commit) == ("delivered", commits[-1])
    assert applied_at(await agreement(delivery), commits[-1]) == ALL
    seen = [forms for objects in witness.forms.values() for forms in objects.values()]
    assert [forms for forms in seen if len(set(forms)) != len(forms)] == [], "nothing went to and fro"
    assert witness.touched() == ALL

    declare(delivery, tenants=TENANTS, cells=CELLS, pods=9, **held)
    last = delivery.shop.merge("9 pods")
    async with witnessed(client, delivery.environment) as witness:
        await delivery.submit()
        await touched(witness)
        await delivery.workflows.cancel(delivery.environment, Decision("ines", "", "not today"))
        cancelled = await delivery.settled()
    known = await agreement(delivery)
    new = {f"tenant/{CANARY}"}
    assert cancelled.outcome == "partly-delivered", cancelled
    assert f"1 delivered, {TENANTS - 1} untouched; cancelled by" in cancelled.failure
    assert applied_at(known, last) == new
    assert {known[name].commit for name in ALL - new} == {commits[-1]}
    witness.assert_changed_once(new, ALL - new)


@pytest.mark.timeout(300)
async def test_broken_connections_in_the_middle_of_an_apply_leave_each_tenant_new_or_restored(
    delivery: Delivery, toxiproxy: Toxiproxy
) -> None:
    """To the API server: slow answers all along, and a while in which every connection is reset."""
    line = toxiproxy.line("api", urlsplit(server_of(delivery)).port or 0)
    delivery.start_worker(KUBECONFIG=str(kubeconfig_through(delivery, line)))
    before = await delivered_first(delivery)

    declare(delivery, tenants=TENANTS, cells=CELLS, pods=7, failure_budget="100%")
    commit = delivery.shop.merge("more pods")
    async with witnessed(delivery.client_of_cluster(), delivery.environment) as witness:
        line.be_slow(latency_ms=40, jitter_ms=20)
        await delivery.submit()
        await touched(witness)
        line.reset()
        await asyncio.sleep(AWAY_SECONDS)
        line.be_well()
        status = await delivery.settled()
    known = await agreement(delivery)

    assert status.outcome in {"delivered", "partly-delivered", "restored"}, status.failure
    new = applied_at(known, commit)
    assert {known[name].commit for name in ALL - new} <= {before}
    witness.assert_changed_once(new, ALL - new)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("away", ["ledger", "temporal"])
async def test_a_rollout_goes_on_after_a_while_without_its_server(
    delivery: Delivery, toxiproxy: Toxiproxy, away: str
) -> None:
    """In the middle of the apply the server is gone for longer than a heartbeat may be late; then all goes on."""
    settings, line = settings_through(delivery, toxiproxy, away)
    delivery.start_worker(**settings)
    await delivered_first(delivery)

    declare(delivery, tenants=TENANTS, cells=CELLS, pods=7)
    commit = delivery.shop.merge("more pods")
    async with witnessed(delivery.client_of_cluster(), delivery.environment) as witness:
        await delivery.submit()
        await touched(witness)
        line.be_away()
        await asyncio.sleep(AWAY_SECONDS)
        line.come_back()
        status = await delivery.settled()

    assert status.outcome == "delivered", status.failure
    assert applied_at(await agreement(delivery), commit) == ALL
    witness.assert_changed_once(ALL)


def server_of(delivery: Delivery) -> str:
    """The API server's address."""
    return str(yaml.safe_load(Path(delivery.environ["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]["server"])


def kubeconfig_through(delivery: Delivery, line: Line) -> Path:
    """The way to the API server through ``line``; it shows its certificate for this machine's address there too."""
    own = delivery.folder / "kubeconfig-through-a-proxy"
    own.touch(mode=0o600)
    text = Path(delivery.environ["KUBECONFIG"]).read_text()
    own.write_text(text.replace(server_of(delivery), f"https://127.0.0.1:{line.port}"))
    return own


def settings_through(delivery: Delivery, toxiproxy: Toxiproxy, server: str) -> tuple[dict[str, str], Line]:
    """The worker's settings with a proxy before its ledger or its Temporal."""
    if server == "temporal":
        line = toxiproxy.line(server, int(delivery.environ["ADX_TEMPORAL_ADDRESS"].rpartition(":")[2]))
        return {"ADX_TEMPORAL_ADDRESS": f"127.0.0.1:{line.port}"}, line
    address = make_url(delivery.environ["ADX_LEDGER_URL"])
    line = toxiproxy.line(server, address.port or 0)
    through = address.set(host="127.0.0.1", port=line.port)
    return {"ADX_LEDGER_URL": through.render_as_string(hide_password=False)}, line
